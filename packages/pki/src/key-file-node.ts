/**
 * A private key locked with a passphrase: PKCS#8 `ENCRYPTED PRIVATE KEY` (RFC 5958 §3) with PBES2 of scrypt
 * (RFC 7914 §7.2) and AES-256-CBC, so that `openssl pkey` opens it too. Node adapter: scrypt is not in WebCrypto.
 *
 * DER:  30 { 30 { pbes2, 30 { 30 { scrypt, 30 { salt 16 B, N, r, p } }, 30 { aes256-CBC, iv 16 B } } }, ciphertext n × 16 B }
 *
 * The form has no tag, so a changed file may open to other bytes: whoever unlocks a key must match it with its certificate.
 */
import { scrypt } from "node:crypto";
import { type Bytes, equalBytes, Fault, type Random, utf8 } from "@holdfast/base";
import { DER_SEQUENCE, derHeaderBytes, encodeDer, isOneSequence } from "./der.ts";
import { encodePem, parseOnePem } from "./pem.ts";
import { KEY_PEM_BYTES_MAX } from "./profiles.ts";

const SALT_BYTES = 16;
const IV_BYTES = 16;
const KEY_BYTES = 32;
/** 16 MiB and five passes (OWASP's figures); OpenSSL opens no file that needs 32 MiB. */
const SCRYPT = { N: 16_384, r: 8, p: 5 } as const;
const PASSPHRASE_CHARACTERS_MIN = 8;

const DER_OCTET_STRING = 0x04;
const OID_PBES2 = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d]; // 1.2.840.113549.1.5.13
const OID_SCRYPT = [0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b]; // 1.3.6.1.4.1.11591.4.11
const OID_AES_256_CBC = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a]; // 2.16.840.1.101.3.4.1.42

/** Locks an unencrypted PKCS#8 PEM. A passphrase under 8 characters: `input`. */
export async function lockPrivateKey(random: Random, privateKeyPem: string, passphrase: string): Promise<string> {
  if (passphrase.length < PASSPHRASE_CHARACTERS_MIN) {
    throw new Fault("input", `passphrase: too short, want at least ${PASSPHRASE_CHARACTERS_MIN} characters`);
  }
  const pkcs8 = parseOnePem("PRIVATE KEY", privateKeyPem, KEY_PEM_BYTES_MAX);
  const salt = random.bytes(SALT_BYTES);
  const iv = random.bytes(IV_BYTES);
  const key = await deriveKey(passphrase, salt);
  const ciphertext = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, pkcs8));
  return encodePem("ENCRYPTED PRIVATE KEY", encodeLocked(salt, iv, ciphertext));
}

/**
 * The PKCS#8 PEM inside. Another form than `lockPrivateKey` writes: `format`, before any work is done for it.
 * A wrong passphrase, or a changed file: `denied`.
 */
export async function unlockPrivateKey(lockedPem: string, passphrase: string): Promise<string> {
  const { salt, iv, ciphertext } = parseLocked(parseOnePem("ENCRYPTED PRIVATE KEY", lockedPem, KEY_PEM_BYTES_MAX));
  const key = await deriveKey(passphrase, salt);
  let pkcs8: Bytes;
  try {
    pkcs8 = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, ciphertext));
  } catch {
    throw new Fault("denied", "private key: does not open with this passphrase");
  }
  // One wrong passphrase in 256 leaves well-formed padding; what lies under it is then no DER sequence of that length.
  if (!isOneSequence(pkcs8)) throw new Fault("denied", "private key: does not open with this passphrase");
  return encodePem("PRIVATE KEY", pkcs8);
}

async function deriveKey(passphrase: string, salt: Bytes) {
  const maxmem = 256 * SCRYPT.N * SCRYPT.r; // Twice what the parameters need.
  const bytes = await new Promise<Bytes>((resolve, reject) => {
    // Success is `null` in Node and `undefined` in Bun.
    scrypt(utf8(passphrase), salt, KEY_BYTES, { ...SCRYPT, maxmem }, (error, key) => (error ? reject(error) : resolve(new Uint8Array(key))));
  });
  return crypto.subtle.importKey("raw", bytes, "AES-CBC", false, ["encrypt", "decrypt"]);
}

function encodeLocked(salt: Bytes, iv: Bytes, ciphertext: Bytes): Bytes {
  const n = [0x02, 0x02, SCRYPT.N >>> 8, SCRYPT.N & 0xff];
  const scryptParameters = encodeDer(DER_SEQUENCE, encodeDer(DER_OCTET_STRING, salt), Uint8Array.from([...n, 0x02, 0x01, SCRYPT.r, 0x02, 0x01, SCRYPT.p]));
  const derivation = encodeDer(DER_SEQUENCE, Uint8Array.from(OID_SCRYPT), scryptParameters);
  const encryption = encodeDer(DER_SEQUENCE, Uint8Array.from(OID_AES_256_CBC), encodeDer(DER_OCTET_STRING, iv));
  const algorithm = encodeDer(DER_SEQUENCE, Uint8Array.from(OID_PBES2), encodeDer(DER_SEQUENCE, derivation, encryption));
  return encodeDer(DER_SEQUENCE, algorithm, encodeDer(DER_OCTET_STRING, ciphertext));
}

/** Takes the three variable parts from their places and proves the rest by encoding them again. */
function parseLocked(bytes: Bytes): { salt: Bytes; iv: Bytes; ciphertext: Bytes } {
  const outerHeaderBytes = derHeaderBytes(bytes, 0);
  const saltAt = outerHeaderBytes + 2 + OID_PBES2.length + 2 + 2 + OID_SCRYPT.length + 2 + 2;
  const ivAt = saltAt + SALT_BYTES + 10 + 2 + OID_AES_256_CBC.length + 2;
  const ciphertextAt = ivAt + IV_BYTES + derHeaderBytes(bytes, ivAt + IV_BYTES);
  const salt = bytes.slice(saltAt, saltAt + SALT_BYTES);
  const iv = bytes.slice(ivAt, ivAt + IV_BYTES);
  const ciphertext = bytes.slice(ciphertextAt);
  const isOurs = ciphertext.length > 0 && ciphertext.length % 16 === 0 && equalBytes(encodeLocked(salt, iv, ciphertext), bytes);
  if (!isOurs) throw new Fault("format", "private key: not locked in our form, want PBES2 of scrypt and AES-256-CBC");
  return { salt, iv, ciphertext };
}
