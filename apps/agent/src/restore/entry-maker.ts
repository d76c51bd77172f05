/** Makes the entries that are no regular files, and second names: at once, in the main thread. */
import { Fault, isFault, type Random } from "@holdfast/base";
import { type Entry, FILE_KINDS } from "@holdfast/vault";
import type { FolderHandle, Platform, Special } from "../platform/index.ts";
import type { FolderMaker } from "./folder-maker.ts";
import { applyMetadataAt, type Metadata, type Warn } from "./metadata.ts";
import type { FolderState } from "./plan.ts";
import { temporaryName } from "./restore-worker.ts";

const SPECIAL_KINDS: ReadonlyMap<number, Special["kind"]> = new Map([
  [FILE_KINDS.fifo, "fifo"],
  [FILE_KINDS.characterDevice, "char-device"],
  [FILE_KINDS.blockDevice, "block-device"],
]);

export class EntryMaker {
  readonly #platform: Platform;
  readonly #folders: FolderMaker;
  readonly #random: Random;

  constructor(platform: Platform, folders: FolderMaker, random: Random) {
    this.#platform = platform;
    this.#folders = folders;
    this.#random = random;
  }

  /** Makes a symlink, pipe or device with its metadata. */
  make(folder: FolderState, entry: Entry, replaces: boolean, metadata: Metadata, warn: Warn): void {
    const isLink = entry.kind === FILE_KINDS.symlink;
    const handle = this.#folders.open(folder);
    const create = (name: Uint8Array): void => {
      if (isLink) this.#platform.symlinkAt(targetOf(entry), handle, name);
      else this.#platform.makeSpecialAt(handle, name, specialOf(entry, metadata.mode));
    };
    this.#put(handle, entry.name, replaces, create, (name) => applyMetadataAt(this.#platform, handle, name, metadata, isLink, warn));
  }

  /** Makes another name for the entry called `firstName` in the folder at `firstFolder`. */
  link(firstFolder: Uint8Array, firstName: Uint8Array, folder: Uint8Array, name: Uint8Array, replaces: boolean): void {
    const from = this.#folders.openToLink(firstFolder);
    const to = this.#folders.openToFinish(folder);
    this.#put(
      to,
      name,
      replaces,
      (newName) => this.#platform.linkAt(from, firstName, to, newName),
      () => {},
    );
  }

  /** Creates and finishes under the name, or under another that then takes the place of what has the name. What fails leaves nothing behind. */
  #put(folder: FolderHandle, name: Uint8Array, replaces: boolean, create: (name: Uint8Array) => void, finish: (name: Uint8Array) => void): void {
    const newName = replaces ? temporaryName(this.#random) : name;
    create(newName);
    let isInPlace = false;
    try {
      finish(newName);
      if (replaces) this.#platform.renameAt(folder, newName, folder, name);
      isInPlace = !replaces;
    } finally {
      // Also after a replacement: renaming one name of a file over another of the same file does nothing at all (rename(2)).
      if (!isInPlace) this.#removeIfThere(folder, newName);
    }
  }

  #removeIfThere(folder: FolderHandle, name: Uint8Array): void {
    try {
      this.#platform.removeAt(folder, name);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }
}

function targetOf(entry: Entry): Uint8Array {
  if (entry.linkTarget === null) throw new Fault("missing", "link: its target was not saved");
  return entry.linkTarget;
}

function specialOf(entry: Entry, mode: number): Special {
  const kind = SPECIAL_KINDS.get(entry.kind);
  if (kind === undefined) throw new Fault("input", "entry: kind cannot be made");
  return { kind, mode, rdevMajor: entry.device?.major ?? 0, rdevMinor: entry.device?.minor ?? 0 };
}
