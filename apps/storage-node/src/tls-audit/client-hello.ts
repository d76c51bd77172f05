/**
 * Writes the first message of a client, as bytes: enough for a server to choose a version and a suite, or to refuse. No handshake
 * is ever finished, so no secret is behind anything in here.
 *
 * SSL 3 to TLS 1.3 (RFC 8446 §4.1.2): record 22 | handshake 1 | version | random 32 | session id | suites | compression | extensions
 * SSL 2 (draft-hickman-netscape-ssl-00 §2.5):  length | 1 | version | three lengths | suites of 3 bytes | challenge 16
 */
import { type Bytes, concatBytes, Fault, type Random, utf8 } from "@holdfast/base";
import { SSL2_SUITES } from "./insecure-suites.ts";

export interface ClientHelloOptions {
  /** 0x0300 (SSL 3) to 0x0304 (TLS 1.3). */
  readonly wireVersion: number;
  /** Codes in the order of preference, at least one. */
  readonly suites: readonly number[];
  /** DNS name for the server name extension; an address sends none (RFC 6066 §3). */
  readonly serverName?: string;
  readonly random: Random;
}

const TLS_13 = 0x0304;
const SSL_3 = 0x0300;
const SUITES_MAX = 2048;
const SERVER_NAME = 0;
const SUPPORTED_GROUPS = 10;
const POINT_FORMATS = 11;
const SIGNATURE_ALGORITHMS = 13;
const SUPPORTED_VERSIONS = 43;
const KEY_EXCHANGE_MODES = 45;
const KEY_SHARE = 51;
const RENEGOTIATION_INFO = 0xff01;

const X25519 = 29;
// Weak ones too: a server that would take a weak curve or group must not hide behind our refusing it.
const GROUPS = [X25519, 23, 24, 25, 30, 22, 21, 19, 26, 27, 28, 9, 10, 11, 12, 13, 14, 256, 257, 258, 259, 260];
const SIGNATURES = [
  ...[0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b],
  ...[0x0401, 0x0501, 0x0601, 0x0301, 0x0303, 0x0201, 0x0203, 0x0101, 0x0402, 0x0502, 0x0602, 0x0302, 0x0202],
];

/** One record with a ClientHello. */
export function encodeClientHello(options: ClientHelloOptions): Bytes {
  const { wireVersion, suites, random } = options;
  if (wireVersion < SSL_3 || wireVersion > TLS_13) throw new Fault("input", `client hello: unknown version, got ${wireVersion}, want 768 to 772`);
  if (suites.length === 0 || suites.length > SUITES_MAX) throw new Fault("input", `client hello: ${suites.length} suites, want 1 to ${SUITES_MAX}`);
  const isTls13 = wireVersion === TLS_13;
  const extensions = encodeExtensions(options);
  const body = concatBytes(
    u16(isTls13 ? 0x0303 : wireVersion),
    random.bytes(32),
    withLength(1, random.bytes(isTls13 ? 32 : 0)), // TLS 1.3 in middlebox mode carries a session id (RFC 8446 §D.4).
    withLength(2, list(suites)),
    Uint8Array.of(1, 0), // No compression.
    extensions.length === 0 ? new Uint8Array(0) : withLength(2, extensions),
  );
  const message = concatBytes(Uint8Array.of(1), withLength(3, body));
  // Servers that know only old versions refuse a record of a newer one.
  return concatBytes(Uint8Array.of(22), u16(Math.min(wireVersion, 0x0301)), withLength(2, message));
}

/** The hello of SSL 2, with all of its suites. */
export function encodeSsl2ClientHello(random: Random): Bytes {
  const suites = concatBytes(...SSL2_SUITES.map(({ code }) => Uint8Array.of(code >>> 16, code >>> 8, code)));
  const challenge = random.bytes(16);
  const body = concatBytes(Uint8Array.of(1), u16(0x0002), u16(suites.length), u16(0), u16(challenge.length), suites, challenge);
  return concatBytes(u16(0x8000 | body.length), body);
}

function encodeExtensions({ wireVersion, serverName, random }: ClientHelloOptions): Bytes {
  if (wireVersion === SSL_3) return new Uint8Array(0);
  const parts: Bytes[] = [];
  if (serverName !== undefined && isDnsName(serverName)) {
    parts.push(extension(SERVER_NAME, withLength(2, concatBytes(Uint8Array.of(0), withLength(2, utf8(serverName))))));
  }
  parts.push(extension(SUPPORTED_GROUPS, withLength(2, list(GROUPS))));
  if (wireVersion >= 0x0303) parts.push(extension(SIGNATURE_ALGORITHMS, withLength(2, list(SIGNATURES))));
  if (wireVersion === TLS_13) {
    parts.push(extension(SUPPORTED_VERSIONS, withLength(1, u16(TLS_13))), extension(KEY_EXCHANGE_MODES, withLength(1, Uint8Array.of(1))));
    // Any 32 bytes are a public key of X25519 (RFC 7748 §5); its private half is never needed.
    parts.push(extension(KEY_SHARE, withLength(2, concatBytes(u16(X25519), withLength(2, random.bytes(32))))));
  } else {
    parts.push(extension(POINT_FORMATS, withLength(1, Uint8Array.of(0))), extension(RENEGOTIATION_INFO, Uint8Array.of(0)));
  }
  return concatBytes(...parts);
}

function isDnsName(name: string): boolean {
  return /^(?=.{1,253}$)[a-z\d_-]+(?:\.[a-z\d_-]+)*$/i.test(name) && !/(?:^|\.)\d+$/.test(name);
}

function extension(type: number, content: Uint8Array): Bytes {
  return concatBytes(u16(type), withLength(2, content));
}

function list(values: readonly number[]): Bytes {
  return concatBytes(...values.map(u16));
}

function u16(value: number): Bytes {
  return Uint8Array.of(value >>> 8, value);
}

function withLength(lengthBytes: 1 | 2 | 3, content: Uint8Array): Bytes {
  const length = Uint8Array.of(content.length >>> 16, content.length >>> 8, content.length);
  return concatBytes(length.subarray(3 - lengthBytes), content);
}
