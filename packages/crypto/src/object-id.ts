/** Object ids (docs/format.md §7): `HMAC-SHA-256(object-id key, kind byte ‖ plaintext)`. Equal objects of one epoch have equal ids; without the key an id tells nothing. */
import type { ObjectId } from "@holdfast/protocol";
import { createHmacSha256 } from "./hash.ts";
import type { ObjectIdKey } from "./key.ts";

/** 1 chunk, 2 tree, 3 list. */
export type ObjectKind = 1 | 2 | 3;

/** A function for many objects: one HMAC key, set up once. */
export function createObjectIdHasher(key: ObjectIdKey): (kind: ObjectKind, plaintext: Uint8Array) => ObjectId {
  const hmac = createHmacSha256(key);
  const kindBytes = [0, 1, 2, 3].map((kind) => Uint8Array.of(kind));
  return (kind, plaintext) => hmac(kindBytes[kind] as Uint8Array, plaintext) as ObjectId;
}
