/** Chooses the platform adapter: native where it works, else `node:fs`, with the reason for people. */
import { existsSync, lstatSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { utf8 } from "@holdfast/base";
import { EntryStats } from "./entry-stats.ts";
import { createFsPlatform, type FsTraits } from "./fallback.ts";
import { isKnownArch, type Koffi } from "./linux-calls.ts";
import { createNativePlatform } from "./native.ts";
import type { Platform } from "./platform.ts";

export interface LoadOptions {
  /** `false` goes straight to the fallback. */
  readonly preferNative: boolean;
}

export interface LoadedPlatform {
  readonly platform: Platform;
  /** Why the native adapter is not in use, in a sentence, or `null` when it is. */
  readonly fallbackReason: string | null;
}

/** Reads `HOLDFAST_NATIVE`: `0` turns the native adapter off. Called once, by the program's entry. */
export function loadOptionsFromEnvironment(environment: Readonly<Record<string, string | undefined>>): LoadOptions {
  return { preferNative: environment.HOLDFAST_NATIVE !== "0" };
}

/** Never fails: the fallback works wherever the runtime does. Each worker loads its own. */
export function loadPlatform(options: LoadOptions): LoadedPlatform {
  const fallback = (fallbackReason: string): LoadedPlatform => ({ platform: createFsPlatform(fsTraits()), fallbackReason });
  if (!options.preferNative) return fallback("The native adapter is turned off.");
  if (process.platform !== "linux" || !isKnownArch(process.arch)) {
    return fallback(`There is no native adapter for ${process.platform} on ${process.arch}.`);
  }
  try {
    const platform = createNativePlatform(loadKoffi(), process.arch);
    requireAgreement(platform);
    return { platform, fallbackReason: null };
  } catch (error) {
    return fallback(`The native adapter does not load here: ${error instanceof Error ? error.message.split("\n", 1)[0] : String(error)}.`);
  }
}

/**
 * The optional package, looked for in the `node_modules` folders from this file upwards and in the one beside the
 * program. It is loaded by its path, never by its name: under Bun a name that is not installed is fetched from the
 * registry at once, and Deno knows only names that a manifest lists.
 */
export function loadKoffi(): Koffi {
  for (const folder of packageFolders(import.meta.url, process.execPath)) {
    const path = join(folder, "node_modules", "koffi");
    if (existsSync(join(path, "package.json"))) return createRequire(import.meta.url)(path) as Koffi;
  }
  throw new Error("the package koffi is not installed beside it");
}

function packageFolders(ownUrl: string, programPath: string): readonly string[] {
  const folders: string[] = [];
  for (let folder = dirname(fileURLToPath(ownUrl)); ; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === dirname(folder)) break;
  }
  return [...folders, dirname(programPath)];
}

/** A layout that differs from ours would give wrong stats silently: the root folder must look the same through `fs`. */
function requireAgreement(platform: Platform): void {
  const stats = new EntryStats(1);
  const folder = platform.openFolder(utf8("/"));
  try {
    platform.stat(folder, stats, 0);
  } finally {
    platform.closeFolder(folder);
  }
  const seen = stats.entry(0);
  const expected = lstatSync("/", { bigint: true });
  const agrees = seen.kind === "folder" && seen.inode === expected.ino && BigInt(seen.mode) === (expected.mode & 0o7777n) && BigInt(seen.uid) === expected.uid;
  if (!agrees) throw new Error("its view of the root folder differs from the runtime's");
}

function fsTraits(): FsTraits {
  const isDeno = "Deno" in globalThis;
  return { keepsRawNames: !isDeno && process.platform !== "win32", readsExactNs: !isDeno };
}
