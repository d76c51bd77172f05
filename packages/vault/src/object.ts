/**
 * Objects (docs/format.md §7): plaintext with a kind, named by a keyed hash, stored raw or as one zstd frame.
 * An object is believed only after its id was computed again from what was read.
 */
import { equalBytes, Fault } from "@holdfast/base";
import { OBJECT_BYTES_MAX, type ObjectId } from "@holdfast/protocol";
import type { Compressor } from "./zstd.ts";

export const OBJECT_KINDS = { chunk: 1, tree: 2, list: 3 } as const;
export type ObjectKind = (typeof OBJECT_KINDS)[keyof typeof OBJECT_KINDS];

export const CODECS = { raw: 0, zstd: 1 } as const;
/** 2 is reserved: zstd with a dictionary of the vault. */
const CODEC_RESERVED = 2;

/** What a pack or an index holds: chunks, or trees and lists. Never both. */
export const PACK_CLASSES = { content: 1, structure: 2 } as const;
export type PackClass = (typeof PACK_CLASSES)[keyof typeof PACK_CLASSES];

/** Computes the id of an object under the vault's `object-id` key. The id is in memory of its own. */
export type ObjectIdHasher = (kind: ObjectKind, plaintext: Uint8Array) => ObjectId;

/** Takes a finished object and returns its id. `plaintext` is a view that is valid during the call only. */
export type EmitObject = (kind: ObjectKind, plaintext: Uint8Array) => ObjectId;

/** How an object lies in a pack. `offset` counts from the start of the pack's plaintext. */
export interface StoredObject {
  readonly objectId: ObjectId;
  readonly kind: ObjectKind;
  readonly codec: number;
  readonly offset: number;
  readonly storedBytes: number;
  readonly plainBytes: number;
}

/** Class of packs that an object of `kind` goes into. */
export function classOf(kind: ObjectKind): PackClass {
  return kind === OBJECT_KINDS.chunk ? PACK_CLASSES.content : PACK_CLASSES.structure;
}

/** Refuses numbers of a stored object that contradict each other, before anything is read or allocated. */
export function checkStoredObject(packClass: PackClass, kind: number, codec: number, storedBytes: number, plainBytes: number): void {
  if (kind < OBJECT_KINDS.chunk || kind > OBJECT_KINDS.list) throw new Fault("format", `stored object: kind ${kind} unknown`);
  if (classOf(kind as ObjectKind) !== packClass) throw new Fault("format", `stored object: kind ${kind} in a pack of class ${packClass}`);
  if (plainBytes > OBJECT_BYTES_MAX) throw new Fault("limit", `stored object: got ${plainBytes} bytes, want at most ${OBJECT_BYTES_MAX}`);
  if (codec > CODEC_RESERVED) throw new Fault("format", `stored object: codec ${codec} unknown`);
  if (codec === CODECS.raw ? storedBytes !== plainBytes : storedBytes >= plainBytes) {
    throw new Fault("format", `stored object: stored length ${storedBytes} does not fit codec ${codec} and plain length ${plainBytes}`);
  }
}

/**
 * Plaintext of the object whose stored bytes are `stored`: a view on them when they are raw, else fresh memory.
 * Not the object that `entry` names: `integrity`. Bytes that do not decompress to the declared length: `format`.
 */
export function openObject(entry: StoredObject, stored: Uint8Array, hashObject: ObjectIdHasher, compressor: Compressor): Uint8Array {
  checkStoredObject(classOf(entry.kind), entry.kind, entry.codec, entry.storedBytes, entry.plainBytes);
  if (stored.length !== entry.storedBytes) throw new Fault("format", `stored object: got ${stored.length} bytes, want ${entry.storedBytes}`);
  if (entry.codec === CODEC_RESERVED) throw new Fault("version", "stored object: codec 2 is of a later version");
  const plaintext = entry.codec === CODECS.raw ? stored : compressor.decompress(stored, entry.plainBytes);
  if (!equalBytes(hashObject(entry.kind, plaintext), entry.objectId)) throw new Fault("integrity", "object: does not have its id");
  return plaintext;
}
