/**
 * Writes packs (docs/format.md §11) into one buffer that is used again and again. Objects are appended behind room for the
 * directory; closing puts the directory right before them, so no object moves and the plaintext is one run of bytes.
 */
import { assert } from "@holdfast/base";
import { OBJECT_BYTES_MAX, PACK_OBJECTS_MAX, PACK_TARGET_BYTES } from "@holdfast/protocol";
import { writeU32 } from "./cbor-writer.ts";
import { checkStoredObject, type ObjectKind, type PackClass } from "./object.ts";
import { paddedPackBytes } from "./padme.ts";

/** Bytes of a directory entry: object id 32, kind 1, codec 1, zero 2, offset 4, stored length 4, plain length 4. */
export const DIRECTORY_ENTRY_BYTES = 48;
/** The directory's length before it. */
export const DIRECTORY_HEAD_BYTES = 4;

/** A closed pack, as views on the writer's buffer: valid until the writer is cleared. */
export interface ClosedPack {
  readonly packClass: PackClass;
  /** Padded plaintext. */
  readonly plaintext: Uint8Array;
  /** The directory within it: what an index is made of. */
  readonly directory: Uint8Array;
  readonly objectCount: number;
}

export interface PackWriter {
  readonly objectCount: number;
  /** Plaintext so far, without padding; 0 when there is no object. */
  readonly plainBytes: number;
  /** Whether an object of `storedBytes` may be appended. An empty writer takes any object. */
  fits(storedBytes: number): boolean;
  /** Appends an object that fits. `stored` is copied. */
  append(objectId: Uint8Array, kind: ObjectKind, codec: number, stored: Uint8Array, plainBytes: number): void;
  /** Whether all objects of `other` fit too. */
  fitsAll(other: PackWriter): boolean;
  /** Appends all objects of `other`, which is of the same class and fits. `other` keeps its own: clear it. */
  appendAll(other: PackWriter): void;
  /** Ends the pack. It has at least one object. Nothing may be appended until `clear`. */
  close(): ClosedPack;
  /** Starts the next pack. */
  clear(): void;
  /** Directory so far and stored objects so far, for `appendAll`. */
  readonly parts: { readonly directory: Uint8Array; readonly objects: Uint8Array };
}

/** Buffer that a writer of packs of up to `objectsMax` objects needs. Memory is touched only as far as packs fill it. */
export function packBufferBytes(objectsMax: number = PACK_OBJECTS_MAX): number {
  return DIRECTORY_HEAD_BYTES + objectsMax * DIRECTORY_ENTRY_BYTES + paddedPackBytes(OBJECT_BYTES_MAX + DIRECTORY_HEAD_BYTES + DIRECTORY_ENTRY_BYTES);
}

/** A writer over `buffer` of `packBufferBytes(objectsMax)` bytes, which may be shared memory. */
export function createPackWriter(packClass: PackClass, buffer: Uint8Array, objectsMax: number = PACK_OBJECTS_MAX): PackWriter {
  assert(objectsMax >= 1 && objectsMax <= PACK_OBJECTS_MAX, "pack: object limit is allowed");
  assert(buffer.length >= packBufferBytes(objectsMax), "pack: buffer is long enough");
  const objectsStart = DIRECTORY_HEAD_BYTES + objectsMax * DIRECTORY_ENTRY_BYTES;
  let objectCount = 0;
  let objectBytes = 0; // Stored objects so far. Directory entries wait at the front of the buffer with offsets relative to them.
  let isClosed = false;

  const bytesWith = (moreObjects: number, moreBytes: number): number =>
    DIRECTORY_HEAD_BYTES + (objectCount + moreObjects) * DIRECTORY_ENTRY_BYTES + objectBytes + moreBytes;
  const fits = (moreObjects: number, moreBytes: number): boolean =>
    objectCount + moreObjects <= objectsMax && bytesWith(moreObjects, moreBytes) <= PACK_TARGET_BYTES;

  return {
    get objectCount() {
      return objectCount;
    },
    get plainBytes() {
      return objectCount === 0 ? 0 : bytesWith(0, 0);
    },
    get parts() {
      return { directory: buffer.subarray(0, objectCount * DIRECTORY_ENTRY_BYTES), objects: buffer.subarray(objectsStart, objectsStart + objectBytes) };
    },
    fits: (storedBytes) => objectCount === 0 || fits(1, storedBytes),
    append(objectId, kind, codec, stored, plainBytes) {
      assert(!isClosed && this.fits(stored.length), "pack: is open and the object fits");
      checkStoredObject(packClass, kind, codec, stored.length, plainBytes);
      const at = objectCount * DIRECTORY_ENTRY_BYTES;
      buffer.set(objectId, at);
      writeFields(buffer, at + 32, kind, codec, objectBytes, stored.length, plainBytes);
      buffer.set(stored, objectsStart + objectBytes);
      objectCount++;
      objectBytes += stored.length;
    },
    fitsAll: (other) => other.objectCount === 0 || objectCount === 0 || fits(other.objectCount, other.parts.objects.length),
    appendAll(other) {
      assert(!isClosed && this.fitsAll(other), "pack: is open and the objects fit");
      const { directory, objects } = other.parts;
      const at = objectCount * DIRECTORY_ENTRY_BYTES;
      buffer.set(directory, at);
      shiftOffsets(buffer.subarray(at, at + directory.length), objectBytes);
      buffer.set(objects, objectsStart + objectBytes);
      objectCount += other.objectCount;
      objectBytes += objects.length;
    },
    close() {
      assert(!isClosed && objectCount > 0, "pack: is open and holds an object");
      isClosed = true;
      const directoryBytes = objectCount * DIRECTORY_ENTRY_BYTES;
      const directoryStart = objectsStart - directoryBytes;
      const start = directoryStart - DIRECTORY_HEAD_BYTES;
      buffer.copyWithin(directoryStart, 0, directoryBytes);
      writeU32(buffer, start, directoryBytes);
      const directory = buffer.subarray(directoryStart, objectsStart);
      shiftOffsets(directory, DIRECTORY_HEAD_BYTES + directoryBytes);
      const plainEnd = objectsStart + objectBytes;
      const paddedEnd = start + paddedPackBytes(plainEnd - start);
      buffer.fill(0, plainEnd, paddedEnd);
      return { packClass, plaintext: buffer.subarray(start, paddedEnd), directory, objectCount };
    },
    clear() {
      objectCount = 0;
      objectBytes = 0;
      isClosed = false;
    },
  };
}

/** What follows the object id in a directory entry. */
function writeFields(buffer: Uint8Array, at: number, kind: ObjectKind, codec: number, offset: number, storedBytes: number, plainBytes: number): void {
  buffer[at] = kind;
  buffer[at + 1] = codec;
  buffer[at + 2] = 0;
  buffer[at + 3] = 0;
  writeU32(buffer, at + 4, offset);
  writeU32(buffer, at + 8, storedBytes);
  writeU32(buffer, at + 12, plainBytes);
}

function shiftOffsets(directory: Uint8Array, byBytes: number): void {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  for (let at = 36; at < directory.length; at += DIRECTORY_ENTRY_BYTES) view.setUint32(at, view.getUint32(at) + byBytes);
}
