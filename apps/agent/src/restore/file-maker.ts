/**
 * Files that the main thread has open while workers write their parts: of several objects, with holes, or with several
 * names. Each is made under a name of its own and takes its true name when it is whole, so that even a crash leaves
 * nothing half-written under a name that means something.
 */
import { assertDefined, isFault, type Random } from "@holdfast/base";
import type { Platform } from "../platform/index.ts";
import type { FolderMaker } from "./folder-maker.ts";
import { applyMetadata, isDiskFull, reasonOf } from "./metadata.ts";
import { type FileState, pathIn } from "./plan.ts";
import type { Report } from "./report.ts";
import { temporaryName } from "./restore-worker.ts";

/** Files that may be open at once: far below the usual limit of 1,024 handles. */
export const OPEN_FILES_MAX = 192;
const UNFINISHED_MODE = 0o600;

export interface FileMakerOptions {
  readonly platform: Platform;
  readonly folders: FolderMaker;
  readonly random: Random;
  readonly report: Report;
  /** Reads the file called `name` back; a reason why it is not as it should be, or `null`. */
  readonly check: ((file: FileState, name: Uint8Array) => Promise<string | null>) | null;
  /** The file is done, well or not. */
  onSettled(file: FileState): void;
}

export class FileMaker {
  readonly #options: FileMakerOptions;
  readonly #open = new Set<FileState>();

  constructor(options: FileMakerOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#open.size < OPEN_FILES_MAX;
  }

  /** Makes the file, at its full length. A failure becomes the file's; a full disk is thrown. */
  open(file: FileState): void {
    const { platform, folders, random } = this.#options;
    try {
      const folder = folders.openToFinish(file.folder.path);
      const name = temporaryName(random);
      file.handle = platform.createFileAt(folder, name, UNFINISHED_MODE);
      file.temporaryName = name;
      this.#open.add(file);
      platform.truncate(file.handle, file.entry.sizeBytes);
    } catch (error) {
      this.#take(file, error);
    }
  }

  /** Ends a file all of whose parts are written or failed. */
  async finish(file: FileState): Promise<void> {
    const { platform, folders, report, check } = this.#options;
    if (file.handle === null && file.failure === null) this.open(file);
    if (file.failure === null) {
      try {
        const path = pathIn(file.folder, file.entry.name);
        const name = assertDefined(file.temporaryName, "file: is made");
        applyMetadata(platform, assertDefined(file.handle, "file: is open"), file.metadata, false, (reason) => report.warn(path, reason));
        this.#close(file);
        file.failure = (await check?.(file, name)) ?? null;
        if (file.failure === null) {
          const folder = folders.openToFinish(file.folder.path);
          platform.renameAt(folder, name, folder, file.entry.name);
          file.temporaryName = null;
        }
      } catch (error) {
        this.#take(file, error);
      }
    }
    this.#abandon(file);
    this.#options.onSettled(file);
  }

  /** Removes what is unfinished. */
  abandonAll(): void {
    for (const file of [...this.#open]) this.#abandon(file);
  }

  #take(file: FileState, error: unknown): void {
    if (!isFault(error) || isDiskFull(error)) throw error;
    file.failure ??= reasonOf(error);
  }

  #close(file: FileState): void {
    const { handle } = file;
    file.handle = null;
    if (handle !== null) this.#options.platform.closeFile(handle);
  }

  /** Closes what is open and removes what has no name of its own yet. */
  #abandon(file: FileState): void {
    this.#open.delete(file);
    const { temporaryName: name } = file;
    file.temporaryName = null;
    for (const act of [() => this.#close(file), () => name !== null && this.#remove(file, name)]) {
      try {
        act();
      } catch (error) {
        if (!isFault(error)) throw error; // What cannot be taken back changes nothing about the failure that is reported.
      }
    }
  }

  #remove(file: FileState, name: Uint8Array): void {
    this.#options.platform.removeAt(this.#options.folders.openToFinish(file.folder.path), name);
  }
}
