/**
 * Reads pack indexes (docs/format.md §12): binary, sorted by object id, looked up in place. A reader of ranges takes the
 * header and the fences first and then one or two runs of entries.
 */
import { copyBytes, Fault } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import type { Verifier } from "@holdfast/crypto/signature";
import {
  type DeviceId,
  FRAME_BYTES_MAX,
  INDEX_ENTRIES_MAX,
  INDEX_FENCE_ENTRIES,
  INDEX_PACKS_MAX,
  type ObjectId,
  type RecordId,
  type VaultId,
} from "@holdfast/protocol";
import { readU32 } from "./cbor-writer.ts";
import { checkStoredObject, type ObjectKind, type PackClass, type StoredObject } from "./object.ts";
import { DIRECTORY_ENTRY_BYTES, DIRECTORY_HEAD_BYTES } from "./pack-writer.ts";

export const INDEX_VERSION = 1;
/** Version 1, class 1, zero 2, pack count 4, entry count 4, fence interval 4, device id 16, signature 64. */
export const INDEX_HEADER_BYTES = 96;
/** Start of the signature, which ends the header: what is before it and after it is signed. */
export const INDEX_SIGNATURE_OFFSET = 32;
/** Record id 32, frame length 4, length of the pack's plaintext 4. */
export const INDEX_PACK_BYTES = 40;
export const INDEX_FENCE_BYTES = 8;
/** Object id 32, pack ordinal 4, offset 4, stored length 4, plain length 4, codec 1, kind 1, zero 2. */
export const INDEX_ENTRY_BYTES = 52;

/** Where the parts of an index lie, from its header alone. */
export interface IndexLayout {
  readonly packClass: PackClass;
  readonly packCount: number;
  readonly entryCount: number;
  readonly fencesOffset: number;
  readonly entriesOffset: number;
  readonly byteCount: number;
}

/** A pack as an index names it. */
export interface IndexPack {
  readonly recordId: RecordId;
  readonly frameBytes: number;
  /** Padded plaintext. */
  readonly plainBytes: number;
}

/** An object as an index names it. */
export interface IndexEntry extends StoredObject {
  readonly packOrdinal: number;
}

/** A checked index over the caller's bytes. Its signature is checked by `verifyIndex`, where that matters. */
export interface PackIndex extends IndexLayout {
  readonly plaintext: Uint8Array;
  readonly deviceId: DeviceId;
}

/** Checks the opened plaintext of an index record of `packClass`. Nothing is copied. */
export function parseIndex(packClass: PackClass, plaintext: Uint8Array): PackIndex {
  const layout = parseIndexHeader(packClass, plaintext);
  if (plaintext.length !== layout.byteCount) throw new Fault("format", `index: got ${plaintext.length} bytes, want ${layout.byteCount}`);
  const index: PackIndex = { ...layout, plaintext, deviceId: copyBytes(plaintext, 16, 32) as DeviceId };
  for (let ordinal = 0; ordinal < index.packCount; ordinal++) {
    if (indexPackAt(index, ordinal).plainBytes > FRAME_BYTES_MAX) throw new Fault("limit", `index: pack over ${FRAME_BYTES_MAX} bytes`);
  }
  for (let at = 0; at < index.entryCount; at++) checkEntry(index, at);
  return index;
}

/** Layout by the first 96 bytes of an index. */
export function parseIndexHeader(packClass: PackClass, header: Uint8Array): IndexLayout {
  if (header.length < INDEX_HEADER_BYTES) throw new Fault("format", "index: truncated");
  if (header[0] !== INDEX_VERSION) throw new Fault("version", `index: version ${header[0]} unknown`);
  if (header[1] !== packClass) throw new Fault("format", `index: got class ${header[1]}, want ${packClass}`);
  if (header[2] !== 0 || header[3] !== 0) throw new Fault("format", "index: reserved bytes are not zero");
  const packCount = readU32(header, 4);
  const entryCount = readU32(header, 8);
  if (packCount > INDEX_PACKS_MAX) throw new Fault("limit", `index: got ${packCount} packs, want at most ${INDEX_PACKS_MAX}`);
  if (entryCount > INDEX_ENTRIES_MAX) throw new Fault("limit", `index: got ${entryCount} entries, want at most ${INDEX_ENTRIES_MAX}`);
  if (readU32(header, 12) !== INDEX_FENCE_ENTRIES) throw new Fault("format", "index: fence interval unknown");
  return layoutOf(packClass, packCount, entryCount);
}

/** Layout of an index of so many packs and entries. */
export function layoutOf(packClass: PackClass, packCount: number, entryCount: number): IndexLayout {
  const fencesOffset = INDEX_HEADER_BYTES + packCount * INDEX_PACK_BYTES;
  const entriesOffset = fencesOffset + Math.ceil(entryCount / INDEX_FENCE_ENTRIES) * INDEX_FENCE_BYTES;
  return { packClass, packCount, entryCount, fencesOffset, entriesOffset, byteCount: entriesOffset + entryCount * INDEX_ENTRY_BYTES };
}

/** Whether the index is signed by the device of `verifier` for this vault. What is not must not be used for dedup. */
export function verifyIndex(index: PackIndex, vaultId: VaultId, verifier: Verifier): boolean {
  const signature = copyBytes(index.plaintext, INDEX_SIGNATURE_OFFSET, INDEX_HEADER_BYTES);
  return verifier.verify("index", indexBody(index.plaintext, vaultId), signature);
}

/** What the signature of an index is over: `vault id ‖ H(bytes 0–31 ‖ bytes 96–end)`. */
export function indexBody(plaintext: Uint8Array, vaultId: VaultId): Uint8Array {
  const body = new Uint8Array(vaultId.length + 32);
  body.set(vaultId);
  body.set(sha256(plaintext.subarray(0, INDEX_SIGNATURE_OFFSET), plaintext.subarray(INDEX_HEADER_BYTES)), vaultId.length);
  return body;
}

/** Pack number `ordinal`, which is below `packCount`. */
export function indexPackAt(index: PackIndex, ordinal: number): IndexPack {
  const at = INDEX_HEADER_BYTES + ordinal * INDEX_PACK_BYTES;
  return {
    recordId: copyBytes(index.plaintext, at, at + 32) as RecordId,
    frameBytes: readU32(index.plaintext, at + 32),
    plainBytes: readU32(index.plaintext, at + 36),
  };
}

/** Entry number `at`, which is below `entryCount`. */
export function indexEntryAt(index: PackIndex, at: number): IndexEntry {
  return readIndexEntry(index.plaintext, index.entriesOffset + at * INDEX_ENTRY_BYTES);
}

/** Object id of entry number `at`, as a view. */
export function indexObjectIdAt(index: PackIndex, at: number): Uint8Array {
  const offset = index.entriesOffset + at * INDEX_ENTRY_BYTES;
  return index.plaintext.subarray(offset, offset + 32);
}

/** Pack ordinal of entry number `at`. */
export function indexPackOrdinalAt(index: PackIndex, at: number): number {
  return readU32(index.plaintext, index.entriesOffset + at * INDEX_ENTRY_BYTES + 32);
}

/** Number of the entry of `objectId`, or -1. */
export function findInIndex(index: PackIndex, objectId: Uint8Array): number {
  return findInEntries(index.plaintext, index.entriesOffset, index.entryCount, objectId);
}

/**
 * Entries that may hold `objectId`, as `[first, end)`, by the fences: for a reader that then fetches only those.
 * Empty when the id sorts before everything.
 */
export function fencedEntries(layout: IndexLayout, fences: Uint8Array, objectId: Uint8Array): { readonly first: number; readonly end: number } {
  const fenceCount = Math.ceil(layout.entryCount / INDEX_FENCE_ENTRIES);
  // Ids with the same first 8 bytes may lie before the fence of that value too, so the run begins at the last smaller fence.
  const below = countFences(fences, fenceCount, objectId, false);
  const upTo = countFences(fences, fenceCount, objectId, true);
  return { first: Math.max(0, below - 1) * INDEX_FENCE_ENTRIES, end: Math.min(layout.entryCount, upTo * INDEX_FENCE_ENTRIES) };
}

/** Finds `objectId` in a run of entries that was fetched alone. `null` when it is not among them. */
export function findInRun(run: Uint8Array, objectId: Uint8Array): IndexEntry | null {
  const at = findInEntries(run, 0, Math.floor(run.length / INDEX_ENTRY_BYTES), objectId);
  return at === -1 ? null : readIndexEntry(run, at * INDEX_ENTRY_BYTES);
}

/** Fences below `objectId`, or with `orEqual` not above it. */
function countFences(fences: Uint8Array, fenceCount: number, objectId: Uint8Array, orEqual: boolean): number {
  let low = 0;
  let high = fenceCount;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareAt(fences, middle * INDEX_FENCE_BYTES, objectId, INDEX_FENCE_BYTES);
    if (order < 0 || (orEqual && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function findInEntries(bytes: Uint8Array, entriesOffset: number, entryCount: number, objectId: Uint8Array): number {
  let low = 0;
  let high = entryCount;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareAt(bytes, entriesOffset + middle * INDEX_ENTRY_BYTES, objectId, 32);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}

/** Order of `bytes` from `at` on against `key`, over `length` bytes. */
function compareAt(bytes: Uint8Array, at: number, key: Uint8Array, length: number): number {
  for (let index = 0; index < length; index++) {
    const difference = (bytes[at + index] as number) - (key[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

function readIndexEntry(bytes: Uint8Array, at: number): IndexEntry {
  return {
    objectId: copyBytes(bytes, at, at + 32) as ObjectId,
    packOrdinal: readU32(bytes, at + 32),
    offset: readU32(bytes, at + 36),
    storedBytes: readU32(bytes, at + 40),
    plainBytes: readU32(bytes, at + 44),
    codec: bytes[at + 48] as number,
    kind: bytes[at + 49] as ObjectKind,
  };
}

function checkEntry(index: PackIndex, entryIndex: number): void {
  const { plaintext } = index;
  const at = index.entriesOffset + entryIndex * INDEX_ENTRY_BYTES;
  if (plaintext[at + 50] !== 0 || plaintext[at + 51] !== 0) throw new Fault("format", "index: reserved bytes are not zero");
  if (entryIndex > 0 && compareAt(plaintext, at, plaintext.subarray(at - INDEX_ENTRY_BYTES, at), 32) <= 0)
    throw new Fault("format", "index: entries not in order");
  const fenceAt = index.fencesOffset + (entryIndex / INDEX_FENCE_ENTRIES) * INDEX_FENCE_BYTES;
  if (entryIndex % INDEX_FENCE_ENTRIES === 0 && compareAt(plaintext, at, plaintext.subarray(fenceAt, fenceAt + INDEX_FENCE_BYTES), INDEX_FENCE_BYTES) !== 0) {
    throw new Fault("format", "index: fence does not match its entry");
  }
  const ordinal = readU32(plaintext, at + 32);
  if (ordinal >= index.packCount) throw new Fault("format", `index: got pack ordinal ${ordinal}, want less than ${index.packCount}`);
  const offset = readU32(plaintext, at + 36);
  const storedBytes = readU32(plaintext, at + 40);
  const packBytes = readU32(plaintext, INDEX_HEADER_BYTES + ordinal * INDEX_PACK_BYTES + 36);
  if (offset < DIRECTORY_HEAD_BYTES + DIRECTORY_ENTRY_BYTES || offset + storedBytes > packBytes)
    throw new Fault("format", "index: object lies outside its pack");
  checkStoredObject(index.packClass, plaintext[at + 49] as number, plaintext[at + 48] as number, storedBytes, readU32(plaintext, at + 44));
}
