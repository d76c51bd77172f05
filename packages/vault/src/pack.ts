/** Reads packs (docs/format.md §11): checks the directory against every rule before any object is touched. */
import { copyBytes, Fault } from "@holdfast/base";
import { FRAME_BYTES_MAX, type ObjectId, PACK_OBJECTS_MAX } from "@holdfast/protocol";
import { readU32 } from "./cbor-writer.ts";
import { checkStoredObject, type ObjectKind, type PackClass, type StoredObject } from "./object.ts";
import { DIRECTORY_ENTRY_BYTES, DIRECTORY_HEAD_BYTES } from "./pack-writer.ts";
import { paddedPackBytes } from "./padme.ts";

/** A checked pack over the caller's bytes. */
export interface Pack {
  readonly packClass: PackClass;
  readonly plaintext: Uint8Array;
  /** 48 bytes per object, in order of offsets. */
  readonly directory: Uint8Array;
  readonly objectCount: number;
}

/** Checks the opened plaintext of a pack of `packClass`. Nothing is copied. */
export function parsePack(packClass: PackClass, plaintext: Uint8Array): Pack {
  if (plaintext.length > FRAME_BYTES_MAX) throw new Fault("limit", `pack: got ${plaintext.length} bytes, want at most ${FRAME_BYTES_MAX}`);
  if (plaintext.length < DIRECTORY_HEAD_BYTES) throw new Fault("format", "pack: truncated");
  const directoryBytes = readU32(plaintext, 0);
  const objectCount = checkDirectoryBytes(directoryBytes);
  const objectsStart = DIRECTORY_HEAD_BYTES + directoryBytes;
  if (objectsStart > plaintext.length) throw new Fault("format", "pack: truncated");
  const pack: Pack = { packClass, plaintext, directory: plaintext.subarray(DIRECTORY_HEAD_BYTES, objectsStart), objectCount };
  const end = checkDirectory(packClass, pack.directory, plaintext.length);
  if (plaintext.length !== paddedPackBytes(end)) throw new Fault("format", `pack: got ${plaintext.length} bytes, want ${paddedPackBytes(end)}`);
  for (let at = end; at < plaintext.length; at++) if (plaintext[at] !== 0) throw new Fault("format", "pack: padding is not zero");
  return pack;
}

/** Number of objects in a directory of that length, for readers that fetch the directory alone. */
export function checkDirectoryBytes(directoryBytes: number): number {
  if (directoryBytes === 0 || directoryBytes % DIRECTORY_ENTRY_BYTES !== 0) throw new Fault("format", `pack: directory of ${directoryBytes} bytes`);
  const objectCount = directoryBytes / DIRECTORY_ENTRY_BYTES;
  if (objectCount > PACK_OBJECTS_MAX) throw new Fault("limit", `pack: got ${objectCount} objects, want at most ${PACK_OBJECTS_MAX}`);
  return objectCount;
}

/** Checks a directory of a pack with `plainBytes` bytes of plaintext; returns where its last object ends. */
export function checkDirectory(packClass: PackClass, directory: Uint8Array, plainBytes: number): number {
  let end = DIRECTORY_HEAD_BYTES + directory.length;
  for (let at = 0; at < directory.length; at += DIRECTORY_ENTRY_BYTES) {
    const storedBytes = readU32(directory, at + 40);
    if (directory[at + 34] !== 0 || directory[at + 35] !== 0) throw new Fault("format", "pack: reserved bytes are not zero");
    if (readU32(directory, at + 36) !== end) throw new Fault("format", "pack: gap or overlap");
    checkStoredObject(packClass, directory[at + 32] as number, directory[at + 33] as number, storedBytes, readU32(directory, at + 44));
    end += storedBytes;
    if (end > plainBytes) throw new Fault("format", "pack: truncated");
  }
  return end;
}

/** Object number `index` of a checked directory. */
export function storedObjectAt(directory: Uint8Array, index: number): StoredObject {
  const at = index * DIRECTORY_ENTRY_BYTES;
  return {
    objectId: copyBytes(directory, at, at + 32) as ObjectId,
    kind: directory[at + 32] as ObjectKind,
    codec: directory[at + 33] as number,
    offset: readU32(directory, at + 36),
    storedBytes: readU32(directory, at + 40),
    plainBytes: readU32(directory, at + 44),
  };
}

/** Stored bytes of `entry`: a view on the pack. For `openObject`. */
export function storedBytesOf(pack: Pack, entry: StoredObject): Uint8Array {
  const end = entry.offset + entry.storedBytes;
  if (end > pack.plaintext.length) throw new Fault("format", "pack: object lies outside");
  return pack.plaintext.subarray(entry.offset, end);
}
