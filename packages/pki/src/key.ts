/**
 * P-256 key pairs through WebCrypto, which every runtime has. Private keys travel as PKCS#8 PEM; a key file at
 * rest may be locked with a passphrase (key-file-node.ts).
 */
import { type Bytes, Fault, utf8 } from "@holdfast/base";
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

/**
 * Whether `privateKeyPem` is the private half of `publicKeySpki`, shown by a signature made with the one and verified
 * with the other. `keyKind` is that of the certificate. A key of another kind is no match; no PKCS#8 PEM at all: `format`.
 */
export async function isPrivateKeyOf(privateKeyPem: string, publicKeySpki: Bytes, keyKind: string): Promise<boolean> {
  const pkcs8 = parseOnePem("PRIVATE KEY", privateKeyPem, KEY_PEM_BYTES_MAX);
  const algorithm = algorithmOfKind(keyKind);
  if (algorithm === null) return false;
  try {
    const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
    const publicKey = await crypto.subtle.importKey("spki", publicKeySpki, algorithm, false, ["verify"]);
    const message = utf8("holdfast pki: does this private key belong to this certificate?");
    const signature = await crypto.subtle.sign(algorithm, privateKey, message);
    return await crypto.subtle.verify(algorithm, publicKey, signature, message);
  } catch {
    return false;
  }
}

/** SHA-256 of a DER SubjectPublicKeyInfo, 32 bytes: the identity of a key, whatever certificate carries it. */
export async function spkiHash(publicKeySpki: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", publicKeySpki));
}

/** WebCrypto's words for a `keyKind` of certificate.ts, both for importing and for signing. */
function algorithmOfKind(keyKind: string) {
  const [family, rest] = keyKind.split(" ");
  if (family === "EC" && rest !== undefined) return { name: "ECDSA", namedCurve: rest, hash: "SHA-256" };
  if (family === "RSA") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  return family === "Ed25519" ? { name: "Ed25519" } : null;
}
