/** The folder that a restore writes into: found or made, and refused when it holds something that nobody said may go. */
import { assert, Fault } from "@holdfast/base";
import { EntryStats, errnoOf, type FolderHandle, FolderListing, type Platform } from "../platform/index.ts";
import type { Target } from "./folder-chain.ts";
import { printable } from "./printable.ts";
import type { Overwrite } from "./restore-options.ts";

export interface PreparedTarget {
  readonly target: Target;
  readonly isEmpty: boolean;
  /** Nothing was at the path before. */
  readonly isMade: boolean;
  readonly gid: number;
  readonly mode: number;
}

/** Private, until its owner says otherwise. */
const NEW_FOLDER_MODE = 0o700;
const SLASH = 0x2f;

/** Opens the target, making it and the folders above it. Not empty, without `overwrite`: `input`. */
export function prepareTarget(platform: Platform, path: Uint8Array, overwrite: Overwrite | null): PreparedTarget {
  if (path.length === 0 || path.includes(0)) throw new Fault("input", "target: not a path");
  const made = { isMade: false };
  const folder = openOrMake(platform, path, made);
  try {
    const listing = new FolderListing();
    platform.listFolder(folder, listing);
    const isEmpty = listing.count === 0;
    if (!isEmpty && overwrite === null) throw new Fault("input", `target: ${printable(path)} is not empty; say --overwrite to restore into it`);
    const stats = new EntryStats(1);
    platform.stat(folder, stats, 0);
    const { inode, devMajor, devMinor, gid, mode } = stats.entry(0);
    return { target: { path, inode, devMajor, devMinor }, isEmpty, isMade: made.isMade, gid, mode };
  } finally {
    platform.closeFolder(folder);
  }
}

/** `made` tells whether the last folder of the path had to be made. */
function openOrMake(platform: Platform, path: Uint8Array, made: { isMade: boolean } = { isMade: false }): FolderHandle {
  try {
    return platform.openFolder(path);
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") throw new Fault("input", `target: ${printable(path)} is not a folder`, { cause: error });
    if (errnoOf(error) !== "ENOENT") throw error;
  }
  let end = path.length;
  while (end > 1 && path[end - 1] === SLASH) end--;
  const slash = path.lastIndexOf(SLASH, end - 1);
  const name = path.subarray(slash + 1, end);
  assert(name.length > 0, "target: the root is there");
  const parent = openOrMake(platform, slash > 0 ? path.subarray(0, slash) : slash === 0 ? path.subarray(0, 1) : Uint8Array.of(0x2e));
  try {
    platform.makeFolderAt(parent, name, NEW_FOLDER_MODE);
    made.isMade = true;
    return platform.openFolderAt(parent, name);
  } finally {
    platform.closeFolder(parent);
  }
}
