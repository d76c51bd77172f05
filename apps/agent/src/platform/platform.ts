/**
 * The platform port: the only way the agent touches the user's files, when it reads them and when it restores them.
 *
 * - Every call is synchronous: callers are workers. An adapter instance belongs to one worker, and so do its handles.
 * - Paths and names are raw bytes, since names need not be UTF-8. A `name` is one step: `input` is thrown for an empty
 *   name, `.`, `..`, and anything with a slash or a zero byte. Only `openFolder` and `freeBytes` take a path, and only
 *   they follow links: what a user names is followed, what lies below it never is.
 * - Every failure is a fault with the errno's name in `detail.errno` (platform-fault.ts). `conflict` says that the entry
 *   is not (or no longer) what the caller believes: a link where a folder was, a pipe in the place of a file.
 * - What an adapter cannot keep it says in `capabilities` and `losses`; asked to do it all the same, it throws ENOTSUP.
 *
 * Write order for the metadata of a restored entry: owner, then xattrs, then mode, then times. A change of owner clears
 * setuid and security.capability; an access-control list alters the mode; everything alters a folder's times.
 */
import type { Brand, Bytes } from "@holdfast/base";
import type { EntryStats } from "./entry-stats.ts";
import type { FolderListing } from "./folder-listing.ts";

export type FolderHandle = Brand<number, "FolderHandle">;
export type FileHandle = Brand<number, "FileHandle">;
export type Handle = FolderHandle | FileHandle;

export interface Platform extends PlatformReader, PlatformWriter {
  readonly name: "native" | "fs";
  readonly capabilities: Capabilities;
}

export const CAPABILITY_NAMES = ["xattr", "acl", "exactNs", "rawNames", "holes", "specialFiles", "deepPaths", "raceFree"] as const;
export type CapabilityName = (typeof CAPABILITY_NAMES)[number];

/** Per capability `null` where the adapter keeps it, else a sentence for people that says what is lost. */
export type Capabilities = Readonly<Record<CapabilityName, string | null>>;

/** An extended attribute. `name` is whole, as in `user.comment`; access-control lists are `system.posix_acl_*`. */
export interface Xattr {
  readonly name: Bytes;
  readonly value: Bytes;
}

/** A run of data in a file with holes. */
export interface Extent {
  readonly offset: number;
  readonly byteCount: number;
}

export interface PlatformReader {
  /** Opens the folder at `path` (absolute, or relative to the working directory), following links. */
  openFolder(path: Uint8Array): FolderHandle;
  /** Opens the folder called `name`. A link there: `conflict`. */
  openFolderAt(parent: FolderHandle, name: Uint8Array): FolderHandle;
  closeFolder(folder: FolderHandle): void;

  /** Replaces what `listing` holds by the names in the folder, sorted by their bytes. */
  listFolder(folder: FolderHandle, listing: FolderListing): void;
  /**
   * Fills rows 0 to `entryCount - 1` of `stats` for the entries from `firstEntry` on, links not followed. An entry that
   * cannot be read gets its errno; nothing is thrown for it.
   */
  statEntries(folder: FolderHandle, listing: FolderListing, firstEntry: number, entryCount: number, stats: EntryStats): void;
  /** Fills one row for the entry called `name`, link not followed. */
  statAt(folder: FolderHandle, name: Uint8Array, stats: EntryStats, row: number): void;
  /** Fills one row for what the handle names. */
  stat(handle: Handle, stats: EntryStats, row: number): void;

  /**
   * Opens the file called `name` for reading. Neither follows a link nor waits for a pipe nor changes the access time
   * where the system lets it; anything but a regular file: `conflict`.
   */
  openFileAt(folder: FolderHandle, name: Uint8Array): FileHandle;
  /** Reads at `position` into `target` (shared memory is fine); may be short, 0 only at the end. */
  readAt(file: FileHandle, target: Uint8Array, position: number): number;
  /**
   * Opens, reads from the start until `target` is full or the file ends, fills `row` from what was read (after reading),
   * closes. Returns the bytes read: give one byte more than the expected size, and a full target says that it grew.
   * Faults as `openFileAt`.
   */
  readSmallFileAt(folder: FolderHandle, name: Uint8Array, target: Uint8Array, stats: EntryStats, row: number): number;
  /** Runs of data between 0 and `sizeBytes`, in order; what lies between them reads as zeros. */
  dataExtents(file: FileHandle, sizeBytes: number): Iterable<Extent>;
  closeFile(file: FileHandle): void;

  /** The target of the link called `name`, byte for byte. */
  readLinkAt(folder: FolderHandle, name: Uint8Array): Bytes;
  /** Extended attributes sorted by name, link not followed; none where the file system keeps none. */
  xattrsAt(folder: FolderHandle, name: Uint8Array): readonly Xattr[];
  /** The same for an open file or folder: cheaper. */
  xattrs(handle: Handle): readonly Xattr[];

  /** Names from the system's user and group files, or `null` for numbers they do not list (directory services are not asked). */
  userName(uid: number): Bytes | null;
  groupName(gid: number): Bytes | null;
  userId(name: Uint8Array): number | null;
  groupId(name: Uint8Array): number | null;

  /** Bytes that an unprivileged writer may still use on the file system of `path`. */
  freeBytes(path: Uint8Array): number;
}

/** Nothing here replaces an entry that exists (`conflict`, EEXIST), `renameAt` aside. */
export interface PlatformWriter {
  /** `mode` is exact whatever the umask, setuid, setgid and sticky excepted: those come with `setMode`, after the owner. */
  makeFolderAt(parent: FolderHandle, name: Uint8Array, mode: number): void;
  /** Creates an empty file open for writing; `mode` as in `makeFolderAt`. */
  createFileAt(folder: FolderHandle, name: Uint8Array, mode: number): FileHandle;
  /** Writes all of `bytes` at `position`; space never written reads as zeros and takes no room. */
  writeAt(file: FileHandle, bytes: Uint8Array, position: number): void;
  truncate(file: FileHandle, sizeBytes: number): void;
  /** Makes content and metadata of the file or the names of the folder durable. */
  sync(handle: Handle): void;

  symlinkAt(target: Uint8Array, folder: FolderHandle, name: Uint8Array): void;
  /** A second name for the entry `fromName`, which is not followed when it is a link. */
  linkAt(fromFolder: FolderHandle, fromName: Uint8Array, folder: FolderHandle, name: Uint8Array): void;
  /** A pipe, socket or device; the numbers count for devices only. */
  makeSpecialAt(folder: FolderHandle, name: Uint8Array, special: Special): void;
  /** Moves an entry, replacing a file or an empty folder that is in the way, in one step. */
  renameAt(fromFolder: FolderHandle, fromName: Uint8Array, folder: FolderHandle, name: Uint8Array): void;
  /** Removes anything but a folder. */
  removeAt(folder: FolderHandle, name: Uint8Array): void;
  /** Removes an empty folder. */
  removeFolderAt(parent: FolderHandle, name: Uint8Array): void;

  setOwner(handle: Handle, uid: number, gid: number): void;
  setMode(handle: Handle, mode: number): void;
  /** Sets the modification time (`mtimeSec` may be negative, `mtimeNs` is 0 to 999,999,999); the access time follows or stays. */
  setMtime(handle: Handle, mtimeSec: number, mtimeNs: number): void;
  setXattr(handle: Handle, xattr: Xattr): void;

  /** The same for entries that are not opened: links, pipes, devices. Links are never followed. */
  setOwnerAt(folder: FolderHandle, name: Uint8Array, uid: number, gid: number): void;
  /** Links have no mode of their own: ENOTSUP. */
  setModeAt(folder: FolderHandle, name: Uint8Array, mode: number): void;
  setMtimeAt(folder: FolderHandle, name: Uint8Array, mtimeSec: number, mtimeNs: number): void;
  setXattrAt(folder: FolderHandle, name: Uint8Array, xattr: Xattr): void;
}

export interface Special {
  readonly kind: "fifo" | "socket" | "char-device" | "block-device";
  readonly mode: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

/** The sentences of everything the adapter cannot keep: for the snapshot and for the screen. */
export function losses(capabilities: Capabilities): readonly string[] {
  return CAPABILITY_NAMES.map((name) => capabilities[name]).filter((loss) => loss !== null);
}

/** Largest name that adapters take: Linux allows 255, a link's target and other systems more. */
export const NAME_BYTES_MAX = 4095;

/** Permission bits that creation sets; the others would open a window before the owner is set. */
export const CREATE_MODE_BITS = 0o777;

/** Whether `name` is a single step that stays inside its folder. */
export function isPlainName(name: Uint8Array): boolean {
  const DOT = 0x2e;
  if (name.length === 0 || name.length > NAME_BYTES_MAX) return false;
  if (name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT))) return false;
  for (let index = 0; index < name.length; index++) if (name[index] === 0x2f || name[index] === 0) return false;
  return true;
}
