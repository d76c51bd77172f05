/** Writes pack indexes (docs/format.md §12) from the directories of packs: of packs just closed, or of packs read back when an index was lost. */
import { assert, type Bytes, copyBytes } from "@holdfast/base";
import type { Signer } from "@holdfast/crypto/signature";
import {
  type DeviceId,
  INDEX_ENTRIES_MAX,
  INDEX_FENCE_ENTRIES,
  INDEX_FLUSH_PACKS,
  INDEX_PACKS_MAX,
  PACK_OBJECTS_MAX,
  type RecordId,
  type VaultId,
} from "@holdfast/protocol";
import { writeU32 } from "./cbor-writer.ts";
import type { PackClass } from "./object.ts";
import {
  INDEX_ENTRY_BYTES,
  INDEX_FENCE_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_PACK_BYTES,
  INDEX_SIGNATURE_OFFSET,
  INDEX_VERSION,
  type IndexPack,
  indexBody,
  layoutOf,
} from "./pack-index.ts";
import { DIRECTORY_ENTRY_BYTES } from "./pack-writer.ts";

/** Length after which a writer flushes an index. */
const FLUSH_BYTES = 8 * 1024 * 1024;
const BUCKETS = 0x1_0000;
/** Buckets up to this length are sorted by insertion. */
const INSERTION_MAX = 32;

/** A durable pack and the directory that its writer or `parsePack` gave. */
export interface IndexedPack extends IndexPack {
  readonly directory: Uint8Array;
}

export interface IndexBuilder {
  readonly packCount: number;
  readonly entryCount: number;
  /** Whether a writer should build and clear now: 64 packs, 8 MiB, or no room for one more pack. */
  readonly isDue: boolean;
  /** Adds a checked pack. The directory is copied. */
  add(pack: IndexedPack): void;
  /** Record ids of the packs, in the order of their ordinals. */
  recordIds(): readonly RecordId[];
  /** Plaintext of the index record, signed by the device. */
  build(vaultId: VaultId, deviceId: DeviceId, signer: Signer): Bytes;
  clear(): void;
}

export function createIndexBuilder(packClass: PackClass): IndexBuilder {
  let packs: IndexedPack[] = [];
  let entryCount = 0;
  return {
    get packCount() {
      return packs.length;
    },
    get entryCount() {
      return entryCount;
    },
    get isDue() {
      return packs.length >= INDEX_FLUSH_PACKS || layoutOf(packClass, packs.length, entryCount).byteCount >= FLUSH_BYTES;
    },
    add(pack) {
      assert(packs.length < INDEX_PACKS_MAX && entryCount + PACK_OBJECTS_MAX <= INDEX_ENTRIES_MAX, "index: has room for a pack");
      packs.push({ recordId: pack.recordId, frameBytes: pack.frameBytes, plainBytes: pack.plainBytes, directory: copyBytes(pack.directory) });
      entryCount += pack.directory.length / DIRECTORY_ENTRY_BYTES;
    },
    recordIds: () => packs.map((pack) => pack.recordId),
    build: (vaultId, deviceId, signer) => buildIndex(packClass, packs, vaultId, deviceId, signer),
    clear() {
      packs = [];
      entryCount = 0;
    },
  };
}

function buildIndex(packClass: PackClass, packs: readonly IndexedPack[], vaultId: VaultId, deviceId: DeviceId, signer: Signer): Bytes {
  const entries = joinDirectories(packs);
  const order = sortedUnique(entries);
  const layout = layoutOf(packClass, packs.length, order.length);
  const plaintext = new Uint8Array(layout.byteCount);
  plaintext[0] = INDEX_VERSION;
  plaintext[1] = packClass;
  writeU32(plaintext, 4, packs.length);
  writeU32(plaintext, 8, order.length);
  writeU32(plaintext, 12, INDEX_FENCE_ENTRIES);
  plaintext.set(deviceId, 16);
  for (const [ordinal, pack] of packs.entries()) {
    const at = INDEX_HEADER_BYTES + ordinal * INDEX_PACK_BYTES;
    plaintext.set(pack.recordId, at);
    writeU32(plaintext, at + 32, pack.frameBytes);
    writeU32(plaintext, at + 36, pack.plainBytes);
  }
  for (const [index, entry] of order.entries()) {
    const from = entry * DIRECTORY_ENTRY_BYTES;
    const at = layout.entriesOffset + index * INDEX_ENTRY_BYTES;
    plaintext.set(entries.bytes.subarray(from, from + 32), at);
    writeU32(plaintext, at + 32, entries.ordinals[entry] as number);
    plaintext.set(entries.bytes.subarray(from + 36, from + 48), at + 36);
    plaintext[at + 48] = entries.bytes[from + 33] as number;
    plaintext[at + 49] = entries.bytes[from + 32] as number;
    if (index % INDEX_FENCE_ENTRIES === 0)
      plaintext.set(plaintext.subarray(at, at + 8), layout.fencesOffset + (index / INDEX_FENCE_ENTRIES) * INDEX_FENCE_BYTES);
  }
  plaintext.set(signer.sign("index", indexBody(plaintext, vaultId)), INDEX_SIGNATURE_OFFSET);
  return plaintext;
}

/** All directory entries one after the other, and the ordinal of the pack of each. */
interface JoinedEntries {
  readonly bytes: Uint8Array;
  readonly ordinals: Uint32Array;
}

function joinDirectories(packs: readonly IndexedPack[]): JoinedEntries {
  const byteCount = packs.reduce((sum, pack) => sum + pack.directory.length, 0);
  const bytes = new Uint8Array(byteCount);
  const ordinals = new Uint32Array(byteCount / DIRECTORY_ENTRY_BYTES);
  let at = 0;
  for (const [ordinal, pack] of packs.entries()) {
    bytes.set(pack.directory, at);
    ordinals.fill(ordinal, at / DIRECTORY_ENTRY_BYTES, (at + pack.directory.length) / DIRECTORY_ENTRY_BYTES);
    at += pack.directory.length;
  }
  return { bytes, ordinals };
}

/** Numbers of the entries in order of object ids, each id once. Ids are uniform, so buckets by two bytes leave little to sort. */
function sortedUnique({ bytes, ordinals }: JoinedEntries): Uint32Array {
  const count = ordinals.length;
  const bucketOf = (entry: number): number => ((bytes[entry * DIRECTORY_ENTRY_BYTES] as number) << 8) | (bytes[entry * DIRECTORY_ENTRY_BYTES + 1] as number);
  const ends = new Uint32Array(BUCKETS);
  for (let entry = 0; entry < count; entry++) ends[bucketOf(entry)] = (ends[bucketOf(entry)] as number) + 1;
  for (let bucket = 1; bucket < BUCKETS; bucket++) ends[bucket] = (ends[bucket] as number) + (ends[bucket - 1] as number);
  const starts = ends.slice();
  const order = new Uint32Array(count);
  for (let entry = count - 1; entry >= 0; entry--) {
    const bucket = bucketOf(entry);
    const at = (starts[bucket] as number) - 1;
    starts[bucket] = at;
    order[at] = entry;
  }
  for (let bucket = 0; bucket < BUCKETS; bucket++) sortRun(bytes, order, starts[bucket] as number, ends[bucket] as number);
  let kept = 0;
  for (let index = 0; index < count; index++) {
    if (index > 0 && compareIds(bytes, order[kept - 1] as number, order[index] as number) === 0) continue;
    order[kept++] = order[index] as number;
  }
  return order.subarray(0, kept);
}

function sortRun(bytes: Uint8Array, order: Uint32Array, start: number, end: number): void {
  if (end - start > INSERTION_MAX) {
    order.subarray(start, end).sort((left, right) => compareIds(bytes, left, right));
    return;
  }
  for (let index = start + 1; index < end; index++) {
    const entry = order[index] as number;
    let to = index;
    for (; to > start && compareIds(bytes, order[to - 1] as number, entry) > 0; to--) order[to] = order[to - 1] as number;
    order[to] = entry;
  }
}

function compareIds(bytes: Uint8Array, left: number, right: number): number {
  const leftAt = left * DIRECTORY_ENTRY_BYTES;
  const rightAt = right * DIRECTORY_ENTRY_BYTES;
  for (let index = 0; index < 32; index++) {
    const difference = (bytes[leftAt + index] as number) - (bytes[rightAt + index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
