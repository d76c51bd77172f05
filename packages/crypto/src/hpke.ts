/**
 * HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA-256), HKDF-SHA-256, AES-256-GCM, empty associated data: sealing for the holder of a key
 * that is not here. One message per encapsulation.
 */
import { type Brand, type Bytes, Fault, type Random } from "@holdfast/base";
import type { CipherSuite } from "@hpke/core";
import { privateKeyOf, rawPublicKeyOf } from "./curve-node.ts";
import { sealedFault } from "./suite/suite.ts";

/** 32 secret bytes: the scalar before clamping (RFC 7748). */
export type X25519PrivateKey = Brand<Bytes, "X25519PrivateKey">;
/** 32 bytes. */
export type X25519PublicKey = Brand<Bytes, "X25519PublicKey">;

export interface HpkeSealed {
  /** Encapsulated key, 32 bytes. */
  readonly enc: Bytes;
  /** Ciphertext and tag: 16 bytes more than the plaintext. */
  readonly sealed: Bytes;
}

export const X25519_KEY_BYTES = 32;
export const HPKE_ENC_BYTES = 32;
export const HPKE_TAG_BYTES = 16;

/** Seals `plaintext` for the holder of the private half of `recipient`. `info` is authenticated, not stored. A public key of small order: `input`. */
export async function hpkeSeal(random: Random, recipient: X25519PublicKey, info: Uint8Array, plaintext: Uint8Array): Promise<HpkeSealed> {
  const suite = await createSuite();
  // The ephemeral key comes from our port: 32 random bytes through DeriveKeyPair, as RFC 9180 §4 allows.
  const ekm = random.bytes(X25519_KEY_BYTES);
  try {
    const recipientPublicKey = await suite.kem.importKey("raw", copyOf(recipient), true);
    const sender = await suite.createSenderContext({ recipientPublicKey, info: copyOf(info), ekm: copyOf(ekm) });
    const sealed = await sender.seal(copyOf(plaintext));
    return { enc: new Uint8Array(sender.enc), sealed: new Uint8Array(sealed) };
  } catch (cause) {
    throw new Fault("input", "hpke: the recipient's key cannot be used", { cause });
  }
}

/** The plaintext of what `hpkeSeal` made. Anything wrong: the `integrity` fault of suites. */
export async function hpkeOpen(privateKey: X25519PrivateKey, enc: Uint8Array, info: Uint8Array, sealed: Uint8Array): Promise<Bytes> {
  const suite = await createSuite();
  try {
    const recipientKey = await suite.kem.importKey("raw", copyOf(privateKey), false);
    const recipient = await suite.createRecipientContext({ recipientKey, enc: copyOf(enc), info: copyOf(info) });
    return new Uint8Array(await recipient.open(copyOf(sealed)));
  } catch {
    throw sealedFault();
  }
}

export function generateX25519PrivateKey(random: Random): X25519PrivateKey {
  return asX25519PrivateKey(random.bytes(X25519_KEY_BYTES));
}

export function x25519PublicKeyOf(privateKey: X25519PrivateKey): X25519PublicKey {
  return rawPublicKeyOf(privateKeyOf("x25519", privateKey)) as X25519PublicKey;
}

/** `bytes` as a private key. Not 32 bytes: `format`. */
export function asX25519PrivateKey(bytes: Uint8Array): X25519PrivateKey {
  return checkedKey(bytes, "x25519 private key") as X25519PrivateKey;
}

/** `bytes` as a public key. Not 32 bytes: `format`. */
export function asX25519PublicKey(bytes: Uint8Array): X25519PublicKey {
  return checkedKey(bytes, "x25519 public key") as X25519PublicKey;
}

/** Fresh for every message: the library's objects keep state. Loaded when it is first needed: few runs use it, and every start would pay. */
async function createSuite(): Promise<CipherSuite> {
  const [{ Aes256Gcm, CipherSuite, HkdfSha256 }, { DhkemX25519HkdfSha256 }] = await Promise.all([import("@hpke/core"), import("@hpke/dhkem-x25519")]);
  return new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
}

/** The library takes whole `ArrayBuffer`s. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function checkedKey(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length !== X25519_KEY_BYTES) throw new Fault("format", `${what}: got ${bytes.length} bytes, want ${X25519_KEY_BYTES}`);
  return bytes;
}
