/**
 * The local index: which objects lie in which packs, as far as this agent may trust it: packs that it made durable itself,
 * or that an index signed by its own device names. An append-only log in the cache; a torn tail is cut off.
 *
 *     block: u32 type | u32 payload length | payload | first 8 bytes of the SHA-256 of type, length and payload   (little-endian)
 *       1 pack   u8 class, 3 zero | u32 frame bytes | u32 plaintext bytes | record id 32 | directory (docs/format.md §11)
 *       2 index  record id 32 | record ids of the packs that it names
 */
import { bytesToHex, concatBytes, type Disk, type DiskFile, equalBytes } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import type { RecordId } from "@holdfast/protocol";
import { createObjectTable, DIRECTORY_ENTRY_BYTES, type ObjectTable, type PackClass } from "@holdfast/vault";

/** A durable pack. Its ordinal is its place in `packs`. */
export interface LocalPack {
  readonly recordId: RecordId;
  readonly packClass: PackClass;
  readonly frameBytes: number;
  readonly plainBytes: number;
  /** The index record that names it, or `null` when none does yet. */
  indexRecord: RecordId | null;
  /** Where its directory lies in the log. */
  readonly directoryOffset: number;
  readonly directoryBytes: number;
}

const BLOCK = { pack: 1, index: 2 } as const;
const HEAD_BYTES = 8;
const CHECK_BYTES = 8;
const PACK_HEAD_BYTES = 12 + 32;
const PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;
/** Objects that a table can grow to before the agent must be told to use more memory. */
const OBJECTS_MAX = 64 * 1024 * 1024;

export class LocalIndex implements Disposable {
  readonly packs: LocalPack[] = [];
  /** Whether the log was there and held something. */
  readonly wasEmpty: boolean;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #ordinals = new Map<string, number>();
  #length = 0;
  #table: ObjectTable | null = null;

  /** Opens the log of `epoch` below `folder`, making it when it is missing. */
  static open(disk: Disk, folder: string, epoch: number): LocalIndex {
    disk.makeFolder(folder, 0o700);
    return new LocalIndex(disk, `${folder}/index-${epoch}.log`);
  }

  private constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    this.#file = disk.makeFile(path, 0o600, "kept");
    try {
      this.#load();
    } catch (error) {
      this.#file[Symbol.dispose]();
      throw error;
    }
    this.wasEmpty = this.packs.length === 0;
  }

  /** The objects of all packs, with their ordinals. Made once, with room for `spareObjects` more without growing. */
  table(spareObjects: number): ObjectTable {
    if (this.#table !== null) return this.#table;
    const objectCount = this.packs.reduce((sum, pack) => sum + pack.directoryBytes / DIRECTORY_ENTRY_BYTES, 0);
    const table = createObjectTable(objectCount + spareObjects, Math.max(OBJECTS_MAX, objectCount * 2));
    for (const [ordinal, pack] of this.packs.entries()) {
      const directory = this.directory(pack);
      for (let at = 0; at < directory.length; at += DIRECTORY_ENTRY_BYTES) table.set(directory.subarray(at, at + 32), ordinal);
    }
    this.#table = table;
    return table;
  }

  ordinalOf(recordId: Uint8Array): number | null {
    return this.#ordinals.get(bytesToHex(recordId)) ?? null;
  }

  /** The directory of a pack, from the log. */
  directory(pack: LocalPack): Uint8Array {
    const directory = new Uint8Array(pack.directoryBytes);
    this.#file.readAt(directory, pack.directoryOffset);
    return directory;
  }

  /** Remembers a pack that is durable on the node. */
  addPack(pack: {
    readonly recordId: RecordId;
    readonly packClass: PackClass;
    readonly frameBytes: number;
    readonly plainBytes: number;
    readonly directory: Uint8Array;
  }): void {
    if (this.#ordinals.has(bytesToHex(pack.recordId))) return;
    const head = new Uint8Array(PACK_HEAD_BYTES);
    const view = new DataView(head.buffer);
    view.setUint8(0, pack.packClass);
    view.setUint32(4, pack.frameBytes, true);
    view.setUint32(8, pack.plainBytes, true);
    head.set(pack.recordId, 12);
    const offset = this.#append(BLOCK.pack, concatBytes(head, pack.directory));
    this.#note({ ...pack, indexRecord: null, directoryOffset: offset + PACK_HEAD_BYTES, directoryBytes: pack.directory.length });
  }

  /** Remembers that a durable index record names `packIds`; the log is durable afterwards. */
  addIndex(indexRecord: RecordId, packIds: readonly RecordId[]): void {
    this.#append(BLOCK.index, concatBytes(indexRecord, ...packIds));
    this.#file.sync();
    this.#noteIndex(indexRecord, packIds);
  }

  /** Packs that no index names yet. */
  unindexed(): LocalPack[] {
    return this.packs.filter((pack) => pack.indexRecord === null);
  }

  /** A log without the packs in `gone`, which the node no longer has, or without what an index in `gone` named. */
  without(gone: readonly Uint8Array[]): LocalIndex {
    const goneIds = new Set(gone.map(bytesToHex));
    const next = `${this.#path}.new`;
    this.#disk.remove(next);
    using kept = new LocalIndex(this.#disk, next);
    const byIndex = new Map<string, { record: RecordId; packs: RecordId[] }>();
    for (const pack of this.packs) {
      if (goneIds.has(bytesToHex(pack.recordId))) continue;
      kept.addPack({ ...pack, directory: this.directory(pack) });
      if (pack.indexRecord === null || goneIds.has(bytesToHex(pack.indexRecord))) continue;
      const key = bytesToHex(pack.indexRecord);
      const group = byIndex.get(key) ?? { record: pack.indexRecord, packs: [] };
      group.packs.push(pack.recordId);
      byIndex.set(key, group);
    }
    for (const group of byIndex.values()) kept.addIndex(group.record, group.packs);
    kept.sync();
    kept[Symbol.dispose]();
    this[Symbol.dispose]();
    this.#disk.rename(next, this.#path);
    return new LocalIndex(this.#disk, this.#path);
  }

  /** Makes the log durable. */
  sync(): void {
    this.#file.sync();
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #append(type: number, payload: Uint8Array): number {
    const head = new Uint8Array(HEAD_BYTES);
    const view = new DataView(head.buffer);
    view.setUint32(0, type, true);
    view.setUint32(4, payload.length, true);
    const block = concatBytes(head, payload, sha256(head, payload).subarray(0, CHECK_BYTES));
    this.#file.writeAt(block, this.#length);
    const offset = this.#length + HEAD_BYTES;
    this.#length += block.length;
    return offset;
  }

  #note(pack: LocalPack): void {
    this.#ordinals.set(bytesToHex(pack.recordId), this.packs.length);
    this.packs.push(pack);
  }

  #noteIndex(indexRecord: RecordId, packIds: readonly Uint8Array[]): void {
    for (const id of packIds) {
      const ordinal = this.ordinalOf(id);
      if (ordinal !== null) (this.packs[ordinal] as LocalPack).indexRecord = indexRecord;
    }
  }

  /** Reads the log; the first block that is not whole ends it. */
  #load(): void {
    const head = new Uint8Array(HEAD_BYTES);
    const view = new DataView(head.buffer);
    for (;;) {
      if (this.#file.readAt(head, this.#length) < head.length) break;
      const payloadBytes = view.getUint32(4, true);
      if (payloadBytes > PAYLOAD_BYTES_MAX) break;
      const rest = new Uint8Array(payloadBytes + CHECK_BYTES);
      if (this.#file.readAt(rest, this.#length + HEAD_BYTES) < rest.length) break;
      const payload = rest.subarray(0, payloadBytes);
      if (!equalBytes(sha256(head, payload).subarray(0, CHECK_BYTES), rest.subarray(payloadBytes))) break;
      this.#loadBlock(view.getUint32(0, true), payload, this.#length + HEAD_BYTES);
      this.#length += HEAD_BYTES + rest.length;
    }
    this.#file.truncate(this.#length);
  }

  #loadBlock(type: number, payload: Uint8Array, offset: number): void {
    if (type === BLOCK.pack) {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      this.#note({
        recordId: payload.slice(12, 44) as RecordId,
        packClass: view.getUint8(0) as PackClass,
        frameBytes: view.getUint32(4, true),
        plainBytes: view.getUint32(8, true),
        indexRecord: null,
        directoryOffset: offset + PACK_HEAD_BYTES,
        directoryBytes: payload.length - PACK_HEAD_BYTES,
      });
    } else if (type === BLOCK.index) {
      const packIds: Uint8Array[] = [];
      for (let at = 32; at < payload.length; at += 32) packIds.push(payload.subarray(at, at + 32));
      this.#noteIndex(payload.slice(0, 32) as RecordId, packIds);
    }
  }
}
