/**
 * P-256 key pairs through WebCrypto, which every runtime has. Private keys travel as PKCS#8 PEM; a key file at
 * rest may be locked with a passphrase (key-file-node.ts).
 */
import { type Bytes, Fault } from "@holdfast/base";
import { encodePem, parseOnePem } from "./pem.ts";
import { KEY_PEM_BYTES_MAX } from "./profiles.ts";

/** A private key as PKCS#8 PEM, with its public half as DER SubjectPublicKeyInfo (RFC 5280 §4.1). */
export interface KeyPair {
  readonly privateKeyPem: string;
  readonly publicKeySpki: Bytes;
}

export const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
export const SIGNING_ALGORITHM = { name: "ECDSA", hash: "SHA-256" } as const;

/** The WebCrypto form of a key pair, for signing. */
export type SigningKeys = Awaited<ReturnType<typeof importSigningKeys>>;

/** A fresh key pair. The platform draws it: WebCrypto takes no source of randomness. */
export async function createKeyPair(): Promise<KeyPair> {
  const pair = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const publicKeySpki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  return { privateKeyPem: encodePem("PRIVATE KEY", pkcs8), publicKeySpki };
}

/** Both halves of `privateKeyPem`, ready to use. Not a P-256 key in unencrypted PKCS#8: `certificate`. */
export async function importSigningKeys(privateKeyPem: string) {
  try {
    const pkcs8 = parseOnePem("PRIVATE KEY", privateKeyPem, KEY_PEM_BYTES_MAX);
    const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, KEY_ALGORITHM, true, ["sign"]);
    const jwk = await crypto.subtle.exportKey("jwk", privateKey);
    delete jwk.d; // What is left is the public half.
    jwk.key_ops = ["verify"];
    const publicKey = await crypto.subtle.importKey("jwk", jwk, KEY_ALGORITHM, true, ["verify"]);
    return { privateKey, publicKey };
  } catch (cause) {
    // The cause stays out: a runtime's message might quote the key.
    throw new Fault("certificate", `private key: not a P-256 key in unencrypted PKCS#8 PEM${cause instanceof Fault ? ` (${cause.message})` : ""}`);
  }
}

/** DER SubjectPublicKeyInfo of the public half of `privateKeyPem`. */
export async function publicKeyOf(privateKeyPem: string): Promise<Bytes> {
  const { publicKey } = await importSigningKeys(privateKeyPem);
  return new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
}

/** SHA-256 of a DER SubjectPublicKeyInfo, 32 bytes: the identity of a key, whatever certificate carries it. */
export async function spkiHash(publicKeySpki: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", publicKeySpki));
}
