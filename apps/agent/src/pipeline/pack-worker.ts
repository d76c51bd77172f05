/**
 * A pack worker: takes batches, reads the files or ranges in them, cuts them into chunks and stores those. Synchronous
 * throughout; it ends when the walker is done and the ring is empty.
 */
import { CHUNK_BYTES_MAX } from "@holdfast/protocol";
import { createGear, findCut, type Gear, OBJECT_KINDS } from "@holdfast/vault";
import { EntryStats, errnoOf, type FolderHandle, type Platform, STAT_ROW_WORDS } from "../platform/index.ts";
import { BATCH_TYPES, FILE_STATUS, type FileResult, FOLDER_IDENTITY, IDENTITY, SlotReader, SlotWriter, writeResult } from "./batch.ts";
import type { ObjectStore } from "./object-store.ts";
import { openFolderDeep } from "./open-folder.ts";
import { PHASES, type SharedRun } from "./shared-memory.ts";

/** Longest file that a worker reads whole; longer ones come as ranges of one chunk each. */
export const WHOLE_FILE_BYTES_MAX = CHUNK_BYTES_MAX;
const WAIT_MS = 200;
/** Batches, of 2 MiB or some hundred files each, between two collections. */
const COLLECT_TICKETS = 1;

export interface PackWorkerOptions {
  readonly shared: SharedRun;
  readonly platform: Platform;
  readonly store: ObjectStore;
  readonly chunkerKey: Uint8Array;
  /** Called now and then: frees what reading and hashing left behind, where the runtime would let it pile up. */
  readonly collect: () => void;
}

/** Works until the phase is `finish` and nothing is left, or `abort`. */
export function runPackWorker(options: PackWorkerOptions): void {
  const { shared, store } = options;
  const worker = new PackWorker(options);
  let flushesDone = 0;
  let ticketsDone = 0;
  for (;;) {
    if (shared.phase === PHASES.abort) return;
    const ticket = shared.take();
    if (ticket !== null) {
      worker.work(ticket);
      if (++ticketsDone % COLLECT_TICKETS === 0) options.collect();
      continue;
    }
    if (shared.flushWanted > flushesDone) {
      store.flush();
      flushesDone++;
      shared.flushed();
      continue;
    }
    if (shared.phase === PHASES.finish) {
      store.flush();
      return;
    }
    shared.waitForWork(WAIT_MS);
  }
}

class PackWorker {
  readonly #shared: SharedRun;
  readonly #platform: Platform;
  readonly #store: ObjectStore;
  readonly #gear: Gear;
  // One byte more than the longest file: a full buffer says that the file grew.
  readonly #buffer = new Uint8Array(new ArrayBuffer(WHOLE_FILE_BYTES_MAX + 1));
  readonly #stats = new EntryStats(2);
  readonly #expected = new Uint32Array(IDENTITY.length);

  constructor({ shared, platform, store, chunkerKey }: PackWorkerOptions) {
    this.#shared = shared;
    this.#platform = platform;
    this.#store = store;
    this.#gear = createGear(chunkerKey);
  }

  work(ticket: number): void {
    const reader = new SlotReader(this.#shared.request(ticket));
    const writer = new SlotWriter(this.#shared.result(ticket));
    const type = reader.u8();
    for (let groups = reader.u32(); groups > 0; groups--) {
      const path = reader.bytes(reader.u16()).slice();
      const identity = FOLDER_IDENTITY.map(() => reader.u32());
      const folder = this.#openFolder(path, identity);
      if (type === BATCH_TYPES.files) this.#files(folder, reader, writer);
      else this.#ranges(folder, reader, writer);
      if (typeof folder !== "string") this.#platform.closeFolder(folder);
    }
    this.#shared.finish(ticket);
  }

  /** The folder that the walker saw under that path, or why it is not there: another one may have taken its place. */
  #openFolder(path: Uint8Array, identity: readonly number[]): FolderHandle | string {
    try {
      const folder = openFolderDeep(this.#platform, path);
      this.#platform.stat(folder, this.#stats, 0);
      if (FOLDER_IDENTITY.every((word, index) => this.#stats.words[word] === identity[index])) return folder;
      this.#platform.closeFolder(folder);
      return "ENOENT";
    } catch (error) {
      return reasonOf(error);
    }
  }

  #files(folder: FolderHandle | string, reader: SlotReader, writer: SlotWriter): void {
    for (let files = reader.u32(); files > 0; files--) {
      const name = reader.bytes(reader.u16()).slice();
      for (let word = 0; word < IDENTITY.length; word++) this.#expected[word] = reader.u32();
      writeResult(writer, typeof folder === "string" ? failed(folder) : this.#file(folder, name));
    }
  }

  /** Reads a file; when it is not what was listed, once more, so that stats and content belong together. */
  #file(folder: FolderHandle, name: Uint8Array): FileResult {
    try {
      const first = this.#platform.readSmallFileAt(folder, name, this.#buffer, this.#stats, 0);
      if (first < this.#buffer.length && this.#isExpected() && first === this.#stats.sizeBytes(0)) {
        return { status: FILE_STATUS.ok, reason: "", statWords: null, chunks: this.#cut(first) };
      }
      const second = this.#platform.readSmallFileAt(folder, name, this.#buffer, this.#stats, 1);
      if (second === this.#buffer.length) return failed("EFBIG");
      const isStill = IDENTITY.every((word) => this.#stats.words[word] === this.#stats.words[STAT_ROW_WORDS + word]) && second === this.#stats.sizeBytes(1);
      const statWords = this.#stats.words.slice(STAT_ROW_WORDS, 2 * STAT_ROW_WORDS);
      return { status: isStill ? FILE_STATUS.changed : FILE_STATUS.torn, reason: "", statWords: withSize(statWords, second), chunks: this.#cut(second) };
    } catch (error) {
      return failed(reasonOf(error));
    }
  }

  #isExpected(): boolean {
    return IDENTITY.every((word, index) => this.#stats.words[word] === this.#expected[index]);
  }

  /** Cuts and stores the first `byteCount` bytes of the buffer. */
  #cut(byteCount: number): FileResult["chunks"] {
    const chunks: { objectId: ReturnType<ObjectStore["put"]>; plainBytes: number }[] = [];
    for (let start = 0; start < byteCount; ) {
      const end = findCut(this.#buffer, start, byteCount, this.#gear);
      chunks.push({ objectId: this.#store.put(OBJECT_KINDS.chunk, this.#buffer.subarray(start, end)), plainBytes: end - start });
      start = end;
    }
    return chunks;
  }

  #ranges(folder: FolderHandle | string, reader: SlotReader, writer: SlotWriter): void {
    const name = reader.bytes(reader.u16()).slice();
    const count = reader.u32();
    const ranges = Array.from({ length: count }, () => ({ offset: reader.f64(), byteCount: reader.u32() }));
    if (typeof folder === "string") {
      for (const _ of ranges) writeResult(writer, failed(folder));
      return;
    }
    let file: ReturnType<Platform["openFileAt"]>;
    try {
      file = this.#platform.openFileAt(folder, name);
    } catch (error) {
      for (const _ of ranges) writeResult(writer, failed(reasonOf(error)));
      return;
    }
    for (const range of ranges) writeResult(writer, this.#range(file, range.offset, range.byteCount));
    this.#platform.closeFile(file);
  }

  #range(file: ReturnType<Platform["openFileAt"]>, offset: number, byteCount: number): FileResult {
    try {
      const bytes = this.#buffer.subarray(0, byteCount);
      for (let done = 0; done < byteCount; ) {
        const readBytes = this.#platform.readAt(file, bytes.subarray(done), offset + done);
        if (readBytes === 0) return failed("shrank while it was read");
        done += readBytes;
      }
      return { status: FILE_STATUS.ok, reason: "", statWords: null, chunks: [{ objectId: this.#store.put(OBJECT_KINDS.chunk, bytes), plainBytes: byteCount }] };
    } catch (error) {
      return failed(reasonOf(error));
    }
  }
}

function failed(reason: string): FileResult {
  return { status: FILE_STATUS.failed, reason, statWords: null, chunks: [] };
}

/** Errno of a platform fault; anything else is not about the file and ends the run. */
function reasonOf(error: unknown): string {
  const errno = errnoOf(error);
  if (errno === null) throw error;
  return errno;
}

/** The stats with the size that was read: what a torn file's entry must say for its content to add up. */
function withSize(words: Uint32Array, sizeBytes: number): Uint32Array {
  words[10] = sizeBytes >>> 0;
  words[11] = Math.floor(sizeBytes / 2 ** 32);
  return words;
}
