/**
 * Request signatures: the second bond beside the TLS client certificate. HTTP Message Signatures (RFC 9421) with
 * Ed25519; what is signed is `"holdfast/v1/request" ‖ 0x00 ‖ signature base`, so that the device key never signs two
 * kinds of text that could be confused.
 *
 * Covered, in this order: `@method`, `@authority`, `@path`, `@query`, `holdfast-version`; with a body also
 * `content-length` and one of `content-digest` (RFC 9530, SHA-256 of the body) or `holdfast-records` (SHA-256 of the
 * record ids in order: each frame then hashes to its own id, so that no byte is hashed twice); `range` and
 * `holdfast-lease` when the request has them. Refused is a request that
 * carries one of these headers uncovered, has a body that none of the two digests covers, or does not say its version.
 */
import { type Bytes, base64ToBytes, bytesToBase64, bytesToHex, Fault, hexToBytes, utf8 } from "@holdfast/base";
import { asDeviceId, type DeviceId } from "./id.ts";

/** What of a request is signed. Header names are lower case. */
export interface SignedRequest {
  readonly method: string;
  /** Host and port as in the `host` header. */
  readonly authority: string;
  /** Path and query as on the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Parameters of a signature as the request carries them. */
export interface RequestSignature {
  readonly device: DeviceId;
  readonly createdMs: number;
  /** 16 random bytes in hex: one request, one nonce. */
  readonly nonce: string;
  readonly signature: Bytes;
  /** What the device signs with use `request`. */
  readonly base: Bytes;
}

const COVERED_HEADERS = ["holdfast-version", "content-length", "content-digest", "holdfast-records", "range", "holdfast-lease"] as const;
const INPUT_PATTERN = /^hf=\(([^()]*)\);created=(\d{1,12})\.(\d{3});nonce="([0-9a-f]{32})";keyid="([0-9a-f]{32})";alg="ed25519"$/;
const SIGNATURE_PATTERN = /^hf=:([A-Za-z0-9+/]{86}==):$/;

/**
 * Headers that sign `request`. `sign` is the device's signer for use `request`.
 * `created` carries milliseconds as a decimal: a replayed second would be too coarse for the nonce window.
 */
export function signRequest(
  request: SignedRequest,
  device: DeviceId,
  createdMs: number,
  nonce: Uint8Array,
  sign: (base: Bytes) => Uint8Array,
): Record<string, string> {
  const components = coveredComponents(request);
  const seconds = Math.floor(createdMs / 1000);
  const created = `${seconds}.${String(createdMs - seconds * 1000).padStart(3, "0")}`;
  const input = `(${components.map((name) => `"${name}"`).join(" ")});created=${created};nonce="${bytesToHex(nonce)}";keyid="${bytesToHex(device)}";alg="ed25519"`;
  const signature = sign(signatureBase(request, components, input));
  return { "signature-input": `hf=${input}`, signature: `hf=:${bytesToBase64(signature)}:` };
}

/** Reads the signature of `request`; whether it verifies is for the caller. Missing or malformed: `denied`. */
export function parseRequestSignature(request: SignedRequest): RequestSignature {
  const inputHeader = request.headers["signature-input"] ?? "";
  const input = INPUT_PATTERN.exec(inputHeader);
  const signature = SIGNATURE_PATTERN.exec(request.headers.signature ?? "");
  if (input === null || signature === null) throw new Fault("denied", "request: carries no signature of the expected form");
  checkHeaders(request.headers);
  const components = coveredComponents(request);
  if (input[1] !== components.map((name) => `"${name}"`).join(" ")) throw new Fault("denied", "request: signature does not cover what it must");
  return {
    device: asDeviceId(hexToBytes(input[5] as string) as Bytes),
    createdMs: Number(input[2]) * 1000 + Number(input[3]),
    nonce: input[4] as string,
    signature: base64ToBytes(signature[1] as string) as Bytes,
    base: signatureBase(request, components, inputHeader.slice("hf=".length)),
  };
}

/** Value of `content-digest` for a body's SHA-256. */
export function contentDigest(sha256: Uint8Array): string {
  return `sha-256=:${bytesToBase64(sha256)}:`;
}

/** The SHA-256 in a `content-digest` or `holdfast-records` value. */
export function parseContentDigest(value: string | undefined): Bytes {
  const match = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(value ?? "");
  if (match === null) throw new Fault("denied", "request: digest missing or malformed");
  return base64ToBytes(match[1] as string) as Bytes;
}

/** Refuses a request whose body, or version, would be outside the signature. */
function checkHeaders(headers: SignedRequest["headers"]): void {
  const digestCount = Number(headers["content-digest"] !== undefined) + Number(headers["holdfast-records"] !== undefined);
  const length = headers["content-length"];
  const hasBody = length !== undefined && length !== "0";
  if (headers["holdfast-version"] === undefined) throw new Fault("denied", "request: signature does not cover what it must");
  if (headers["transfer-encoding"] !== undefined || digestCount > 1 || (digestCount === 1 && length === undefined) || (hasBody && digestCount === 0)) {
    throw new Fault("denied", "request: body is not covered by the signature");
  }
}

function coveredComponents(request: SignedRequest): readonly string[] {
  return ["@method", "@authority", "@path", "@query", ...COVERED_HEADERS.filter((name) => request.headers[name] !== undefined)];
}

function signatureBase(request: SignedRequest, components: readonly string[], input: string): Bytes {
  const queryStart = request.target.indexOf("?");
  const path = queryStart === -1 ? request.target : request.target.slice(0, queryStart);
  const derived: Readonly<Record<string, string>> = {
    "@method": request.method,
    "@authority": request.authority.toLowerCase(),
    "@path": path,
    "@query": queryStart === -1 ? "?" : request.target.slice(queryStart),
  };
  const lines = components.map((name) => `"${name}": ${derived[name] ?? request.headers[name] ?? ""}`);
  return utf8([...lines, `"@signature-params": ${input}`].join("\n"));
}
