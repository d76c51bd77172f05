/** Raw 32-byte keys of Ed25519 and X25519 through `node:crypto`, which wants them in DER (RFC 8410): a fixed prefix before the raw bytes. */

import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { Bytes } from "@holdfast/base";

type Curve = "ed25519" | "x25519";

const OID_LAST_BYTE: Readonly<Record<Curve, number>> = { x25519: 0x6e, ed25519: 0x70 }; // 1.3.101.110 and 1.3.101.112.
const RAW_BYTES = 32;

/** PKCS #8: SEQUENCE { version 0, SEQUENCE { OID }, OCTET STRING { OCTET STRING seed } }. */
export function privateKeyOf(curve: Curve, raw: Uint8Array): KeyObject {
  const prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, OID_LAST_BYTE[curve], 0x04, 0x22, 0x04, 0x20];
  return createPrivateKey({ key: der(prefix, raw), format: "der", type: "pkcs8" });
}

/** SubjectPublicKeyInfo: SEQUENCE { SEQUENCE { OID }, BIT STRING key }. Throws a foreign error where the runtime refuses the point. */
export function publicKeyOf(curve: Curve, raw: Uint8Array): KeyObject {
  return createPublicKey({
    key: der([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, OID_LAST_BYTE[curve], 0x03, 0x21, 0x00], raw),
    format: "der",
    type: "spki",
  });
}

/** The 32 bytes of the public half of `privateKey`. */
export function rawPublicKeyOf(privateKey: KeyObject): Bytes {
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(spki.length - RAW_BYTES));
}

/** Ed25519 of `message`, 64 bytes. */
export function signEd25519(privateKey: KeyObject, message: Uint8Array): Bytes {
  return new Uint8Array(sign(null, message, privateKey));
}

export function verifyEd25519(publicKey: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, message, publicKey, signature);
}

function der(prefix: readonly number[], raw: Uint8Array): Buffer {
  return Buffer.from(Uint8Array.of(...prefix, ...raw).buffer); // Memory of its own: a `Buffer` of an array would leave the key in the pool.
}
