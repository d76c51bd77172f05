/**
 * Hashes: SHA-256, HMAC-SHA-256 (FIPS 180-4, RFC 2104) and HKDF over SHA-512 (RFC 5869).
 *
 * All calls are synchronous and take bytes over shared memory too; every result is fresh, 32 bytes unless it says otherwise.
 * The platform sits behind `HashAdapter`: another runtime needs one more file such as `hash-node.ts`.
 */
import { assert, type Bytes, concatBytes } from "@holdfast/base";
import { nodeHashAdapter } from "./hash-node.ts";

/** A hash that takes its input piece by piece. */
export interface Hasher {
  update(bytes: Uint8Array): this;
  /** Ends the hash: neither method may be called again. */
  digest(): Bytes;
}

/** What a runtime must offer. */
export interface HashAdapter {
  sha256(bytes: Uint8Array): Bytes;
  createSha256(): Hasher;
  createHmacSha256(key: Uint8Array): (...parts: readonly Uint8Array[]) => Bytes;
  /** 64 bytes. */
  hmacSha512(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes;
}

export const SHA256_BYTES = 32;
const SHA512_BYTES = 64;

const adapter: HashAdapter = nodeHashAdapter;

/** SHA-256 of the parts, joined. */
export function sha256(...parts: readonly Uint8Array[]): Bytes {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return adapter.sha256(only);
  const hasher = adapter.createSha256();
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

export function createSha256(): Hasher {
  return adapter.createSha256();
}

/** HMAC-SHA-256 of the parts, joined. For many inputs under one key use `createHmacSha256`. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Bytes {
  return adapter.createHmacSha256(key)(...parts);
}

/** HMAC-SHA-256 with the key set up once: the returned function is cheap for inputs of a kilobyte. */
export function createHmacSha256(key: Uint8Array): (...parts: readonly Uint8Array[]) => Bytes {
  return adapter.createHmacSha256(key);
}

/** HKDF-SHA-512, extract and expand: for input keying material that need not be uniform. */
export function hkdfSha512(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, byteCount: number): Bytes {
  return hkdfExpandSha512(adapter.hmacSha512(salt, ikm), info, byteCount);
}

/** HKDF-Expand-SHA-512 alone: `prk` must be a uniformly random key. At most 16,320 bytes. */
export function hkdfExpandSha512(prk: Uint8Array, info: Uint8Array, byteCount: number): Bytes {
  assert(byteCount >= 0 && byteCount <= 255 * SHA512_BYTES, `hkdf: cannot expand to ${byteCount} bytes`);
  const blocks: Bytes[] = [];
  let previous: Bytes = new Uint8Array(0);
  for (let count = 1; blocks.length * SHA512_BYTES < byteCount; count++) {
    previous = adapter.hmacSha512(prk, previous, info, Uint8Array.of(count)); // T(n) of RFC 5869 §2.3.
    blocks.push(previous);
  }
  return concatBytes(...blocks).slice(0, byteCount);
}
