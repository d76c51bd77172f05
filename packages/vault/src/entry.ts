/** Entries of trees (docs/format.md §10): one name in a folder with its metadata, and the CBOR of it both ways. */
import { assert, compareBytes, Fault } from "@holdfast/base";
import { CONTENT_ITEMS_INLINE_MAX, ID_BYTES, LINK_TARGET_BYTES_MAX, NAME_BYTES_MAX, type ObjectId, XATTRS_BYTES_MAX } from "@holdfast/protocol";
import { CborReader } from "./cbor-reader.ts";
import type { CborWriter } from "./cbor-writer.ts";
import { type Content, type ContentItem, readContentItem, writeContentItem } from "./content.ts";

export const FILE_KINDS = { file: 1, folder: 2, symlink: 3, fifo: 4, characterDevice: 5, blockDevice: 6, socket: 7 } as const;
export type FileKind = (typeof FILE_KINDS)[keyof typeof FILE_KINDS];

/** Bits of `Entry.flags`. */
export const ENTRY_FLAGS = { changedWhileRead: 1, metadataIncomplete: 2, contentMissing: 4 } as const;
const FLAGS_MAX = 7;

/** Longest text of a user or group name that a reader takes; the format sets no other limit than the node's. */
const ACCOUNT_NAME_BYTES_MAX = 4096;
const MODE_MAX = 0o7777;
const NANOSECONDS_MAX = 999_999_999;

/** Seconds since 1970, which may be negative, and nanoseconds from there on, 0 to 999,999,999. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** One entry. Fields that `null`, 0 or an empty list marks as absent are left out of the CBOR. Integers are safe integers. */
export interface Entry {
  /** Raw bytes of the name; 1–255, no `/`, no zero byte, not `.` or `..`. */
  readonly name: Uint8Array;
  readonly kind: FileKind;
  /** Low 12 bits of `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string | null;
  readonly group: string | null;
  readonly modified: Timestamp;
  /** Files only. */
  readonly sizeBytes: number;
  /** Symlinks only. */
  readonly linkTarget: Uint8Array | null;
  /** Devices only. */
  readonly device: { readonly major: number; readonly minor: number } | null;
  /** Ascending by name. */
  readonly xattrs: readonly Xattr[];
  /** Only where `nlink` > 1, never of folders. Entries with equal values are one file. */
  readonly inode: { readonly fileSystem: number; readonly inode: number } | null;
  /** Files only; `null` for an empty file and where it could not be read. */
  readonly content: Content | null;
  /** Folders only, and always there. */
  readonly subtree: ObjectId | null;
  readonly flags: number;
}

/** Writes the CBOR of `entry`, deterministic and with no object in between. What the format forbids is a failed assert. */
export function writeEntry(writer: CborWriter, entry: Entry): void {
  const flaw = findFlaw(entry);
  assert(flaw === null, `entry: ${flaw}`);
  const items = entry.content?.items ?? null;
  const listId = entry.content?.listId ?? null;
  writer.map(countFields(entry, items, listId));
  writer.uint(1);
  writer.byteString(entry.name);
  writeField(writer, 2, entry.kind);
  writeField(writer, 3, entry.mode);
  writeField(writer, 4, entry.uid);
  writeField(writer, 5, entry.gid);
  writeText(writer, 6, entry.user);
  writeText(writer, 7, entry.group);
  writePair(writer, 8, entry.modified.seconds, entry.modified.nanoseconds);
  if (entry.sizeBytes > 0) writeField(writer, 9, entry.sizeBytes);
  writeBytes(writer, 10, entry.linkTarget);
  if (entry.device !== null) writePair(writer, 11, entry.device.major, entry.device.minor);
  if (entry.xattrs.length > 0) writeXattrs(writer, entry.xattrs);
  if (entry.inode !== null) writePair(writer, 13, entry.inode.fileSystem, entry.inode.inode);
  if (items !== null && items.length > 0) {
    writer.uint(14);
    writer.array(items.length);
    for (const item of items) writeContentItem(writer, item);
  }
  writeBytes(writer, 15, listId);
  writeBytes(writer, 16, entry.subtree);
  if (entry.flags > 0) writeField(writer, 17, entry.flags);
}

function countFields(entry: Entry, items: readonly ContentItem[] | null, listId: ObjectId | null): number {
  let count = 6;
  if (entry.user !== null) count++;
  if (entry.group !== null) count++;
  if (entry.sizeBytes > 0) count++;
  if (entry.linkTarget !== null) count++;
  if (entry.device !== null) count++;
  if (entry.xattrs.length > 0) count++;
  if (entry.inode !== null) count++;
  if (items !== null && items.length > 0) count++;
  if (listId !== null) count++;
  if (entry.subtree !== null) count++;
  if (entry.flags > 0) count++;
  return count;
}

function writeField(writer: CborWriter, key: number, value: number): void {
  writer.uint(key);
  writer.uint(value);
}

function writePair(writer: CborWriter, key: number, first: number, second: number): void {
  writer.uint(key);
  writer.array(2);
  writer.int(first);
  writer.uint(second);
}

function writeBytes(writer: CborWriter, key: number, value: Uint8Array | null): void {
  if (value === null) return;
  writer.uint(key);
  writer.byteString(value);
}

function writeText(writer: CborWriter, key: number, value: string | null): void {
  if (value === null) return;
  writer.uint(key);
  writer.text(value);
}

function writeXattrs(writer: CborWriter, xattrs: readonly Xattr[]): void {
  writer.uint(12);
  writer.array(xattrs.length);
  for (const { name, value } of xattrs) {
    writer.array(2);
    writer.byteString(name);
    writer.byteString(value);
  }
}

/** Whether `name` may stand in a folder. */
export function isName(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > NAME_BYTES_MAX) return false;
  for (let index = 0; index < name.length; index++) if (name[index] === 0x2f || name[index] === 0) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}

/** The entry whose CBOR is all of `encoded`. */
export function parseEntry(encoded: Uint8Array): Entry {
  const reader = new CborReader(encoded, "entry");
  const entry = readEntry(reader);
  reader.end();
  return entry;
}

/** What `readEntry` collects: an entry whose fields may still be set. */
type EntryDraft = { -readonly [Field in keyof Entry]: Entry[Field] };

/** Reads one entry and checks that its fields fit each other. */
export function readEntry(reader: CborReader): Entry {
  const fieldCount = reader.map(6, 18);
  reader.expectUint(1);
  const name = reader.byteString(NAME_BYTES_MAX);
  reader.expectUint(2);
  const kind = reader.uint(FILE_KINDS.socket) as FileKind;
  reader.expectUint(3);
  const mode = reader.uint(MODE_MAX);
  reader.expectUint(4);
  const uid = reader.uint();
  reader.expectUint(5);
  const gid = reader.uint();
  const entry: EntryDraft = {
    name,
    kind,
    mode,
    uid,
    gid,
    user: null,
    group: null,
    modified: { seconds: 0, nanoseconds: 0 },
    sizeBytes: 0,
    linkTarget: null,
    device: null,
    xattrs: [],
    inode: null,
    content: null,
    subtree: null,
    flags: 0,
  };
  let isDated = false;
  let lastKey = 5;
  for (let index = 5; index < fieldCount; index++) {
    const key = reader.uint(18);
    if (key <= lastKey) throw reader.fault("entry fields not in order");
    lastKey = key;
    if (key === 8) isDated = true;
    readField(reader, entry, key);
  }
  if (!isDated) throw reader.fault("entry without modification time");
  const flaw = findFlaw(entry);
  if (flaw !== null) throw reader.fault(flaw);
  return entry;
}

function readField(reader: CborReader, entry: EntryDraft, key: number): void {
  if (key === 6) entry.user = reader.text(ACCOUNT_NAME_BYTES_MAX);
  else if (key === 7) entry.group = reader.text(ACCOUNT_NAME_BYTES_MAX);
  else if (key === 8) entry.modified = readTimestamp(reader);
  else if (key === 9) entry.sizeBytes = readPositive(reader, Number.MAX_SAFE_INTEGER);
  else if (key === 10) entry.linkTarget = reader.byteString(LINK_TARGET_BYTES_MAX);
  else if (key === 11) {
    reader.array(2, 2);
    entry.device = { major: reader.uint(), minor: reader.uint() };
  } else if (key === 12) entry.xattrs = readXattrs(reader);
  else if (key === 13) {
    reader.array(2, 2);
    entry.inode = { fileSystem: reader.uint(), inode: reader.uint() };
  } else if (key === 14) entry.content = { items: readItems(reader), listId: null };
  else if (key === 15) {
    if (entry.content !== null) throw reader.fault("entry has content twice");
    entry.content = { items: null, listId: reader.fixedBytes(ID_BYTES) as ObjectId };
  } else if (key === 16) entry.subtree = reader.fixedBytes(ID_BYTES) as ObjectId;
  else if (key === 17) entry.flags = readPositive(reader, FLAGS_MAX);
  else if (key === 18) throw new Fault("version", "tree: stubs are of a later version");
}

/** Seconds and nanoseconds. */
export function readTimestamp(reader: CborReader): Timestamp {
  reader.array(2, 2);
  return { seconds: reader.int(), nanoseconds: reader.uint(NANOSECONDS_MAX) };
}

/** A field whose default is 0: 0 itself would be a second encoding. */
function readPositive(reader: CborReader, max: number): number {
  const value = reader.uint(max);
  if (value === 0) throw reader.fault("default is written out");
  return value;
}

function readXattrs(reader: CborReader): Xattr[] {
  const xattrs: Xattr[] = [];
  let bytesLeft = XATTRS_BYTES_MAX;
  for (let left = reader.array(1, XATTRS_BYTES_MAX, "limit"); left > 0; left--) {
    reader.array(2, 2);
    const name = reader.byteString(bytesLeft);
    const value = reader.byteString(bytesLeft - name.length);
    bytesLeft -= name.length + value.length;
    xattrs.push({ name, value });
  }
  return xattrs;
}

function readItems(reader: CborReader): ContentItem[] {
  const items: ContentItem[] = [];
  for (let left = reader.array(1, CONTENT_ITEMS_INLINE_MAX, "limit"); left > 0; left--) items.push(readContentItem(reader));
  return items;
}

/** What is wrong with `entry`, or `null`: the writer asserts by it and the reader refuses by it, so that nothing is written which cannot be read. */
function findFlaw(entry: Entry): string | null {
  const { kind, modified } = entry;
  const isFile = kind === FILE_KINDS.file;
  const isFolder = kind === FILE_KINDS.folder;
  const isDevice = kind === FILE_KINDS.characterDevice || kind === FILE_KINDS.blockDevice;
  if (!isName(entry.name)) return "name not allowed";
  if (!(kind >= FILE_KINDS.file && kind <= FILE_KINDS.socket)) return `kind ${kind} unknown`;
  if (entry.mode > MODE_MAX) return `mode ${entry.mode} too large`;
  if (entry.flags > FLAGS_MAX) return `flags ${entry.flags} unknown`;
  if (modified.nanoseconds > NANOSECONDS_MAX) return `${modified.nanoseconds} nanoseconds`;
  if (!isFile && (entry.sizeBytes > 0 || entry.content !== null)) return "content of what is not a file";
  if (entry.linkTarget !== null && kind !== FILE_KINDS.symlink) return "link target of what is not a symlink";
  if (entry.linkTarget !== null && entry.linkTarget.length > LINK_TARGET_BYTES_MAX) return "link target too long";
  if (!isDevice && entry.device !== null) return "device numbers of what is not a device";
  if (isFolder && entry.inode !== null) return "inode of a folder";
  if (isFolder !== (entry.subtree !== null)) return isFolder ? "folder without subtree" : "subtree of what is not a folder";
  return findContentFlaw(entry) ?? (entry.xattrs.length === 0 ? null : findXattrFlaw(entry.xattrs));
}

function findContentFlaw(entry: Entry): string | null {
  if (entry.content?.items === null) return null;
  const items = entry.content?.items ?? [];
  if (items.length > CONTENT_ITEMS_INLINE_MAX) return `${items.length} content items, want at most ${CONTENT_ITEMS_INLINE_MAX}`;
  let contentBytes = 0;
  for (const item of items) {
    if (item.plainBytes < 1) return "content item without length";
    contentBytes += item.plainBytes;
  }
  const isMissing = items.length === 0 && (entry.flags & ENTRY_FLAGS.contentMissing) !== 0;
  return contentBytes === entry.sizeBytes || isMissing ? null : `content adds up to ${contentBytes} bytes, want ${entry.sizeBytes}`;
}

function findXattrFlaw(xattrs: readonly Xattr[]): string | null {
  let byteCount = 0;
  let last: Uint8Array = new Uint8Array(0);
  for (const { name, value } of xattrs) {
    if (compareBytes(last, name) >= 0) return "xattrs not in order";
    last = name;
    byteCount += name.length + value.length;
  }
  return byteCount > XATTRS_BYTES_MAX ? `xattrs of ${byteCount} bytes, want at most ${XATTRS_BYTES_MAX}` : null;
}
