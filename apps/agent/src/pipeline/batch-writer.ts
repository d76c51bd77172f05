/** The walker's end of the ring: fills batch slots and publishes them in order. */
import { CHUNK_BYTES_MIN } from "@holdfast/protocol";
import { BATCH_TYPES, FOLDER_IDENTITY, IDENTITY, resultBytesMax, SlotWriter } from "./batch.ts";
import type { Range } from "./big-file.ts";
import { BATCH_RESULT_BYTES, type SharedRun } from "./shared-memory.ts";

/** File bytes after which a batch goes out: enough work to be worth a hand-over, little enough to share among workers. */
const BATCH_FILE_BYTES = 2 * 1024 * 1024;
const BATCH_RANGE_BYTES = 8 * 1024 * 1024;

interface OpenBatch {
  readonly ticket: number;
  readonly type: number;
  readonly writer: SlotWriter;
  /** Whose files the group holds; compared by identity. */
  groupKey: object | null;
  groupCount: number;
  itemCountOffset: number;
  itemsInGroup: number;
  results: number;
  resultBytes: number;
  fileBytes: number;
}

/** The folder that files lie in. */
export interface BatchFolder {
  readonly path: Uint8Array;
  /** Stat words of the folder. */
  readonly words: Uint32Array;
}

export class BatchWriter {
  readonly #shared: SharedRun;
  readonly #waitForSlot: (isFree: () => boolean) => void;
  readonly #resultCounts = new Map<number, number>();
  readonly #onFirst: () => void;
  #nextTicket = 0;
  #hasPublished = false;
  #open: OpenBatch | null = null;

  /**
   * @param waitForSlot - Blocks until `isFree`, by reading results.
   * @param onFirst - Called before the first batch goes out.
   */
  constructor(shared: SharedRun, waitForSlot: (isFree: () => boolean) => void, onFirst: () => void) {
    this.#shared = shared;
    this.#waitForSlot = waitForSlot;
    this.#onFirst = onFirst;
  }

  /** Whether pack workers have been given anything. */
  get hasPublished(): boolean {
    return this.#hasPublished;
  }

  /** Results that a published ticket has; asked once. */
  resultCount(ticket: number): number {
    const count = this.#resultCounts.get(ticket) as number;
    this.#resultCounts.delete(ticket);
    return count;
  }

  /** Adds a file to be read whole; its ticket. `words` hold its stats from `at` on. */
  file(folder: BatchFolder, name: Uint8Array, words: Uint32Array, at: number, sizeBytes: number): number {
    const resultBytes = resultBytesMax(Math.ceil(sizeBytes / CHUNK_BYTES_MIN) + 1);
    const batch = this.#room(BATCH_TYPES.files, folder.path.length + 64 + name.length + 64, resultBytes);
    this.#group(batch, folder, null);
    batch.writer.u16(name.length);
    batch.writer.bytes(name);
    batch.writer.words(words, at, IDENTITY);
    this.#added(batch, resultBytes, sizeBytes, BATCH_FILE_BYTES);
    return batch.ticket;
  }

  /** Adds a range of the file called `name`; its ticket. `beforeWait` runs before it may block for a slot: what was promised so far must be known. */
  range(folder: BatchFolder, name: Uint8Array, fileKey: object, range: Range, beforeWait: () => void): number {
    const batch = this.#room(BATCH_TYPES.ranges, folder.path.length + 64 + name.length + 64, resultBytesMax(1), beforeWait);
    this.#group(batch, folder, { name, fileKey });
    batch.writer.f64(range.offset);
    batch.writer.u32(range.byteCount);
    this.#added(batch, resultBytesMax(1), range.byteCount, BATCH_RANGE_BYTES);
    return batch.ticket;
  }

  /** Sends what is open. */
  publish(): void {
    const batch = this.#open;
    if (batch === null) return;
    this.#open = null;
    batch.writer.patchU32(batch.itemCountOffset, batch.itemsInGroup);
    batch.writer.patchU32(1, batch.groupCount);
    this.#resultCounts.set(batch.ticket, batch.results);
    if (!this.#hasPublished) this.#onFirst();
    this.#hasPublished = true;
    this.#shared.publish(batch.ticket);
  }

  /** Sends the open batch when it is `ticket`. */
  publishIfOpen(ticket: number): void {
    if (this.#open?.ticket === ticket) this.publish();
  }

  #room(type: number, requestBytes: number, resultBytes: number, beforeWait: () => void = () => {}): OpenBatch {
    const open = this.#open;
    if (open !== null && open.type === type && open.writer.fits(requestBytes) && open.resultBytes + resultBytes <= BATCH_RESULT_BYTES) return open;
    this.publish();
    const ticket = this.#nextTicket++;
    beforeWait();
    if (!this.#shared.isFree(ticket)) this.#waitForSlot(() => this.#shared.isFree(ticket));
    const writer = new SlotWriter(this.#shared.request(ticket));
    writer.u8(type);
    writer.u32(0);
    this.#open = { ticket, type, writer, groupKey: null, groupCount: 0, itemCountOffset: 0, itemsInGroup: 0, results: 0, resultBytes: 0, fileBytes: 0 };
    return this.#open;
  }

  #group(batch: OpenBatch, folder: BatchFolder, file: { readonly name: Uint8Array; readonly fileKey: object } | null): void {
    const key = file?.fileKey ?? folder;
    if (batch.groupKey === key) return;
    if (batch.groupKey !== null) batch.writer.patchU32(batch.itemCountOffset, batch.itemsInGroup);
    batch.groupKey = key;
    batch.groupCount++;
    batch.itemsInGroup = 0;
    batch.writer.u16(folder.path.length);
    batch.writer.bytes(folder.path);
    batch.writer.words(folder.words, 0, FOLDER_IDENTITY);
    if (file !== null) {
      batch.writer.u16(file.name.length);
      batch.writer.bytes(file.name);
    }
    batch.itemCountOffset = batch.writer.length;
    batch.writer.u32(0);
  }

  #added(batch: OpenBatch, resultBytes: number, fileBytes: number, fileBytesMax: number): void {
    batch.itemsInGroup++;
    batch.results++;
    batch.resultBytes += resultBytes;
    batch.fileBytes += fileBytes;
    if (batch.fileBytes >= fileBytesMax) this.publish();
  }
}
