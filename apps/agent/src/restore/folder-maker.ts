/** Makes the folders of a restore, private at first, and finishes them, children before parents, when nothing in them is pending. */
import { isFault } from "@holdfast/base";
import type { Entry } from "@holdfast/vault";
import { type EntryStat, EntryStats, errnoOf, type FolderHandle, type Platform } from "../platform/index.ts";
import { FolderChain, joinNames, type Target } from "./folder-chain.ts";
import { applyMetadata, isDiskFull, type Metadata, reasonOf } from "./metadata.ts";
import type { FolderState } from "./plan.ts";
import type { Report } from "./report.ts";
import type { Overwrite } from "./restore-options.ts";

/** Nobody looks into a folder before it is finished. */
const UNFINISHED_MODE = 0o700;
const SETGID_BIT = 0o2000;

export interface FolderMakerOptions {
  readonly platform: Platform;
  readonly target: Target;
  readonly overwrite: Overwrite | null;
  readonly report: Report;
  /** Group of the process: what new entries get, unless their folder says otherwise. */
  readonly gid: number;
  /** @param ownsNew - What is made beside the entry gets uid and gid of the process. */
  metadataOf(entry: Entry, ownsNew: boolean, path: Uint8Array): Metadata;
}

export class FolderMaker implements Disposable {
  readonly #options: FolderMakerOptions;
  /** For what the walk does, for finishing, and for the first names of hard links: three places at once. */
  readonly #walking: FolderChain;
  readonly #finishing: FolderChain;
  readonly #linking: FolderChain;
  readonly #stats = new EntryStats(1);

  constructor(options: FolderMakerOptions) {
    this.#options = options;
    this.#walking = new FolderChain(options.platform, options.target);
    this.#finishing = new FolderChain(options.platform, options.target);
    this.#linking = new FolderChain(options.platform, options.target);
  }

  [Symbol.dispose](): void {
    this.#walking[Symbol.dispose]();
    this.#finishing[Symbol.dispose]();
    this.#linking[Symbol.dispose]();
  }

  /** Handle of the folder that the walk is in. Good until the next call. */
  open(folder: FolderState): FolderHandle {
    return this.#walking.open(folder.path);
  }

  openToFinish(path: Uint8Array): FolderHandle {
    return this.#finishing.open(path);
  }

  openToLink(path: Uint8Array): FolderHandle {
    return this.#linking.open(path);
  }

  /** What is called `name` in a folder, or `null`. In a folder made by this restore nothing is. */
  look(folder: FolderState, name: Uint8Array): EntryStat | null {
    if (folder.isNew) return null;
    try {
      this.#options.platform.statAt(this.open(folder), name, this.#stats, 0);
      return this.#stats.entry(0);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return null;
      throw error;
    }
  }

  /** Makes the folder and those above it. `false` when that fails, which is reported once. */
  make(folder: FolderState): boolean {
    if (folder.state !== "planned") return folder.state === "made";
    const { parent, entry } = folder;
    if (parent === null || entry === null) return true;
    if (!this.make(parent)) {
      folder.state = "failed";
      return false;
    }
    try {
      this.#makeIn(parent, entry, folder);
      folder.state = "made";
      parent.pending++;
      this.#options.report.folders++;
      return true;
    } catch (error) {
      folder.state = "failed";
      if (!isFault(error) || isDiskFull(error)) throw error;
      this.#options.report.fail(folder.path, `folder not restored: ${reasonOf(error)}`);
      return false;
    }
  }

  #makeIn(parent: FolderState, entry: Entry, folder: FolderState): void {
    const { platform, overwrite, metadataOf } = this.#options;
    const present = this.look(parent, entry.name);
    folder.isNew = present?.kind !== "folder";
    folder.ownsNew = folder.isNew ? parent.ownsNew : present?.gid === this.#options.gid && (present.mode & SETGID_BIT) === 0;
    folder.metadata = !folder.isNew && overwrite === "never" ? null : metadataOf(entry, folder.isNew && parent.ownsNew, folder.path);
    if (!folder.isNew) return;
    const handle = this.open(parent);
    if (present !== null && overwrite !== "never") platform.removeAt(handle, entry.name); // Else making it says what is in the way.
    platform.makeFolderAt(handle, entry.name, UNFINISHED_MODE);
  }

  /** `count` entries of the folder, or the walk of it, are done. */
  release(folder: FolderState, count = 1): void {
    for (let at: FolderState | null = folder, done = count; at !== null; at = at.parent, done = 1) {
      at.pending -= done;
      if (at.pending > 0 || at.state !== "made") return;
      this.#finish(at);
    }
  }

  #finish(folder: FolderState): void {
    const { platform, report } = this.#options;
    if (folder.metadata === null) return;
    try {
      applyMetadata(platform, this.#finishing.open(folder.path), folder.metadata, false, (reason) => report.warn(folder.path, reason));
    } catch (error) {
      if (!isFault(error) || isDiskFull(error)) throw error;
      report.warn(folder.path, `metadata not restored: ${reasonOf(error)}`);
    }
  }
}

/** A folder that is made when something in it is restored. */
export function plannedFolder(parent: FolderState, entry: Entry): FolderState {
  return { parent, entry, path: joinNames(parent.path, entry.name), state: "planned", isNew: false, ownsNew: false, metadata: null, pending: 1 };
}

/** The target itself. `metadata` is for a target that this restore made to hold what a folder of the snapshot holds. */
export function targetFolder(isEmpty: boolean, ownsNew: boolean, metadata: Metadata | null): FolderState {
  return { parent: null, entry: null, path: new Uint8Array(0), state: "made", isNew: isEmpty, ownsNew, metadata, pending: 1 };
}
