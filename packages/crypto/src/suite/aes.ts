/**
 * AES-256-GCM (NIST SP 800-38D) over single segments, without associated data: what a runtime must offer to suite 1.
 * The choice of the adapter is made here and nowhere else.
 */
import type { Bytes } from "@holdfast/base";
import { nodeAesGcm } from "./aes-node.ts";
import { webAesGcm } from "./aes-web.ts";

export const AES_KEY_BYTES = 32;
export const GCM_NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;

/** `seal` writes ciphertext and tag of the joined parts; `open` checks, then writes, or writes nothing and says false. */
export interface AesGcmSyncKey {
  seal(nonce: Bytes, parts: readonly Uint8Array[], out: Uint8Array, outOffset: number): void;
  open(nonce: Bytes, sealed: Uint8Array, out: Uint8Array, outOffset: number): boolean;
}

/** The same with promises. The nonce and the plaintext stay untouched until they settle. */
export interface AesGcmAsyncKey {
  seal(nonce: Bytes, parts: readonly Uint8Array[], out: Uint8Array, outOffset: number): Promise<void>;
  open(nonce: Bytes, sealed: Uint8Array, out: Uint8Array, outOffset: number): Promise<boolean>;
}

export type AesGcm =
  | { readonly kind: "sync"; importKey(key: Bytes): AesGcmSyncKey }
  | { readonly kind: "async"; importKey(key: Bytes): Promise<AesGcmAsyncKey> };

/** Deno's `node:crypto` does 0.25 GB/s where its WebCrypto does 0.6; Node and Bun are the other way round. */
export const platformAesGcm: AesGcm = "Deno" in globalThis ? webAesGcm : nodeAesGcm;
