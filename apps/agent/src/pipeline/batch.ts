/**
 * Requests and results in a batch slot. Little-endian, written and read by threads of one process only.
 *
 * Request:  u8 type | u16 folder path length, bytes | 4 words of the folder (ino, dev) | items
 *   files:  u32 count, then each: u16 name length, name, 10 identity words (entry-stats.ts, `IDENTITY`)
 *   ranges: u16 name length, name, u32 count, then each: f64 offset, u32 length
 * Result:   u32 count, then each:
 *   u8 status | u16 text length, errno or reason | changed only: 64 words of a stat row | u16 chunk count, each: id 32, u32 plain length
 */
import type { ObjectId } from "@holdfast/protocol";
import { STAT_ROW_BYTES, STAT_ROW_WORDS } from "../platform/index.ts";

export const BATCH_TYPES = { files: 1, ranges: 2 } as const;
/** `ok`: read as it was listed. `changed`: read whole, but with the stats that follow. `torn`: changed again while it was read twice. `failed`: not read. */
export const FILE_STATUS = { ok: 0, failed: 1, changed: 2, torn: 3 } as const;
export type FileStatus = (typeof FILE_STATUS)[keyof typeof FILE_STATUS];

/** Words of a stat row that tell whether a file is the same: inode, size, ctime, mtime. */
export const IDENTITY = [8, 9, 10, 11, 24, 25, 26, 28, 29, 30] as const;
/** Words that name a folder: inode, device. */
export const FOLDER_IDENTITY = [8, 9, 34, 35] as const;
const ID_BYTES = 32;

/** A cursor that writes into a slot. `fits` before an item; writing beyond the slot is a RangeError, our bug. */
export class SlotWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  length = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fits(byteCount: number): boolean {
    return this.length + byteCount <= this.#bytes.length;
  }

  u8(value: number): void {
    this.#bytes[this.length++] = value;
  }

  u16(value: number): void {
    this.#view.setUint16(this.length, value, true);
    this.length += 2;
  }

  u32(value: number): void {
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  bytes(value: Uint8Array): void {
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }

  /** Sets a u32 that was written earlier. */
  patchU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  words(words: Uint32Array, at: number, indexes: readonly number[]): void {
    for (const index of indexes) this.u32(words[at + index] as number);
  }
}

/** A cursor that reads a slot. `bytes` gives views: good until the slot is given back. */
export class SlotReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#bytes[this.offset++] as number;
  }

  u16(): number {
    this.offset += 2;
    return this.#view.getUint16(this.offset - 2, true);
  }

  u32(): number {
    this.offset += 4;
    return this.#view.getUint32(this.offset - 4, true);
  }

  f64(): number {
    this.offset += 8;
    return this.#view.getFloat64(this.offset - 8, true);
  }

  bytes(length: number): Uint8Array {
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }
}

/** What a pack worker found out about one file or range. */
export interface FileResult {
  readonly status: FileStatus;
  /** Errno or reason when `failed`. */
  readonly reason: string;
  /** 64 words, for `changed` and `torn`. */
  readonly statWords: Uint32Array | null;
  readonly chunks: readonly { readonly objectId: ObjectId; readonly plainBytes: number }[];
}

/** Bytes that the result of a file with `chunkCount` chunks may take. */
export function resultBytesMax(chunkCount: number): number {
  return 1 + 2 + 64 + STAT_ROW_BYTES + 2 + chunkCount * (ID_BYTES + 4);
}

export function writeResult(writer: SlotWriter, result: FileResult): void {
  writer.u8(result.status);
  const reason = new TextEncoder().encode(result.reason).subarray(0, 64);
  writer.u16(reason.length);
  writer.bytes(reason);
  if (result.statWords !== null) for (let word = 0; word < STAT_ROW_WORDS; word++) writer.u32(result.statWords[word] as number);
  writer.u16(result.chunks.length);
  for (const chunk of result.chunks) {
    writer.bytes(chunk.objectId);
    writer.u32(chunk.plainBytes);
  }
}

export function readResult(reader: SlotReader): FileResult {
  const status = reader.u8() as FileStatus;
  const reason = new TextDecoder().decode(reader.bytes(reader.u16()).slice());
  let statWords: Uint32Array | null = null;
  if (status === FILE_STATUS.changed || status === FILE_STATUS.torn) {
    statWords = new Uint32Array(STAT_ROW_WORDS);
    for (let word = 0; word < STAT_ROW_WORDS; word++) statWords[word] = reader.u32();
  }
  const chunks = Array.from({ length: reader.u16() }, () => ({ objectId: reader.bytes(ID_BYTES).slice() as ObjectId, plainBytes: reader.u32() }));
  return { status, reason, statWords, chunks };
}
