/**
 * The adapter through `node:fs` alone, for systems and installations without the native one.
 *
 * It keeps content, names, modes, owners, links and hard links. What it cannot keep depends on the runtime and is told
 * in `capabilities`. Handles of folders are paths (fallback-folders.ts), handles of files the runtime's own numbers.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { Fault, utf8ToText } from "@holdfast/base";
import type { EntryStats } from "./entry-stats.ts";
import { createFallbackFolders, errnoNumberOf, type FallbackFolders, guard, isFolderHandle } from "./fallback-folders.ts";
import type { FolderListing } from "./folder-listing.ts";
import { createOwners } from "./owners.ts";
import {
  type Capabilities,
  CREATE_MODE_BITS,
  type Extent,
  type FileHandle,
  type FolderHandle,
  type Platform,
  type PlatformReader,
  type PlatformWriter,
  type Xattr,
} from "./platform.ts";
import { errnoToNumber, platformFault } from "./platform-fault.ts";

/** What the runtime's `fs` does to names and times. */
export interface FsTraits {
  /** Names pass through as bytes. Deno replaces what is not UTF-8. */
  readonly keepsRawNames: boolean;
  /** Times are read to the nanosecond. Deno cuts them to milliseconds. */
  readonly readsExactNs: boolean;
}

const READ_FLAGS: number = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const NO_ACCESS_TIME: number = constants.O_NOATIME ?? 0;
const CREATE_FLAGS: number = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
const NO_XATTRS: readonly Xattr[] = [];

export function createFsPlatform(traits: FsTraits): Platform {
  const folders = createFallbackFolders(traits.keepsRawNames);
  return { name: "fs", capabilities: fsCapabilities(traits), ...createReader(folders, traits), ...createWriter(folders, traits) };
}

function fsCapabilities(traits: FsTraits): Capabilities {
  return {
    xattr: "Extended attributes are neither saved nor restored.",
    acl: "Access-control lists are neither saved nor restored; modes are.",
    exactNs: traits.readsExactNs
      ? "Modification times are saved exactly but restored only to about a microsecond."
      : "Modification times are saved and restored only to the millisecond, and those before 1970 are not restored.",
    rawNames: traits.keepsRawNames ? null : "Entries whose names are not UTF-8 are neither saved nor restored.",
    holes: "Holes in files are read as zeros, so the time to save such files is that of their full size.",
    specialFiles: "Pipes, sockets and devices are saved but not restored.",
    deepPaths: "Entries whose whole path is longer than the system allows in one call are not reached.",
    raceFree: "A program that swaps folders for links in the very moment of a save or restore could lead it astray.",
  };
}

function createReader(folders: FallbackFolders, traits: FsTraits): PlatformReader {
  const openFileAt = (folder: FolderHandle, name: Uint8Array): FileHandle => openFile(folders.entryPath(folder, name));
  return {
    ...createOwners(),
    openFolder: (path) => folders.openPath(path),
    openFolderAt: (parent, name) => folders.openAt(parent, name),
    closeFolder: (folder) => folders.close(folder),
    listFolder: (folder, listing) => listFolder(folders.path(folder), listing),
    statEntries(folder, listing, firstEntry, entryCount, stats) {
      statEntries(folders.path(folder), listing, firstEntry, entryCount, stats);
    },
    statAt(folder, name, stats, row) {
      const path = folders.entryPath(folder, name);
      stats.set(
        row,
        guard("lstat", () => lstatSync(path, { bigint: true })),
      );
    },
    stat(handle, stats, row) {
      const stat = isFolderHandle(handle) ? () => lstatSync(folders.path(handle), { bigint: true }) : () => fstatSync(handle, { bigint: true });
      stats.set(row, guard("fstat", stat));
    },
    openFileAt,
    readAt: (file, target, position) => guard("read", () => readSync(file, target, 0, target.length, position)),
    readSmallFileAt(folder, name, target, stats, row) {
      const file = openFileAt(folder, name);
      try {
        const filled = readUntilFull(file, target);
        stats.set(
          row,
          guard("fstat", () => fstatSync(file, { bigint: true })),
        );
        return filled;
      } finally {
        closeSync(file);
      }
    },
    *dataExtents(_file, sizeBytes): Generator<Extent> {
      if (sizeBytes > 0) yield { offset: 0, byteCount: sizeBytes };
    },
    closeFile: (file) => guard("close", () => closeSync(file)),
    readLinkAt(folder, name) {
      const path = folders.entryPath(folder, name);
      const target = Uint8Array.from(guard("readlink", () => readlinkSync(path, { encoding: "buffer" })));
      if (!traits.keepsRawNames && hasReplacementCharacter(target)) throw platformFault("readlink", "EILSEQ");
      return target;
    },
    xattrsAt: () => NO_XATTRS,
    xattrs: () => NO_XATTRS,
    freeBytes(path) {
      const space = guard("statfs", () => statfsSync(Buffer.from(path), { bigint: true }));
      return Number(space.bavail * space.bsize);
    },
  };
}

function createWriter(folders: FallbackFolders, traits: FsTraits): PlatformWriter {
  /** Runs `use` on the path of an entry in a folder that was just checked. */
  const at = <T>(call: string, folder: FolderHandle, name: Uint8Array, use: (path: Buffer) => T): T => {
    const path = folders.entryPath(folder, name);
    return guard(call, () => use(path));
  };
  return {
    makeFolderAt(parent, name, mode) {
      at("mkdir", parent, name, (path) => {
        // Deno's mkdirSync trips over its own error when the path is bytes; where text is as good, it gets text.
        mkdirSync(traits.keepsRawNames ? path : path.toString(), { mode: mode & CREATE_MODE_BITS });
        chmodSync(path, mode & CREATE_MODE_BITS); // The umask may have taken some.
      });
    },
    createFileAt: (folder, name, mode) => at("create", folder, name, (path) => createFile(path, mode & CREATE_MODE_BITS)),
    writeAt: (file, bytes, position) => guard("write", () => writeAll(file, bytes, position)),
    truncate: (file, sizeBytes) => guard("truncate", () => ftruncateSync(file, sizeBytes)),
    sync: (handle) => guard("fsync", () => (isFolderHandle(handle) ? syncFolder(folders.path(handle)) : fsyncSync(handle))),
    symlinkAt(target, folder, name) {
      if (!traits.keepsRawNames && utf8ToText(target) === null) throw platformFault("symlink", "EILSEQ");
      at("symlink", folder, name, (path) => symlinkSync(Buffer.from(target), path));
    },
    linkAt(fromFolder, fromName, folder, name) {
      const from = folders.entryPath(fromFolder, fromName);
      at("link", folder, name, (path) => linkSync(from, path));
    },
    makeSpecialAt: () => notSupported("mknod"),
    renameAt(fromFolder, fromName, folder, name) {
      const from = folders.entryPath(fromFolder, fromName);
      at("rename", folder, name, (path) => renameSync(from, path));
    },
    removeAt(folder, name) {
      at("unlink", folder, name, (path) => {
        if (lstatSync(path).isDirectory()) throw platformFault("unlink", "EISDIR"); // Deno's unlinkSync removes empty folders too.
        unlinkSync(path);
      });
    },
    removeFolderAt: (parent, name) => at("rmdir", parent, name, (path) => rmdirSync(path)),
    setOwner: (handle, uid, gid) => guard("chown", () => (isFolderHandle(handle) ? lchownSync(folders.path(handle), uid, gid) : fchownSync(handle, uid, gid))),
    setMode: (handle, mode) => guard("chmod", () => (isFolderHandle(handle) ? chmodSync(folders.path(handle), mode) : fchmodSync(handle, mode))),
    setMtime(handle, mtimeSec, mtimeNs) {
      const time = toFsTime(mtimeSec, mtimeNs);
      guard("utime", () => (isFolderHandle(handle) ? utimesSync(folders.path(handle), time, time) : futimesSync(handle, time, time)));
    },
    setXattr: () => notSupported("setxattr"),
    setOwnerAt: (folder, name, uid, gid) => at("chown", folder, name, (path) => lchownSync(path, uid, gid)),
    setModeAt(folder, name, mode) {
      at("chmod", folder, name, (path) => {
        if (lstatSync(path).isSymbolicLink()) notSupported("chmod");
        chmodSync(path, mode);
      });
    },
    setMtimeAt(folder, name, mtimeSec, mtimeNs) {
      const time = toFsTime(mtimeSec, mtimeNs);
      at("utime", folder, name, (path) => lutimesSync(path, time, time));
    },
    setXattrAt: () => notSupported("setxattr"),
  };
}

function listFolder(path: Buffer, listing: FolderListing): void {
  const names = guard("readdir", () => readdirSync(path, { encoding: "buffer" }));
  listing.clear();
  let used = 0;
  for (const name of names) {
    listing.reserve(used + name.length + 1, used);
    listing.bytes.set(name, used);
    listing.bytes[used + name.length] = 0;
    listing.append(used, name.length);
    used += name.length + 1;
  }
  listing.sort();
}

function statEntries(folder: Buffer, listing: FolderListing, firstEntry: number, entryCount: number, stats: EntryStats): void {
  if (firstEntry < 0 || firstEntry + entryCount > listing.count || entryCount > stats.rowCount) {
    throw new Fault(
      "input",
      `platform: rows out of range, got ${firstEntry} + ${entryCount}, want at most ${listing.count} entries and ${stats.rowCount} rows`,
    );
  }
  const prefix = Buffer.concat([folder, Buffer.from("/")]);
  for (let row = 0; row < entryCount; row++) {
    const path = Buffer.concat([prefix, listing.name(firstEntry + row)]);
    try {
      stats.set(row, lstatSync(path, { bigint: true }));
    } catch (error) {
      stats.setErrno(row, errnoNumberOf(error));
    }
  }
}

function openFile(path: Buffer): FileHandle {
  const file = guard("open", () => {
    try {
      return openSync(path, READ_FLAGS | NO_ACCESS_TIME);
    } catch (error) {
      if (NO_ACCESS_TIME === 0 || errnoNumberOf(error) !== errnoToNumber("EPERM")) throw error;
      return openSync(path, READ_FLAGS);
    }
  });
  try {
    const isFile = guard("fstat", () => fstatSync(file)).isFile();
    if (!isFile) throw new Fault("conflict", "platform: not a file any more", { detail: { errno: "ESTALE", call: "open" } });
    return file as FileHandle;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function readUntilFull(file: number, target: Uint8Array): number {
  let filled = 0;
  while (filled < target.length) {
    const position = filled;
    const read = guard("read", () => readSync(file, target, position, target.length - position, position));
    if (read === 0) break;
    filled += read;
  }
  return filled;
}

function createFile(path: Buffer, mode: number): FileHandle {
  const file = openSync(path, CREATE_FLAGS, mode);
  try {
    fchmodSync(file, mode); // The umask may have taken some.
    return file as FileHandle;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function writeAll(file: number, bytes: Uint8Array, position: number): void {
  for (let written = 0; written < bytes.length; ) {
    const more = writeSync(file, bytes, written, bytes.length - written, position + written);
    if (more === 0) throw platformFault("write", "EIO");
    written += more;
  }
}

function syncFolder(path: Buffer): void {
  const folder = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Seconds as a number, or a date before 1970, since runtimes take a negative number for "now". */
function toFsTime(mtimeSec: number, mtimeNs: number): number | Date {
  if (!Number.isSafeInteger(mtimeSec) || !Number.isInteger(mtimeNs) || mtimeNs < 0 || mtimeNs > 999_999_999) {
    throw new Fault("input", `platform: not a time, got ${mtimeSec} s ${mtimeNs} ns`, { detail: { errno: "EINVAL" } });
  }
  return mtimeSec < 0 ? new Date(mtimeSec * 1000 + Math.floor(mtimeNs / 1_000_000)) : mtimeSec + mtimeNs / 1e9;
}

/** Such a target may have held other bytes: saved, it would come back changed. */
function hasReplacementCharacter(bytes: Uint8Array): boolean {
  for (let index = 0; index + 2 < bytes.length; index++) if (bytes[index] === 0xef && bytes[index + 1] === 0xbf && bytes[index + 2] === 0xbd) return true;
  return false;
}

function notSupported(call: string): never {
  throw platformFault(call, "ENOTSUP");
}
