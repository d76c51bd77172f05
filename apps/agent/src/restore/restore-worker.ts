/**
 * A restore worker: opens packs and writes what is in them. The main thread fetches, makes folders and finishes files of
 * many objects; all other files are made here whole: create, write, metadata, close.
 *
 * A new file is made under its own name and removed when something fails, which costs no rename for each of a hundred
 * thousand files; only what would be replaced is written under a name of its own first, so that the old stays until the
 * new is whole.
 */
import { parentPort } from "node:worker_threads";
import { assert, bytesToHex, equalBytes, Fault, isFault, type Random, utf8 } from "@holdfast/base";
import { createSystemRandom } from "@holdfast/base/node";
import { createObjectIdHasher } from "@holdfast/crypto/object-id";
import { syncSuiteById } from "@holdfast/crypto/suite";
import { type Compressor, createRecordOpener, OBJECT_KINDS, type ObjectIdHasher, type RecordOpener, type StoredObject } from "@holdfast/vault";
import { createZstdCompressor } from "@holdfast/vault/node";
import { collectGarbage } from "../platform/collect-garbage.ts";
import { type FileHandle, type FolderHandle, loadPlatform, type Platform } from "../platform/index.ts";
import { ByteReader } from "./byte-stream.ts";
import { FolderChain, joinNames } from "./folder-chain.ts";
import { applyMetadata, isDiskFull, readMetadata, reasonOf } from "./metadata.ts";
import { type OpenedPack, openPack } from "./opened-pack.ts";
import {
  type JobDone,
  REPLACES,
  type RestoreJob,
  type RestoreMessage,
  type RestoreRequest,
  type RestoreWorkerData,
  readObject,
  receiveJob,
  TASKS,
  type TaskFailure,
} from "./tasks.ts";

export type { RestoreWorkerData } from "./tasks.ts";

/** What is written between two collections within a job: bytes, and so many more for each file, whose making leaves as much behind. */
const COLLECT_BYTES = 4 * 1024 * 1024;
const COLLECT_BYTES_PER_FILE = 8 * 1024;

/** Runs as a thread until the main thread ends it. Jobs are done one after the other, in the order they come. */
export async function runRestoreWorker(data: RestoreWorkerData): Promise<void> {
  const port = parentPort;
  assert(port !== null, "restore worker: has a parent");
  const post = (message: RestoreMessage): void => port.postMessage(message);
  try {
    const worker = await createRestoreWorker(data);
    let queue = Promise.resolve();
    const answer = async (request: RestoreRequest): Promise<RestoreMessage> => {
      if (request.type === "job") return worker.run(receiveJob(request));
      worker[Symbol.dispose](); // Native handles belong to the process: nobody closes them when the thread ends.
      return { type: "ended" };
    };
    port.on("message", (request: RestoreRequest) => {
      queue = queue.then(() => answer(request)).then(post, (error: unknown) => post(broken(error)));
    });
    post({ type: "ready" });
  } catch (error) {
    post(broken(error));
  }
}

/** The work of a thread, for a caller that has its own loop. */
export async function createRestoreWorker(data: RestoreWorkerData): Promise<RestoreWorker> {
  const { platform } = loadPlatform({ preferNative: data.preferNative });
  return new RestoreWorker(data, platform, await createZstdCompressor(), createSystemRandom());
}

function broken(error: unknown): RestoreMessage {
  return { type: "broken", message: error instanceof Error ? error.message : String(error), stack: error instanceof Error ? (error.stack ?? "") : "" };
}

/** A name that nothing has: for what takes its place when it is whole. */
export function temporaryName(random: Random): Uint8Array {
  return utf8(`.holdfast-${bytesToHex(random.bytes(8))}`);
}

export class RestoreWorker implements Disposable {
  readonly #data: RestoreWorkerData;
  readonly #platform: Platform;
  readonly #compressor: Compressor;
  readonly #random: Random;
  readonly #opener: RecordOpener;
  readonly #hashObject: ObjectIdHasher;
  readonly #folders: FolderChain;
  /** For reading back. */
  #buffer = new Uint8Array(new ArrayBuffer(64 * 1024));

  constructor(data: RestoreWorkerData, platform: Platform, compressor: Compressor, random: Random) {
    this.#data = data;
    this.#platform = platform;
    this.#compressor = compressor;
    this.#random = random;
    this.#opener = createRecordOpener(data.vault, (epoch) => (epoch === data.keys.epoch ? data.keys : null), syncSuiteById);
    this.#hashObject = createObjectIdHasher(data.keys.objectId);
    this.#folders = new FolderChain(platform, data.target);
  }

  /** Does what the job says. Its buffers are given away: they are empty afterwards. */
  async run(job: RestoreJob): Promise<JobDone> {
    const report = new JobReport(job.job);
    using pack = await openPack(job, this.#opener, this.#hashObject, this.#compressor);
    const reader = new ByteReader(job.tasks);
    let folder: Uint8Array = new Uint8Array(0);
    while (!reader.isAtEnd && !report.diskFull) {
      const type = reader.u8();
      if (type === TASKS.folder) folder = reader.bytes().slice();
      else if (type === TASKS.file || type === TASKS.empty) await this.#file(type, reader, folder, pack, report);
      else if (type === TASKS.part) await this.#part(reader, pack, report);
      else await this.#check(reader, folder, report);
      if (report.collectIsDue()) collectGarbage();
    }
    collectGarbage();
    return report.done();
  }

  [Symbol.dispose](): void {
    this.#folders[Symbol.dispose]();
  }

  async #file(type: number, reader: ByteReader, folder: Uint8Array, pack: OpenedPack, report: JobReport): Promise<void> {
    const name = reader.bytes();
    const replaces = reader.u8() === REPLACES;
    const metadata = readMetadata(reader);
    const object = type === TASKS.file ? readObject(reader) : null;
    try {
      // Read first: a file of which nothing can be written is not even made.
      const content = object === null ? null : await pack.read(object);
      const handle = this.#folders.open(folder);
      const writeName = replaces ? temporaryName(this.#random) : name;
      const file = this.#platform.createFileAt(handle, writeName, metadata.mode);
      let isOpen = true;
      try {
        if (content !== null) this.#platform.writeAt(file, content, 0);
        applyMetadata(this.#platform, file, metadata, true, (reason) => report.warn(joinNames(folder, name), reason));
        isOpen = false;
        this.#platform.closeFile(file);
        if (object !== null && this.#data.verify) this.#readBack(handle, writeName, 0, object);
        if (replaces) this.#platform.renameAt(handle, writeName, handle, name);
      } catch (error) {
        this.#abandon(handle, writeName, isOpen ? file : null);
        throw error;
      }
      report.wrote(1, content?.length ?? 0);
    } catch (error) {
      report.failed(error, joinNames(folder, name), -1);
    }
  }

  async #part(reader: ByteReader, pack: OpenedPack, report: JobReport): Promise<void> {
    const handle = reader.u32() as FileHandle;
    const file = reader.u32();
    const position = reader.f64();
    const object = readObject(reader);
    try {
      const content = await pack.read(object);
      this.#platform.writeAt(handle, content, position);
      report.wrote(0, content.length);
    } catch (error) {
      report.failed(error, null, file);
    }
  }

  async #check(reader: ByteReader, folder: Uint8Array, report: JobReport): Promise<void> {
    const name = reader.bytes();
    const file = reader.u32();
    const position = reader.f64();
    const object = readObject(reader);
    try {
      this.#readBack(this.#folders.open(folder), name, position, object);
    } catch (error) {
      report.failed(error, null, file);
    }
  }

  /** Reads an object out of a file. It does not have its id: `integrity`. */
  #readBack(folder: FolderHandle, name: Uint8Array, position: number, object: StoredObject): void {
    const { plainBytes, objectId } = object;
    if (this.#buffer.length < plainBytes) this.#buffer = new Uint8Array(new ArrayBuffer(plainBytes));
    const file = this.#platform.openFileAt(folder, name);
    try {
      let filled = 0;
      while (filled < plainBytes) {
        const more = this.#platform.readAt(file, this.#buffer.subarray(filled, plainBytes), position + filled);
        if (more === 0) break;
        filled += more;
      }
      const isWhole = filled === plainBytes && equalBytes(this.#hashObject(OBJECT_KINDS.chunk, this.#buffer.subarray(0, plainBytes)), objectId);
      if (!isWhole) throw new Fault("integrity", "file: does not read back as it was written");
    } finally {
      this.#platform.closeFile(file);
    }
  }

  /** Takes back what was begun; what cannot be taken back changes nothing about the failure that is reported. */
  #abandon(folder: FolderHandle, name: Uint8Array, file: FileHandle | null): void {
    try {
      if (file !== null) this.#platform.closeFile(file);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
    try {
      this.#platform.removeAt(folder, name);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }
}

class JobReport {
  readonly #job: number;
  readonly #failures: TaskFailure[] = [];
  readonly #warnings: { path: Uint8Array; reason: string }[] = [];
  #files = 0;
  #bytes = 0;
  #collectedBytes = 0;
  diskFull = false;

  constructor(job: number) {
    this.#job = job;
  }

  wrote(files: number, bytes: number): void {
    this.#files += files;
    this.#bytes += bytes;
  }

  /** Whether `COLLECT_BYTES` more were written since this last said so. */
  collectIsDue(): boolean {
    const bytes = this.#bytes + this.#files * COLLECT_BYTES_PER_FILE;
    if (bytes - this.#collectedBytes < COLLECT_BYTES) return false;
    this.#collectedBytes = bytes;
    return true;
  }

  warn(path: Uint8Array, reason: string): void {
    this.#warnings.push({ path: path.slice(), reason }); // A view would take all tasks along.
  }

  failed(error: unknown, path: Uint8Array | null, file: number): void {
    if (!isFault(error)) throw error;
    if (isDiskFull(error)) this.diskFull = true;
    else this.#failures.push({ path: path?.slice() ?? null, file, reason: reasonOf(error) });
  }

  done(): JobDone {
    return {
      type: "done",
      job: this.#job,
      files: this.#files,
      bytes: this.#bytes,
      failures: this.#failures,
      warnings: this.#warnings,
      diskFull: this.diskFull,
    };
  }
}
