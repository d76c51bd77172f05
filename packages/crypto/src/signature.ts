/**
 * Signatures (docs/format.md §2): Ed25519 (RFC 8032) over `"holdfast/v1/" ‖ use ‖ 0x00 ‖ body`. A key never signs without its use,
 * so a signature made for one purpose proves nothing for another.
 */
import { type Brand, type Bytes, bytesToHex, concatBytes, Fault, type Random, utf8 } from "@holdfast/base";
import { privateKeyOf, publicKeyOf, rawPublicKeyOf, signEd25519, verifyEd25519 } from "./curve-node.ts";

export type SignatureUse = "request" | "journal" | "owner" | "receipt" | "index" | "container";

/** 32 secret bytes of an Ed25519 key. */
export type SigningSeed = Brand<Bytes, "SigningSeed">;
/** 32 bytes. */
export type SigningPublicKey = Brand<Bytes, "SigningPublicKey">;
/** 64 bytes. */
export type Signature = Brand<Bytes, "Signature">;

export interface SigningKey {
  readonly seed: SigningSeed;
  readonly publicKey: SigningPublicKey;
}

/** A signing key made ready for many signatures. */
export interface Signer {
  readonly publicKey: SigningPublicKey;
  sign(use: SignatureUse, body: Uint8Array): Signature;
}

/** A public key made ready for many signatures. */
export interface Verifier {
  readonly publicKey: SigningPublicKey;
  /** Whether `signature` is that of `body` for `use`. Bytes of any length and form give an answer, never an error. */
  verify(use: SignatureUse, body: Uint8Array, signature: Uint8Array): boolean;
}

export const SIGNING_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

const LABELS: Readonly<Record<SignatureUse, Bytes>> = {
  request: labelOf("request"),
  journal: labelOf("journal"),
  owner: labelOf("owner"),
  receipt: labelOf("receipt"),
  index: labelOf("index"),
  container: labelOf("container"),
};

/**
 * Encodings of the points of order 1, 2, 4 and 8, sign bit cleared: a key of these accepts one signature for many messages, and
 * libraries differ on them. Non-canonical encodings (y ≥ p) are covered by `isCanonical`.
 */
const SMALL_ORDER_KEYS: ReadonlySet<string> = new Set([
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
]);

export function generateSigningKey(random: Random): SigningKey {
  return signingKeyOf(asSigningSeed(random.bytes(SIGNING_KEY_BYTES)));
}

export function signingKeyOf(seed: SigningSeed): SigningKey {
  return { seed, publicKey: rawPublicKeyOf(privateKeyOf("ed25519", seed)) as SigningPublicKey };
}

export function createSigner(seed: SigningSeed): Signer {
  const privateKey = privateKeyOf("ed25519", seed);
  return {
    publicKey: rawPublicKeyOf(privateKey) as SigningPublicKey,
    sign: (use, body) => signEd25519(privateKey, concatBytes(LABELS[use], body)) as Signature,
  };
}

export function createVerifier(publicKey: SigningPublicKey): Verifier {
  const verifyRaw = createRawVerifier(publicKey);
  return { publicKey, verify: (use, body, signature) => verifyRaw(concatBytes(LABELS[use], body), signature) };
}

/** One signature; for more under one key use `createSigner`. */
export function sign(use: SignatureUse, seed: SigningSeed, body: Uint8Array): Signature {
  return createSigner(seed).sign(use, body);
}

/** One check; for more under one key use `createVerifier`. */
export function verify(use: SignatureUse, publicKey: SigningPublicKey, body: Uint8Array, signature: Uint8Array): boolean {
  return createVerifier(publicKey).verify(use, body, signature);
}

/** `bytes` as a seed. Not 32 bytes: `format`. */
export function asSigningSeed(bytes: Uint8Array): SigningSeed {
  if (bytes.length !== SIGNING_KEY_BYTES) throw new Fault("format", `signing seed: got ${bytes.length} bytes, want ${SIGNING_KEY_BYTES}`);
  return bytes as SigningSeed;
}

/** `bytes` as a public key. Not 32 bytes, not canonical, or of small order: `format`. Whether they are a point shows when something is verified. */
export function asSigningPublicKey(bytes: Uint8Array): SigningPublicKey {
  if (bytes.length !== SIGNING_KEY_BYTES) throw new Fault("format", `signing public key: got ${bytes.length} bytes, want ${SIGNING_KEY_BYTES}`);
  if (!isCanonical(bytes) || isSmallOrder(bytes)) throw new Fault("format", "signing public key: not a key");
  return bytes as SigningPublicKey;
}

/** Ed25519 without a use: only for the published vectors. */
export function createRawVerifier(publicKey: Uint8Array): (message: Uint8Array, signature: Uint8Array) => boolean {
  if (publicKey.length !== SIGNING_KEY_BYTES || !isCanonical(publicKey) || isSmallOrder(publicKey)) return () => false;
  let key: ReturnType<typeof publicKeyOf>;
  try {
    key = publicKeyOf("ed25519", publicKey);
  } catch {
    return () => false; // Some runtimes refuse what is no point when the key is imported, others when it is used.
  }
  return (message, signature) => {
    if (signature.length !== SIGNATURE_BYTES) return false;
    try {
      return verifyEd25519(key, message, signature);
    } catch {
      return false;
    }
  };
}

function labelOf(use: SignatureUse): Bytes {
  return utf8(`holdfast/v1/${use}\0`);
}

/** Whether y < p = 2^255 − 19 (RFC 8032 §5.1.3). */
function isCanonical(publicKey: Uint8Array): boolean {
  if (((publicKey[31] as number) & 0x7f) !== 0x7f || (publicKey[0] as number) < 0xed) return true;
  return publicKey.subarray(1, 31).some((byte) => byte !== 0xff);
}

function isSmallOrder(publicKey: Uint8Array): boolean {
  const unsigned = publicKey.slice();
  unsigned[31] = (unsigned[31] as number) & 0x7f;
  return SMALL_ORDER_KEYS.has(bytesToHex(unsigned));
}
