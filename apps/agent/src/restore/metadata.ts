/**
 * Metadata of restored entries: what a snapshot says, made safe and fit for this machine, and how it is set. The order is
 * that of platform.ts: owner, extended attributes, mode, times. What cannot be set is a warning; content counts more.
 */
import { compareBytes, type Fault, isFault, utf8 } from "@holdfast/base";
import { type Entry, FILE_KINDS, type Xattr } from "@holdfast/vault";
import { errnoOf, type FolderHandle, type Handle, type Platform } from "../platform/index.ts";
import type { ByteReader, ByteWriter } from "./byte-stream.ts";
import { printable } from "./printable.ts";

export interface Metadata {
  /** Twelve bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whether uid and gid must be set. */
  readonly setsOwner: boolean;
  readonly mtimeSec: number;
  readonly mtimeNs: number;
  readonly xattrs: readonly Xattr[];
}

export type Warn = (reason: string) => void;

/** How entries become metadata in one restore. */
export interface MetadataRules {
  readonly setsOwner: boolean;
  readonly numericOwner: boolean;
  readonly allowSetuid: boolean;
  /** Who the process is: its new files need no owner when they are to be its own. */
  readonly uid: number;
  readonly gid: number;
}

const SETUID_BITS = 0o6000;
const BITS_BEYOND_CREATION = 0o7000;
const CAPABILITY = utf8("security.capability");
const ACCESS_LIST = utf8("system.posix_acl_access");
/** `chown` takes this to mean "leave alone". */
const OWNER_NONE = 2 ** 32 - 1;

/** Looks owners up by name, once each. */
export interface OwnerMap {
  uid(entry: Entry): number;
  gid(entry: Entry): number;
}

export function createOwnerMap(platform: Platform, numericOwner: boolean): OwnerMap {
  const users = new Map<string, number | null>();
  const groups = new Map<string, number | null>();
  const look = (known: Map<string, number | null>, name: string | null, number: number, ask: (name: Uint8Array) => number | null): number => {
    if (numericOwner || name === null) return number;
    let found = known.get(name);
    if (found === undefined) {
      found = ask(utf8(name));
      known.set(name, found);
    }
    return found ?? number;
  };
  return {
    uid: (entry) => look(users, entry.user, entry.uid, (name) => platform.userId(name)),
    gid: (entry) => look(groups, entry.group, entry.gid, (name) => platform.groupId(name)),
  };
}

/** @param ownsNew - Whether what is made in the entry's folder gets uid and gid of the process. */
export function metadataOf(entry: Entry, rules: MetadataRules, owners: OwnerMap, ownsNew: boolean, warn: Warn): Metadata {
  let { mode } = entry;
  let xattrs = entry.xattrs;
  const uid = owners.uid(entry);
  const gid = owners.gid(entry);
  const hasOwner = rules.setsOwner && uid < OWNER_NONE && gid < OWNER_NONE;
  if (rules.setsOwner && !hasOwner) warn("owner is beyond what the system takes: not restored");
  if (entry.kind !== FILE_KINDS.folder) {
    if ((mode & SETUID_BITS) !== 0 && !(rules.allowSetuid && hasOwner)) {
      mode &= ~SETUID_BITS;
      warn("setuid or setgid not restored");
    }
    if (xattrs.length > 0 && !rules.allowSetuid && xattrs.some(isCapability)) {
      xattrs = xattrs.filter((xattr) => !isCapability(xattr));
      warn("capabilities not restored");
    }
  }
  return {
    mode,
    uid,
    gid,
    setsOwner: hasOwner && !(ownsNew && uid === rules.uid && gid === rules.gid),
    mtimeSec: entry.modified.seconds,
    mtimeNs: entry.modified.nanoseconds,
    xattrs,
  };
}

function isCapability({ name }: Xattr): boolean {
  return compareBytes(name, CAPABILITY) === 0;
}

/** Sets everything on an open file or folder. @param hasMode - It was created with the mode already, but for setuid, setgid and sticky. */
export function applyMetadata(platform: Platform, handle: Handle, metadata: Metadata, hasMode: boolean, warn: Warn): void {
  const isOwned = !metadata.setsOwner || attempt("owner", warn, () => platform.setOwner(handle, metadata.uid, metadata.gid));
  for (const xattr of metadata.xattrs) attemptXattr(xattr, warn, () => platform.setXattr(handle, xattr as Parameters<Platform["setXattr"]>[1]));
  // Setuid of another owner than the right one would be a gift.
  const mode = isOwned ? metadata.mode : metadata.mode & ~SETUID_BITS;
  if (!hasMode || (mode & BITS_BEYOND_CREATION) !== 0 || altersMode(metadata)) attempt("mode", warn, () => platform.setMode(handle, mode));
  attempt("modification time", warn, () => platform.setMtime(handle, metadata.mtimeSec, metadata.mtimeNs));
}

/** The same for what is not opened. @param isLink - Links have no mode. */
export function applyMetadataAt(platform: Platform, folder: FolderHandle, name: Uint8Array, metadata: Metadata, isLink: boolean, warn: Warn): void {
  const isOwned = !metadata.setsOwner || attempt("owner", warn, () => platform.setOwnerAt(folder, name, metadata.uid, metadata.gid));
  for (const xattr of metadata.xattrs) attemptXattr(xattr, warn, () => platform.setXattrAt(folder, name, xattr as Parameters<Platform["setXattrAt"]>[2]));
  const mode = isOwned ? metadata.mode : metadata.mode & ~SETUID_BITS;
  const needsMode = (mode & BITS_BEYOND_CREATION) !== 0 || altersMode(metadata);
  if (!isLink && needsMode) attempt("mode", warn, () => platform.setModeAt(folder, name, mode));
  attempt("modification time", warn, () => platform.setMtimeAt(folder, name, metadata.mtimeSec, metadata.mtimeNs));
}

function altersMode({ xattrs }: Metadata): boolean {
  return xattrs.some(({ name }) => compareBytes(name, ACCESS_LIST) === 0);
}

function attemptXattr({ name }: Xattr, warn: Warn, act: () => void): void {
  attempt(`extended attribute ${printable(name)}`, warn, act);
}

function attempt(what: string, warn: Warn, act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (!isFault(error)) throw error;
    if (isDiskFull(error)) throw error;
    warn(`${what} not restored: ${reasonOf(error)}`);
    return false;
  }
}

/** Why something failed, for people: the system's own name for it where there is one. */
export function reasonOf(error: Fault): string {
  const errno = errnoOf(error);
  return errno === null ? error.message : `${error.detail.call ?? "call"} failed with ${errno}`;
}

/** Whether nothing more can be written for want of room. */
export function isDiskFull(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === "ENOSPC" || errno === "EDQUOT";
}

export function writeMetadata(writer: ByteWriter, metadata: Metadata): void {
  writer.u32(metadata.mode);
  writer.u8(metadata.setsOwner ? 1 : 0);
  writer.u32(metadata.setsOwner ? metadata.uid : 0);
  writer.u32(metadata.setsOwner ? metadata.gid : 0);
  writer.f64(metadata.mtimeSec);
  writer.u32(metadata.mtimeNs);
  writer.u32(metadata.xattrs.length);
  for (const { name, value } of metadata.xattrs) {
    writer.bytes(name);
    writer.bytes(value);
  }
}

export function readMetadata(reader: ByteReader): Metadata {
  const mode = reader.u32();
  const setsOwner = reader.u8() === 1;
  const uid = reader.u32();
  const gid = reader.u32();
  const mtimeSec = reader.f64();
  const mtimeNs = reader.u32();
  const xattrs: Xattr[] = [];
  for (let left = reader.u32(); left > 0; left--) xattrs.push({ name: reader.bytes().slice(), value: reader.bytes().slice() });
  return { mode, setsOwner, uid, gid, mtimeSec, mtimeNs, xattrs };
}
