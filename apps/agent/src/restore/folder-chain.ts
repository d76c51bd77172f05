/**
 * Opens folders below the target step by step, so that no link is ever followed, and keeps the handles of the path that
 * was used last: the next folder mostly shares its beginning.
 */
import { equalBytes, Fault } from "@holdfast/base";
import { EntryStats, type FolderHandle, type Platform } from "../platform/index.ts";

/** The target folder: its path as the user gave it, and which folder that led to. */
export interface Target {
  readonly path: Uint8Array;
  readonly inode: bigint;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Handles that one chain holds at most, the root and a folder below the last link aside. */
const LINKS_MAX = 64;
const SLASH = 0x2f;

interface Link {
  readonly name: Uint8Array;
  readonly handle: FolderHandle;
}

export class FolderChain implements Disposable {
  readonly #platform: Platform;
  readonly #root: FolderHandle;
  readonly #links: Link[] = [];
  /** A folder deeper than the links reach. */
  #deep: { readonly path: Uint8Array; readonly handle: FolderHandle } | null = null;

  /** Opens the target. It leads elsewhere than before: `conflict`. */
  constructor(platform: Platform, target: Target) {
    this.#platform = platform;
    this.#root = platform.openFolder(target.path);
    const stats = new EntryStats(1);
    platform.stat(this.#root, stats, 0);
    const { inode, devMajor, devMinor } = stats.entry(0);
    if (inode === target.inode && devMajor === target.devMajor && devMinor === target.devMinor) return;
    platform.closeFolder(this.#root);
    throw new Fault("conflict", "restore: the target folder was replaced by another");
  }

  /** Handle of the folder at `path`, names joined by slashes, the empty path being the target. Good until the next call. */
  open(path: Uint8Array): FolderHandle {
    if (this.#deep !== null && equalBytes(this.#deep.path, path)) return this.#deep.handle;
    const steps = stepsOf(path);
    const wanted = steps.slice(0, LINKS_MAX);
    let shared = 0;
    while (shared < this.#links.length && shared < wanted.length && equalBytes((this.#links[shared] as Link).name, wanted[shared] as Uint8Array)) shared++;
    this.#cut(shared);
    for (const name of wanted.slice(shared)) this.#links.push({ name, handle: this.#platform.openFolderAt(this.#last(), name) });
    return steps.length <= LINKS_MAX ? this.#last() : this.#descend(path, steps.slice(LINKS_MAX));
  }

  [Symbol.dispose](): void {
    this.#cut(0);
    this.#platform.closeFolder(this.#root);
  }

  #last(): FolderHandle {
    return this.#links.at(-1)?.handle ?? this.#root;
  }

  #descend(path: Uint8Array, steps: readonly Uint8Array[]): FolderHandle {
    let handle = this.#last();
    for (const [index, name] of steps.entries()) {
      const parent = handle;
      try {
        handle = this.#platform.openFolderAt(parent, name);
      } finally {
        if (index > 0) this.#platform.closeFolder(parent);
      }
    }
    this.#deep = { path, handle };
    return handle;
  }

  /** Closes all links from number `length` on, and the deep folder. */
  #cut(length: number): void {
    if (this.#deep !== null) this.#platform.closeFolder(this.#deep.handle);
    this.#deep = null;
    while (this.#links.length > length) this.#platform.closeFolder((this.#links.pop() as Link).handle);
  }
}

/** Names in a path joined by slashes. */
function stepsOf(path: Uint8Array): Uint8Array[] {
  const steps: Uint8Array[] = [];
  for (let start = 0; start < path.length; ) {
    const next = path.indexOf(SLASH, start);
    const end = next === -1 ? path.length : next;
    steps.push(path.slice(start, end));
    start = end + 1;
  }
  return steps;
}

/** `folder` and `name` joined; names joined by slashes, no slash in front. */
export function joinNames(folder: Uint8Array, name: Uint8Array): Uint8Array {
  if (folder.length === 0) return name;
  const joined = new Uint8Array(folder.length + 1 + name.length);
  joined.set(folder);
  joined[folder.length] = SLASH;
  joined.set(name, folder.length + 1);
  return joined;
}
