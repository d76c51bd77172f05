/**
 * The Disk port over `node:fs`.
 *
 * A file is replaced in one step and durably: temporary file beside it, all bytes, fsync, rename, fsync of the folder. A
 * crash at any point leaves the old file or the new one whole, at worst with a temporary file beside it, whose name
 * (`.<name>.<16 hex>.tmp`) `list` leaves out.
 */
import * as nodeFs from "node:fs";
import { platform } from "node:os";
import { basename, dirname, join } from "node:path";
import { assert } from "../assert.ts";
import type { Bytes } from "../brand.ts";
import { bytesToHex } from "../bytes.ts";
import { Fault, type FaultCode } from "../fault.ts";
import type { Disk, DiskFile, DiskStat } from "../ports.ts";
import { createSystemRandom } from "./random-node.ts";

/** The functions of `node:fs` that this adapter uses: a test may pass its own to see or to break each step. */
export type DiskFs = Pick<
  typeof nodeFs,
  | "closeSync"
  | "constants"
  | "fchmodSync"
  | "fstatSync"
  | "fsyncSync"
  | "ftruncateSync"
  | "lstatSync"
  | "mkdirSync"
  | "openSync"
  | "readdirSync"
  | "readSync"
  | "renameSync"
  | "rmSync"
  | "statfsSync"
  | "statSync"
  | "unlinkSync"
  | "writeSync"
>;

const TEMPORARY_NAME = /^\.(.+)\.[0-9a-f]{16}\.tmp$/s;
const TEMPORARY_RANDOM_BYTES = 8;
const CAN_SYNC_FOLDERS: boolean = platform() !== "win32";

export function createNodeDisk(fs: DiskFs = nodeFs): Disk {
  return {
    readFile: (path, bytesMax) => guard("readFile", () => readFile(fs, path, bytesMax)),
    writeFile: (path, bytes, mode) => guard("writeFile", () => writeFile(fs, path, bytes, mode)),
    appendFile: (path, bytes, mode) => guard("appendFile", () => appendFile(fs, path, bytes, mode)),
    openFile(path) {
      const file = guard("openFile", () => orNull(() => fs.openSync(path, "r")));
      return file === null ? null : diskFile(fs, file);
    },
    makeFile: (path, mode, old) =>
      diskFile(
        fs,
        guard("makeFile", () => makeFile(fs, path, mode, old)),
      ),
    list: (path) => guard("list", () => list(fs, path)),
    makeFolder: (path, mode) => guard("makeFolder", () => makeFolder(fs, path, mode)),
    rename(from, to) {
      guard("rename", () => {
        fs.renameSync(from, to);
        syncFolder(fs, dirname(to));
        if (dirname(from) !== dirname(to)) syncFolder(fs, dirname(from));
      });
    },
    remove(path) {
      guard("remove", () => {
        if (orNull(() => fs.lstatSync(path)) === null) return;
        fs.rmSync(path, { recursive: true, force: true });
        syncFolder(fs, dirname(path));
      });
    },
    stat: (path) => guard("stat", () => stat(fs, path)),
    freeBytes(path) {
      const space = guard("freeBytes", () => fs.statfsSync(path, { bigint: true }));
      return Number(space.bavail * space.bsize);
    },
  };
}

function readFile(fs: DiskFs, path: string, bytesMax: number): Bytes | null {
  const file = orNull(() => fs.openSync(path, "r"));
  if (file === null) return null;
  try {
    const sizeBytes = fs.fstatSync(file).size;
    requireWithin(sizeBytes, bytesMax);
    // One byte of room more than expected: a file that grows meanwhile is noticed, not cut.
    let bytes = new Uint8Array(sizeBytes + 1);
    let filled = 0;
    while (true) {
      if (filled === bytes.length) {
        requireWithin(filled, bytesMax);
        const grown = new Uint8Array(Math.min(bytesMax + 1, filled * 2));
        grown.set(bytes);
        bytes = grown;
      }
      const read = fs.readSync(file, bytes, filled, bytes.length - filled, filled);
      if (read === 0) return bytes.slice(0, filled);
      filled += read;
      requireWithin(filled, bytesMax);
    }
  } finally {
    fs.closeSync(file);
  }
}

function writeFile(fs: DiskFs, path: string, bytes: Uint8Array, mode: number): void {
  const folder = dirname(path);
  const random = bytesToHex(createSystemRandom().bytes(TEMPORARY_RANDOM_BYTES));
  const temporary = join(folder, `.${basename(path)}.${random}.tmp`);
  try {
    const file = fs.openSync(temporary, "wx", mode);
    try {
      fs.fchmodSync(file, mode); // The umask may have taken some.
      writeAll(fs, file, bytes);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(temporary, path);
  } catch (error) {
    removeQuietly(fs, temporary);
    throw error;
  }
  syncFolder(fs, folder);
}

/** Clears up after a failure, which is the one to tell. */
function removeQuietly(fs: DiskFs, path: string): void {
  try {
    fs.unlinkSync(path);
  } catch {
    // The disk that just failed may fail again; `list` does not show what stays behind.
  }
}

/** After a failed append the file is cut back to its old length, so that no half of a line stays. */
function appendFile(fs: DiskFs, path: string, bytes: Uint8Array, mode: number): void {
  const isNew = orNull(() => fs.lstatSync(path)) === null;
  const file = fs.openSync(path, "a", mode);
  try {
    if (isNew) fs.fchmodSync(file, mode);
    const oldSizeBytes = fs.fstatSync(file).size;
    try {
      writeAll(fs, file, bytes);
    } catch (error) {
      fs.ftruncateSync(file, oldSizeBytes);
      throw error;
    }
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  if (isNew) syncFolder(fs, dirname(path));
}

function makeFile(fs: DiskFs, path: string, mode: number, old: "kept" | "emptied"): number {
  const { O_CREAT, O_RDWR, O_TRUNC } = fs.constants;
  const isNew = orNull(() => fs.lstatSync(path)) === null;
  const file = fs.openSync(path, O_RDWR | O_CREAT | (old === "emptied" ? O_TRUNC : 0), mode);
  try {
    if (isNew) {
      fs.fchmodSync(file, mode); // The umask may have taken some.
      syncFolder(fs, dirname(path));
    }
  } catch (error) {
    fs.closeSync(file);
    throw error;
  }
  return file;
}

function diskFile(fs: DiskFs, descriptor: number): DiskFile {
  let isOpen = true;
  const use = <T>(call: string, run: () => T): T => {
    // The number may be another file's by now.
    assert(isOpen, `disk: ${call} on a closed file`);
    return guard(call, run);
  };
  return {
    sizeBytes: () => use("sizeBytes", () => fs.fstatSync(descriptor).size),
    readAt: (target, position) => use("readAt", () => readAll(fs, descriptor, target, position)),
    writeAt: (bytes, position) => use("writeAt", () => writeAll(fs, descriptor, bytes, position)),
    truncate: (sizeBytes) => use("truncate", () => fs.ftruncateSync(descriptor, sizeBytes)),
    sync: () => use("sync", () => fs.fsyncSync(descriptor)),
    [Symbol.dispose]() {
      if (!isOpen) return;
      isOpen = false;
      guard("close", () => fs.closeSync(descriptor));
    },
  };
}

function list(fs: DiskFs, path: string): readonly string[] | null {
  const names = orNull(() => fs.readdirSync(path));
  return names === null ? null : names.filter((name) => !TEMPORARY_NAME.test(name)).sort();
}

/** Parents that are missing are made with the same mode; a folder that is there already is left as it is. */
function makeFolder(fs: DiskFs, path: string, mode: number): void {
  if (stat(fs, path)?.kind === "folder") return;
  const parent = dirname(path);
  if (parent !== path) makeFolder(fs, parent, mode);
  try {
    fs.mkdirSync(path, { mode });
  } catch (error) {
    // Somebody else may have made it in between.
    if (errnoName(error) !== "EEXIST" || stat(fs, path)?.kind !== "folder") throw error;
  }
  syncFolder(fs, parent);
}

function stat(fs: DiskFs, path: string): DiskStat | null {
  const found = orNull(() => fs.statSync(path));
  if (found === null) return null;
  const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
  return { kind, sizeBytes: found.size, mode: found.mode & 0o7777, uid: found.uid };
}

/** At `position`, or where the file stands. */
function writeAll(fs: DiskFs, file: number, bytes: Uint8Array, position: number | null = null): void {
  for (let written = 0; written < bytes.length; ) {
    written += fs.writeSync(file, bytes, written, bytes.length - written, position === null ? null : position + written);
  }
}

/** Reads until `target` is full or the file ends; the number of bytes. */
function readAll(fs: DiskFs, file: number, target: Uint8Array, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const readBytes = fs.readSync(file, target, filled, target.length - filled, position + filled);
    if (readBytes === 0) break;
    filled += readBytes;
  }
  return filled;
}

/** A rename is durable only once its folder is. Windows cannot say so and does not need to be told. */
function syncFolder(fs: DiskFs, path: string): void {
  if (!CAN_SYNC_FOLDERS) return;
  const folder = fs.openSync(path, "r");
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

function requireWithin(byteCount: number, bytesMax: number): void {
  if (byteCount > bytesMax) throw new Fault("limit", `disk: file is too long, got ${byteCount} B, want at most ${bytesMax} B`);
}

/** The result, or `null` when nothing is there. */
function orNull<T>(use: () => T): T | null {
  try {
    return use();
  } catch (error) {
    if (errnoName(error) === "ENOENT") return null;
    throw error;
  }
}

const CODE_BY_ERRNO: Readonly<Record<string, FaultCode>> = {
  ENOENT: "missing",
  EACCES: "denied",
  EPERM: "denied",
  EEXIST: "conflict",
  ENOTEMPTY: "conflict",
  ENOTDIR: "input",
  EISDIR: "input",
  ENAMETOOLONG: "input",
};

function guard<T>(call: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    const errno = errnoName(error);
    if (errno === null) throw error;
    throw new Fault(CODE_BY_ERRNO[errno] ?? "transport", `disk: ${call} failed, got ${errno}`, { cause: error, detail: { errno, call } });
  }
}

/** `ENOENT` and the like, or `null` for errors that are not the system's. */
function errnoName(error: unknown): string | null {
  const code = error instanceof Error && "code" in error && !(error instanceof Fault) ? error.code : null;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : null;
}
