/**
 * Reads what a server sends first, from however many bytes have come. Each reader gives the answer, `null` while more bytes may
 * complete it, or the one fault `format`: hostile bytes cause nothing else, and nothing is taken beyond the bytes given.
 */
import { type Bytes, copyBytes, equalBytes, Fault, hexToBytes, joinBytes } from "@holdfast/base";

/** What became of a hello: a choice of version and suite, or a refusal. */
export type ServerAnswer =
  | { readonly kind: "hello"; readonly wireVersion: number; readonly suite: number; readonly isRetry: boolean }
  | { readonly kind: "alert"; readonly level: number; readonly description: number };

/** Bytes after which an answer to a hello must be complete. */
export const ANSWER_BYTES_MAX = 16 * 1024;
/** The same where the certificates are read too. */
export const FLIGHT_BYTES_MAX = 96 * 1024;
/** Certificates of one chain. */
export const CHAIN_CERTIFICATES_MAX = 10;

const RECORD_BYTES_MAX = 16 * 1024;
const HELLO_BYTES_MAX = 4 * 1024;
const CERTIFICATES_BYTES_MAX = 64 * 1024;
const [ALERT, HANDSHAKE] = [21, 22];
const [SERVER_HELLO, CERTIFICATE] = [2, 11];
const SUPPORTED_VERSIONS = 43;
// SHA-256 of "HelloRetryRequest", RFC 8446 §4.1.3.
const RETRY_RANDOM = hexToBytes("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c") as Bytes;

/** The answer to a ClientHello of SSL 3 to TLS 1.3. Warnings before it are passed over. */
export function readServerAnswer(bytes: Uint8Array): ServerAnswer | null {
  const { handshake, alert } = readRecords(bytes, ANSWER_BYTES_MAX);
  const hello = nextMessage(handshake, 0, HELLO_BYTES_MAX, SERVER_HELLO);
  if (hello !== null) return readServerHello(hello.body);
  return alert;
}

/** Certificates in the clear after a ServerHello (up to TLS 1.2), the leaf first, in DER. None there: an empty list. */
export function readCertificates(bytes: Uint8Array): readonly Bytes[] | null {
  const { handshake, alert } = readRecords(bytes, FLIGHT_BYTES_MAX);
  const hello = nextMessage(handshake, 0, HELLO_BYTES_MAX, SERVER_HELLO);
  if (hello !== null) {
    if (handshake.length > hello.end && handshake[hello.end] !== CERTIFICATE) return [];
    const message = nextMessage(handshake, hello.end, CERTIFICATES_BYTES_MAX, CERTIFICATE);
    if (message !== null) return readCertificateList(message.body);
  }
  return alert === null ? null : [];
}

/** Whether the answer to a hello of SSL 2 is a ServerHello of SSL 2; anything else, complete or not, is a refusal or not yet one. */
export function readSsl2Answer(bytes: Uint8Array): { readonly suites: readonly number[] } | null {
  const head = new Cursor(bytes);
  if (bytes.length < 2) return null;
  const length = head.u16();
  if ((length & 0x8000) === 0) throw garbage();
  const byteCount = length & 0x7fff;
  if (byteCount < 11 || byteCount > ANSWER_BYTES_MAX) throw garbage();
  if (bytes.length > 2 && bytes[2] !== 4) throw garbage();
  if (bytes.length < 2 + byteCount) return null;
  const body = new Cursor(head.take(byteCount));
  body.take(3); // Message type, session hit, kind of certificate.
  if (body.u16() !== 0x0002) throw garbage();
  const [certificateBytes, suiteBytes, idBytes] = [body.u16(), body.u16(), body.u16()];
  if (suiteBytes % 3 !== 0) throw garbage();
  body.take(certificateBytes);
  const suites = body.take(suiteBytes);
  body.take(idBytes);
  if (body.left > 0) throw garbage();
  return { suites: Array.from({ length: suiteBytes / 3 }, (_, index) => suiteAt(suites, index * 3)) };
}

/** Handshake bytes of the records, as far as they have come, up to the first fatal alert. */
function readRecords(bytes: Uint8Array, bytesMax: number): { handshake: Uint8Array; alert: ServerAnswer | null } {
  if (bytes.length > bytesMax) throw garbage();
  const parts: Uint8Array[] = [];
  let offset = 0;
  let alert: ServerAnswer | null = null;
  while (offset < bytes.length && alert === null) {
    const type = bytes[offset];
    if (type !== HANDSHAKE && type !== ALERT) {
      if (parts.length > 0) break; // What follows the hello may be encrypted.
      throw garbage();
    }
    if (offset + 1 < bytes.length && bytes[offset + 1] !== 3) throw garbage();
    if (offset + 5 > bytes.length) break;
    const byteCount = u16At(bytes, offset + 3);
    if (byteCount === 0 || byteCount > RECORD_BYTES_MAX || (type === ALERT && byteCount !== 2)) throw garbage();
    const end = offset + 5 + byteCount;
    const content = bytes.subarray(offset + 5, end);
    if (type === HANDSHAKE)
      parts.push(content); // A record need not be whole for a message in it to be.
    else if (content.length === byteCount) alert = fatalAlert(content);
    offset = end;
  }
  return { handshake: joinBytes(parts), alert };
}

function fatalAlert(content: Uint8Array): ServerAnswer | null {
  const [level, description] = content as Uint8Array & [number, number];
  if (level !== 1 && level !== 2) throw garbage();
  return level === 2 || description === 0 ? { kind: "alert", level, description } : null;
}

/** The message at `start`, whose type and length are checked before its bytes are there. */
function nextMessage(handshake: Uint8Array, start: number, bytesMax: number, type: number): { body: Uint8Array; end: number } | null {
  if (handshake.length > start && handshake[start] !== type) throw garbage();
  if (handshake.length < start + 4) return null;
  const byteCount = ((handshake[start + 1] as number) << 16) | u16At(handshake, start + 2);
  if (byteCount > bytesMax) throw garbage();
  const end = start + 4 + byteCount;
  return handshake.length < end ? null : { body: handshake.subarray(start + 4, end), end };
}

function readServerHello(body: Uint8Array): ServerAnswer {
  const cursor = new Cursor(body);
  let wireVersion = cursor.u16();
  const isRetry = equalBytes(cursor.take(32), RETRY_RANDOM);
  const sessionIdBytes = cursor.u8();
  if (sessionIdBytes > 32) throw garbage();
  cursor.take(sessionIdBytes);
  const suite = cursor.u16();
  if (cursor.u8() !== 0) throw garbage(); // Compression was not offered.
  if (cursor.left > 0) {
    const extensions = new Cursor(cursor.take(cursor.u16()));
    while (extensions.left > 0) {
      const type = extensions.u16();
      const content = new Cursor(extensions.take(extensions.u16()));
      if (type === SUPPORTED_VERSIONS) wireVersion = content.u16();
    }
  }
  if (cursor.left > 0 || wireVersion < 0x0300 || wireVersion > 0x0304) throw garbage();
  return { kind: "hello", wireVersion, suite, isRetry };
}

function readCertificateList(body: Uint8Array): readonly Bytes[] {
  const cursor = new Cursor(body);
  const certificates: Bytes[] = [];
  if (cursor.u24() !== cursor.left) throw garbage();
  while (cursor.left > 0) {
    if (certificates.length === CHAIN_CERTIFICATES_MAX) throw garbage();
    certificates.push(copyBytes(cursor.take(cursor.u24())));
  }
  return certificates;
}

/** Takes fields off the front; past the end is `format`. */
class Cursor {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  take(byteCount: number): Uint8Array {
    if (byteCount > this.left) throw garbage();
    this.#offset += byteCount;
    return this.#bytes.subarray(this.#offset - byteCount, this.#offset);
  }

  u8(): number {
    return this.take(1)[0] as number;
  }

  u16(): number {
    return u16At(this.take(2), 0);
  }

  u24(): number {
    return suiteAt(this.take(3), 0);
  }
}

function u16At(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}

function suiteAt(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 16) | u16At(bytes, offset + 1);
}

function garbage(): Fault {
  return new Fault("format", "tls answer: does not follow the protocol");
}
