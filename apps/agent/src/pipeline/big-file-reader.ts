/** Starts big files, and reads files in the walker's own thread when the workers' reading did not fit what was listed. */
import type { ContentBuilder, EmitObject, ObjectKind } from "@holdfast/vault";
import { createContentBuilder, ENTRY_FLAGS, OBJECT_KINDS } from "@holdfast/vault";
import { EntryStats, errnoOf, type FileHandle, type FolderHandle, type Platform, STAT_ROW_WORDS } from "../platform/index.ts";
import { IDENTITY } from "./batch.ts";
import type { BatchFolder, BatchWriter } from "./batch-writer.ts";
import { BigFile, type FileCutter } from "./big-file.ts";
import type { ObjectStore } from "./object-store.ts";
import { joinPath, openFolderDeep } from "./open-folder.ts";
import { type AssemblerEvent, type EntryDraft, type FileOutcome, type Redraft, withContent, withFlags } from "./tree-assembler.ts";

export interface BigFileReaderOptions {
  readonly platform: Platform;
  readonly cutter: FileCutter;
  readonly batches: BatchWriter;
  readonly push: (event: AssemblerEvent) => void;
  readonly emitList: EmitObject;
  readonly content: () => ObjectStore;
  readonly onFailure: (path: Uint8Array, reason: string) => void;
}

const SLASH = 0x2f;
const CHANGED = "changed while it was read";
/** Most results that one event waits for: they are read together. */
const PART_RANGES_MAX = 64;

export class BigFileReader {
  readonly #options: BigFileReaderOptions;
  readonly #chunk = new Uint8Array(new ArrayBuffer(4 * 1024 * 1024));

  constructor(options: BigFileReaderOptions) {
    this.#options = options;
  }

  /** Cuts the file and hands its ranges out. Faults of opening are the caller's. */
  start(folder: FolderHandle, batchFolder: BatchFolder, draft: EntryDraft, redraft: Redraft): void {
    const { platform, cutter, batches, push } = this.#options;
    const { name } = draft.entry;
    const handle = platform.openFileAt(folder, name);
    const stats = new EntryStats(1);
    platform.stat(handle, stats, 0);
    const file = this.#bigFile(joinPath(batchFolder.path, name), handle, redraft(stats.words.slice(0, STAT_ROW_WORDS)), redraft, stats);
    let part = { ticket: -1, count: 0 };
    const pushPart = (): void => {
      if (part.count > 0) push({ type: "part", ticket: part.ticket, count: part.count, file });
    };
    for (const range of cutter.ranges(handle, stats.sizeBytes(0), isSparse(stats))) {
      file.expect(range);
      if (range.isHole) continue;
      const ticket = batches.range(batchFolder, name, file, range, () => {
        pushPart();
        part = { ticket: -1, count: 0 };
      });
      if (ticket !== part.ticket || part.count >= PART_RANGES_MAX) {
        pushPart();
        part = { ticket, count: 0 };
      }
      part.count++;
    }
    pushPart();
    push({ type: "big", file });
  }

  /** All results are in: if the file is still what it was, this is its content; else it is read once more, here. */
  finish(file: BigFile): FileOutcome {
    const after = new EntryStats(1);
    const { platform } = this.#options;
    platform.stat(file.handle, after, 0);
    const { content, ids } = file.finish();
    const isSame = file.failure === null && isSameFile(file.statsBefore, after);
    if (isSame) {
      platform.closeFile(file.handle);
      return { draft: withContent(file.draft, content), ids };
    }
    return this.#readOpen(file.path, file.handle, file.redraft);
  }

  /** Reads the file at `path` whole. */
  readNow(path: Uint8Array, redraft: Redraft): FileOutcome {
    const { platform, onFailure } = this.#options;
    try {
      const end = path.lastIndexOf(SLASH);
      const folder = openFolderDeep(platform, end === 0 ? path.subarray(0, 1) : path.subarray(0, end));
      try {
        return this.#readOpen(path, platform.openFileAt(folder, path.subarray(end + 1)), redraft);
      } finally {
        platform.closeFolder(folder);
      }
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      onFailure(path, errno);
      return { draft: null, ids: new Uint8Array(0) };
    }
  }

  /** One pass over an open file, stored by the walker. A change during it is flagged: this was the second reading. */
  #readOpen(path: Uint8Array, handle: FileHandle, redraft: Redraft): FileOutcome {
    const { platform, cutter, onFailure } = this.#options;
    const before = new EntryStats(1);
    const after = new EntryStats(1);
    try {
      platform.stat(handle, before, 0);
      const words = before.words.slice(0, STAT_ROW_WORDS);
      const file = this.#bigFile(path, handle, redraft(words), redraft, before);
      let readBytes = 0;
      for (const range of cutter.ranges(handle, before.sizeBytes(0), isSparse(before))) {
        const storedBytes = range.isHole ? range.byteCount : this.#storeRange(file, range.offset, range.byteCount);
        if (range.isHole) file.addHole(range.byteCount);
        readBytes += storedBytes;
        if (storedBytes < range.byteCount) break;
      }
      platform.stat(handle, after, 0);
      const { content, ids } = file.finish();
      if (isSameFile(before, after) && readBytes === before.sizeBytes(0)) return { draft: withContent(file.draft, content), ids };
      onFailure(path, CHANGED);
      // The entry says the size that was read, so that its content adds up.
      words[10] = readBytes >>> 0;
      words[11] = Math.floor(readBytes / 2 ** 32);
      return { draft: withFlags(redraft(words), ENTRY_FLAGS.changedWhileRead, content), ids };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      onFailure(path, errno);
      return { draft: withFlags(redraft(before.words.slice(0, STAT_ROW_WORDS)), ENTRY_FLAGS.contentMissing, null), ids: new Uint8Array(0) };
    } finally {
      platform.closeFile(handle);
    }
  }

  #storeRange(file: BigFile, offset: number, byteCount: number): number {
    let done = 0;
    while (done < byteCount) {
      const readBytes = this.#options.platform.readAt(file.handle, this.#chunk.subarray(done, byteCount), offset + done);
      if (readBytes === 0) break;
      done += readBytes;
    }
    if (done > 0) file.addChunk(this.#options.content().put(OBJECT_KINDS.chunk, this.#chunk.subarray(0, done)), done);
    return done;
  }

  #bigFile(path: Uint8Array, handle: FileHandle, draft: EntryDraft, redraft: Redraft, stats: EntryStats): BigFile {
    const lists: { file: BigFile | null } = { file: null };
    const content: ContentBuilder = createContentBuilder((kind: ObjectKind, plaintext: Uint8Array) => {
      const id = this.#options.emitList(kind, plaintext);
      lists.file?.noteList(id);
      return id;
    });
    lists.file = new BigFile(path, handle, draft, redraft, stats, content);
    return lists.file;
  }
}

function isSameFile(before: EntryStats, after: EntryStats): boolean {
  return IDENTITY.every((word) => before.words[word] === after.words[word]);
}

function isSparse(stats: EntryStats): boolean {
  return stats.blocks512(0) * 512 + 4_096 < stats.sizeBytes(0);
}
