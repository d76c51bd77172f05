/** A fresh folder per test, and the small tools that the contract suite needs around it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "@holdfast/base";
import { type EntryStat, EntryStats } from "../entry-stats.ts";
import { FolderListing } from "../folder-listing.ts";
import type { Koffi } from "../linux-calls.ts";
import { loadKoffi } from "../load.ts";
import type { FolderHandle, Platform } from "../platform.ts";

/** Why tests that need root are skipped, or `false` where they run. */
export const SKIP_UNLESS_ROOT: string | false = process.geteuid?.() === 0 ? false : "NOT RUN: needs root";

export interface Fixture {
  readonly platform: Platform;
  /** The temporary folder, open. */
  readonly folder: FolderHandle;
  /** Its path as text, for checks through `node:fs`. */
  readonly path: string;
}

/** Runs `use` in a fresh folder and removes it again. */
export function inFolder(create: () => Platform, use: (fixture: Fixture) => void): void {
  const path = mkdtempSync(join(tmpdir(), "platform-"));
  try {
    const platform = create();
    const folder = platform.openFolder(utf8(path));
    use({ platform, folder, path });
    platform.closeFolder(folder);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Creates a file with content, closed again. */
export function putFile({ platform, folder }: Fixture, name: Uint8Array, content: Uint8Array, mode = 0o644): void {
  const file = platform.createFileAt(folder, name, mode);
  platform.writeAt(file, content, 0);
  platform.closeFile(file);
}

export function statOf({ platform, folder }: Fixture, name: Uint8Array): EntryStat {
  const stats = new EntryStats(1);
  platform.statAt(folder, name, stats, 0);
  return stats.entry(0);
}

/** The names in a folder as the platform lists them. */
export function namesIn(platform: Platform, folder: FolderHandle): Uint8Array[] {
  const listing = new FolderListing();
  platform.listFolder(folder, listing);
  return Array.from({ length: listing.count }, (_, index) => Uint8Array.from(listing.name(index)));
}

/** Bytes of latin-1 `text`: the short way to write names that are not UTF-8. */
export function raw(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What `assert.throws` takes for a fault of the port. */
export function faultWith(...errnoNames: string[]): (error: unknown) => boolean {
  return (error) => {
    const detail = (error as { name?: string; detail?: { errno?: string } }).detail;
    const isExpected = (error as { name?: string }).name === "Fault" && errnoNames.includes(detail?.errno ?? "");
    if (!isExpected) console.error(`want a fault with ${errnoNames.join(" or ")}, got`, error);
    return isExpected;
  };
}

const SETRESUID_BY_ARCH: Readonly<Record<string, number>> = { x64: 117, arm64: 147 };
const NOBODY = 65_534;

/** koffi, or `null` where it is not installed or has no native part. */
export function koffiOrNull(): Koffi | null {
  try {
    return process.platform === "linux" ? loadKoffi() : null;
  } catch {
    return null; // The tests that need it say that they did not run.
  }
}

/**
 * What runs `use` with the rights of nobody, in this thread alone, and then takes root's back. Needs root and koffi;
 * `null` where one is missing.
 */
export function createAsNobody(): ((use: () => void) => void) | null {
  const koffi = koffiOrNull();
  const number = SETRESUID_BY_ARCH[process.arch];
  if (SKIP_UNLESS_ROOT !== false || koffi === null || number === undefined) return null;
  const syscall = koffi.load(null).func("syscall", "int64_t", ["int64_t", "int64_t", "int64_t", "int64_t"]);
  return (use) => {
    if (syscall(number, -1, NOBODY, -1) !== 0) throw new Error("cannot give up root");
    try {
      use();
    } finally {
      syscall(number, -1, 0, -1); // If this failed, the folder could not be removed, and the test would fail by that.
    }
  };
}
