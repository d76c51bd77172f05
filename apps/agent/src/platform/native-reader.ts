/** The reading half of the native adapter: folders, stats, file content, links, attributes. */
import { Fault } from "@holdfast/base";
import { EntryStats, STAT_ROW_BYTES } from "./entry-stats.ts";
import type { FolderListing } from "./folder-listing.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_SYMLINK_NOFOLLOW,
  EINTR,
  EINVAL,
  ENXIO,
  type Linux,
  lastFault,
  type OpenFlags,
  SEEK_DATA,
  SEEK_HOLE,
  STATX_BASIC_STATS,
} from "./linux-calls.ts";
import { LIST, type NativeMemory } from "./native-memory.ts";
import type { NativeXattrs } from "./native-xattrs.ts";
import type { Owners } from "./owners.ts";
import { type Extent, type FileHandle, type FolderHandle, NAME_BYTES_MAX, type PlatformReader } from "./platform.ts";
import { platformFault } from "./platform-fault.ts";

/** What both halves of one adapter share. */
export interface NativeContext {
  readonly linux: Linux;
  readonly memory: NativeMemory;
  readonly xattrs: NativeXattrs;
  readonly owners: Owners;
  readonly flags: OpenFlags;
}

const DIRENT_ROOM_BYTES = 64 * 1024;
const DIRENT_NAME = 19; // struct linux_dirent64: ino 8, offset 8, record length 2, type 1, name (getdents(2)).
const DIRENT_LENGTH = 16;
const DOT = 0x2e;
const SLASH = 0x2f;
const STAT_FLAGS: number = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
const STATVFS_FRAGMENT_WORD = 1; // struct statvfs: bsize, frsize, blocks, bfree, bavail, 64 bits each.
const STATVFS_AVAILABLE_WORD = 4;

export function createNativeReader(context: NativeContext): PlatformReader {
  const { linux, memory, xattrs, owners } = context;
  const { calls } = linux;
  const ownStats = new EntryStats(1);
  return {
    ...owners,
    openFolder: (path) => openFolder(context, path),
    openFolderAt(parent, name) {
      const { flags } = context;
      return retry(linux, "open", () => calls.openat(parent, memory.name(name), flags.readOnly | flags.folder | flags.noFollow, 0)) as FolderHandle;
    },
    closeFolder: (folder) => closeHandle(linux, folder),
    listFolder: (folder, listing) => listFolder(linux, folder, listing),
    statEntries: (folder, listing, firstEntry, entryCount, stats) => statEntries(linux, folder, listing, firstEntry, entryCount, stats),
    statAt(folder, name, stats, row) {
      statRow(linux, folder, memory.name(name), STAT_FLAGS, stats, row);
    },
    stat(handle, stats, row) {
      statRow(linux, handle, memory.empty, AT_EMPTY_PATH, stats, row);
    },
    openFileAt(folder, name) {
      const file = openRead(context, folder, name);
      try {
        statRow(linux, file, memory.empty, AT_EMPTY_PATH, ownStats, 0);
        requireFile(ownStats, 0);
      } catch (error) {
        calls.close(file);
        throw error;
      }
      return file;
    },
    readAt: (file, target, position) => retry(linux, "read", () => calls.pread(file, target, target.length, position)),
    readSmallFileAt: (folder, name, target, stats, row) => readSmallFile(context, folder, name, target, stats, row),
    dataExtents: (file, sizeBytes) => dataExtents(linux, file, sizeBytes),
    closeFile: (file) => closeHandle(linux, file),
    readLinkAt(folder, name) {
      const path = memory.name(name);
      const byteCount = retry(linux, "readlink", () => calls.readlinkat(folder, path, memory.base + LIST, NAME_BYTES_MAX + 1));
      return memory.bytes.slice(LIST, LIST + byteCount);
    },
    xattrsAt: (folder, name) => xattrs.listAt(folder, name),
    xattrs: (handle) => xattrs.list(handle),
    freeBytes: (path) => freeBytes(context, path),
  };
}

/** Opens in steps where the path is too long for one call. */
function openFolder(context: NativeContext, path: Uint8Array): FolderHandle {
  const { linux, memory, flags } = context;
  if (path.length === 0) throw platformFault("open", "ENOENT");
  let folder = AT_FDCWD;
  let start = 0;
  while (true) {
    let end = path.length;
    if (end - start > NAME_BYTES_MAX) {
      end = path.lastIndexOf(SLASH, start + NAME_BYTES_MAX - 1) + 1;
      if (end <= start) throw platformFault("open", "ENAMETOOLONG");
    }
    const piece = path.subarray(start, end);
    let next: number;
    try {
      next = retry(linux, "open", () => linux.calls.openat(folder, memory.text(piece, "path"), flags.readOnly | flags.folder, 0));
    } finally {
      if (folder !== AT_FDCWD) linux.calls.close(folder);
    }
    while (end < path.length && path[end] === SLASH) end++; // A piece must not begin at the root again.
    if (end === path.length) return next as FolderHandle;
    folder = next;
    start = end;
  }
}

/** The kernel writes its records straight into the listing's buffer; names stay where they are. */
function listFolder(linux: Linux, folder: number, listing: FolderListing): void {
  listing.clear();
  // A second listing through one handle must start over.
  if (linux.calls.lseek(folder, 0, 0) < 0) throw lastFault(linux, "listFolder");
  let used = 0;
  while (true) {
    listing.reserve(used + DIRENT_ROOM_BYTES, used);
    const bytes = listing.bytes;
    const address = linux.addressOf(bytes) + used;
    const room = Math.min(bytes.length - used, 1 << 30);
    const read = retry(linux, "getdents64", () => linux.calls.syscall(linux.numbers.getdents64, folder, address, room, 0, 0, 0));
    if (read === 0) break;
    appendRecords(listing, used, used + read);
    used += (read + 7) & ~7;
  }
  listing.sort();
}

function appendRecords(listing: FolderListing, start: number, end: number): void {
  const bytes = listing.bytes;
  for (let record = start; record < end; ) {
    const recordBytes = (bytes[record + DIRENT_LENGTH] as number) | ((bytes[record + DIRENT_LENGTH + 1] as number) << 8);
    const name = record + DIRENT_NAME;
    // Records are padded to 8 bytes, so the zero that ends the name is in the last 8.
    let nameEnd = Math.max(name, record + recordBytes - 8);
    while (bytes[nameEnd] !== 0) nameEnd++;
    const length = nameEnd - name;
    const isDots = bytes[name] === DOT && (length === 1 || (length === 2 && bytes[name + 1] === DOT));
    if (!isDots) listing.append(name, length);
    record += recordBytes;
  }
}

function statEntries(linux: Linux, folder: number, listing: FolderListing, firstEntry: number, entryCount: number, stats: EntryStats): void {
  if (firstEntry < 0 || firstEntry + entryCount > listing.count || entryCount > stats.rowCount) {
    throw new Fault(
      "input",
      `platform: rows out of range, got ${firstEntry} + ${entryCount}, want at most ${listing.count} entries and ${stats.rowCount} rows`,
    );
  }
  const { statx } = linux.calls;
  const names = linux.addressOf(listing.bytes);
  const rows = linux.addressOf(stats.words);
  for (let row = 0; row < entryCount; row++) {
    const path = names + listing.nameOffset(firstEntry + row);
    if (statx(folder, path, STAT_FLAGS, STATX_BASIC_STATS, rows + row * STAT_ROW_BYTES) === 0) stats.errnos[row] = 0;
    else stats.setErrno(row, linux.lastErrno());
  }
}

/** open, pread, statx, close: four calls for a file that was as long as its stat said. */
function readSmallFile(context: NativeContext, folder: number, name: Uint8Array, target: Uint8Array, stats: EntryStats, row: number): number {
  const { linux, memory } = context;
  const { calls } = linux;
  const file = openRead(context, folder, name);
  try {
    // pread takes nothing out of a pipe that has come in the file's place: it fails with ESPIPE.
    let filled = retry(linux, "read", () => calls.pread(file, target, target.length, 0));
    statRow(linux, file, memory.empty, AT_EMPTY_PATH, stats, row);
    requireFile(stats, row);
    const wanted = Math.min(target.length, stats.sizeBytes(row));
    while (filled < wanted) {
      const position = filled;
      const more = retry(linux, "read", () => calls.pread(file, target.subarray(position), target.length - position, position));
      if (more === 0) break;
      filled += more;
    }
    return filled;
  } finally {
    calls.close(file);
  }
}

/** Only root and owners may leave the access time alone; others are told EPERM and open again without. */
function openRead(context: NativeContext, folder: number, name: Uint8Array): FileHandle {
  const { linux, memory, flags } = context;
  const { calls } = linux;
  const path = memory.name(name);
  let file = calls.openat(folder, path, flags.readOnly | flags.noFollow | flags.noAccessTime, 0);
  if (file < 0) file = retry(linux, "open", () => calls.openat(folder, path, flags.readOnly | flags.noFollow, 0));
  return file as FileHandle;
}

function* dataExtents(linux: Linux, file: number, sizeBytes: number): Generator<Extent> {
  const { calls } = linux;
  for (let position = 0; position < sizeBytes; ) {
    const start = calls.lseek(file, position, SEEK_DATA);
    if (start < 0) {
      const errno = linux.lastErrno();
      if (errno === ENXIO) return; // Nothing but a hole from here on.
      if (errno !== EINVAL) throw lastFault(linux, "lseek");
      yield { offset: position, byteCount: sizeBytes - position }; // A file system that does not tell.
      return;
    }
    if (start >= sizeBytes) return;
    const hole = calls.lseek(file, start, SEEK_HOLE);
    if (hole < 0 && linux.lastErrno() === ENXIO) return; // Cut off meanwhile.
    if (hole < 0) throw lastFault(linux, "lseek");
    const end = Math.min(hole, sizeBytes);
    yield { offset: start, byteCount: end - start };
    position = end;
  }
}

function freeBytes(context: NativeContext, path: Uint8Array): number {
  const { linux, memory } = context;
  const target = new BigUint64Array(new ArrayBuffer(256));
  const address = linux.addressOf(new Uint8Array(target.buffer));
  if (linux.calls.statvfs(memory.text(path, "path"), address) < 0) throw lastFault(linux, "statvfs");
  return Number(target[STATVFS_FRAGMENT_WORD]) * Number(target[STATVFS_AVAILABLE_WORD]);
}

function statRow(linux: Linux, folder: number, path: number, flags: number, stats: EntryStats, row: number): void {
  const address = linux.addressOf(stats.words) + row * STAT_ROW_BYTES;
  if (row >= stats.rowCount) throw new Fault("input", `platform: row out of range, got ${row}, want below ${stats.rowCount}`);
  if (linux.calls.statx(folder, path, flags, STATX_BASIC_STATS, address) < 0) throw lastFault(linux, "statx");
  stats.errnos[row] = 0;
}

function requireFile(stats: EntryStats, row: number): void {
  const kind = stats.kind(row);
  if (kind !== "file") throw new Fault("conflict", `platform: not a file any more, got a ${kind}`, { detail: { errno: "ESTALE", call: "open" } });
}

/** Repeats a call that a signal cut short; any other failure is thrown. */
export function retry(linux: Linux, name: string, call: () => number): number {
  while (true) {
    const result = call();
    if (result >= 0) return result;
    if (linux.lastErrno() !== EINTR) throw lastFault(linux, name);
  }
}

/** Linux frees the number even when close fails, so there is nothing to repeat; what failed was an earlier write. */
export function closeHandle(linux: Linux, handle: number): void {
  if (linux.calls.close(handle) < 0 && linux.lastErrno() !== EINTR) throw lastFault(linux, "close");
}
