/**
 * A file longer than one chunk, or with holes: the walker finds its cuts, pack workers read and store the ranges, and the
 * content comes together here as their results arrive in order.
 */

import type { ObjectId } from "@holdfast/protocol";
import type { Content, ContentBuilder, Cutter } from "@holdfast/vault";
import type { EntryStats, FileHandle, Platform } from "../platform/index.ts";
import { FILE_STATUS, type FileResult } from "./batch.ts";
import { IdList } from "./id-list.ts";
import type { EntryDraft, Redraft } from "./tree-assembler.ts";

const WINDOW_BYTES = 1024 * 1024;

/** A run of data to store as one chunk, or a hole. */
export interface Range {
  readonly offset: number;
  readonly byteCount: number;
  readonly isHole: boolean;
}

/** Cuts an open file. One for the whole run: its window is used again. */
export class FileCutter {
  readonly #platform: Platform;
  readonly #cutter: Cutter;
  readonly #window = new Uint8Array(new ArrayBuffer(WINDOW_BYTES));

  constructor(platform: Platform, cutter: Cutter) {
    this.#platform = platform;
    this.#cutter = cutter;
  }

  /** The ranges of the first `sizeBytes` bytes, in order, holes included. A file that ends early yields what there is. */
  *ranges(file: FileHandle, sizeBytes: number, isSparse: boolean): Generator<Range> {
    let end = 0;
    const extents = isSparse ? this.#platform.dataExtents(file, sizeBytes) : [{ offset: 0, byteCount: sizeBytes }];
    for (const extent of extents) {
      if (extent.offset > end) yield { offset: end, byteCount: extent.offset - end, isHole: true };
      yield* this.#cut(file, extent.offset, extent.byteCount);
      end = extent.offset + extent.byteCount;
    }
    if (end < sizeBytes) yield { offset: end, byteCount: sizeBytes - end, isHole: true };
  }

  *#cut(file: FileHandle, start: number, byteCount: number): Generator<Range> {
    const end = start + byteCount;
    let chunkStart = start;
    let at = start;
    while (at < end) {
      // Bytes that cannot hold a cut need not be read: the workers will.
      const skipped = Math.min(this.#cutter.skippableBytes, end - at);
      this.#cutter.skip(skipped);
      at += skipped;
      const readBytes = at < end ? this.#platform.readAt(file, this.#window.subarray(0, Math.min(WINDOW_BYTES, end - at)), at) : 0;
      if (readBytes === 0) break;
      const lengths: number[] = [];
      // A cut inside the window makes the bytes after it skippable: the rest is read again from there only if it is needed.
      this.#cutter.push(this.#window, 0, readBytes, (length) => lengths.push(length));
      at += readBytes;
      for (const length of lengths) {
        yield { offset: chunkStart, byteCount: length, isHole: false };
        chunkStart += length;
      }
    }
    const last = this.#cutter.finish();
    if (last > 0) yield { offset: chunkStart, byteCount: last, isHole: false };
  }
}

/** One such file on its way. */
export class BigFile {
  readonly path: Uint8Array;
  readonly handle: FileHandle;
  readonly draft: EntryDraft;
  readonly redraft: Redraft;
  readonly #content: ContentBuilder;
  /** Ranges whose results are to come, in order; holes in between are known. */
  readonly #pending: Range[] = [];
  readonly #ids = new IdList();
  #failure: string | null = null;
  /** Stats right after the file was opened, before a byte was read. */
  readonly statsBefore: EntryStats;

  constructor(path: Uint8Array, handle: FileHandle, draft: EntryDraft, redraft: Redraft, statsBefore: EntryStats, content: ContentBuilder) {
    this.path = path;
    this.handle = handle;
    this.draft = draft;
    this.redraft = redraft;
    this.statsBefore = statsBefore;
    this.#content = content;
  }

  get failure(): string | null {
    return this.#failure;
  }

  expect(range: Range): void {
    this.#pending.push(range);
  }

  /** The result of the next range that is not a hole. */
  take(result: FileResult): void {
    this.#holes();
    const range = this.#pending.shift();
    const chunk = result.chunks[0];
    if (range === undefined || result.status === FILE_STATUS.failed || chunk === undefined) {
      this.#failure ??= result.reason;
      return;
    }
    this.addChunk(chunk.objectId, chunk.plainBytes);
  }

  addChunk(objectId: ObjectId, plainBytes: number): void {
    this.#content.addChunk(objectId, plainBytes);
    this.#ids.push(objectId);
  }

  addHole(plainBytes: number): void {
    this.#content.addHole(plainBytes);
  }

  /** A list object of this file's content. */
  noteList(objectId: ObjectId): void {
    this.#ids.push(objectId);
  }

  finish(): { readonly content: Content | null; readonly ids: Uint8Array } {
    this.#holes();
    const content = this.#content.finish();
    return { content: content.items !== null && content.items.length === 0 ? null : content, ids: this.#ids.joined() };
  }

  #holes(): void {
    while (this.#pending[0]?.isHole) this.addHole((this.#pending.shift() as Range).byteCount);
  }
}
