/**
 * What the system tells of entries, in flat reusable memory: a scan allocates nothing per entry.
 *
 * One row is the 256-byte `struct statx` of Linux (statx(2)), little-endian, as 64 words of 32 bits, so that the native
 * adapter lets the kernel write rows in place. Other adapters fill in the same fields. Words used here:
 *   4 nlink | 5 uid | 6 gid | 7 mode (low 16 bits) | 8, 9 ino | 10, 11 size | 12, 13 blocks of 512 B
 *   24, 25 ctime s | 26 ctime ns | 28, 29 mtime s | 30 mtime ns | 32, 33 rdev major, minor | 34, 35 dev major, minor
 * A row of an entry that could not be read holds only its errno.
 */
import { errnoToName, platformFault } from "./platform-fault.ts";

export type EntryKind = "file" | "folder" | "symlink" | "fifo" | "char-device" | "block-device" | "socket";

/** One row as a value, for callers that are not in a hurry. */
export interface EntryStat {
  readonly kind: EntryKind;
  /** Permission bits with setuid, setgid and sticky, 0o0000 to 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Seconds since 1970, negative before; `mtimeNs` always counts forward from there, 0 to 999,999,999. */
  readonly mtimeSec: number;
  readonly mtimeNs: number;
  readonly ctimeSec: number;
  readonly ctimeNs: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly inode: bigint;
  readonly linkCount: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** Allocated blocks of 512 bytes: fewer than the size needs means holes (or compression below). */
  readonly blocks512: number;
}

export const STAT_ROW_BYTES = 256;
export const STAT_ROW_WORDS = 64;

const WORD = {
  linkCount: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inode: 8,
  size: 10,
  blocks: 12,
  ctimeSec: 24,
  ctimeNs: 26,
  mtimeSec: 28,
  mtimeNs: 30,
  rdevMajor: 32,
  rdevMinor: 33,
  devMajor: 34,
  devMinor: 35,
} as const;
const TWO_32 = 2 ** 32;
const KIND_SHIFT = 12;
const KIND_BY_FORMAT: readonly (EntryKind | undefined)[] = [
  undefined,
  "fifo",
  "char-device",
  undefined,
  "folder",
  undefined,
  "block-device",
  undefined,
  "file",
  undefined,
  "symlink",
  undefined,
  "socket",
  undefined,
  undefined,
  undefined,
];
const PERMISSION_BITS = 0o7777;

/** Rows of stats. Rows are numbered from 0; reading a row that holds an errno throws it. */
export class EntryStats {
  readonly rowCount: number;
  /** The rows, 64 words each: may be compared and copied as they are. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** Per row: 0, or why the entry could not be read. */
  readonly errnos: Int32Array<ArrayBuffer>;

  constructor(rowCount: number) {
    this.rowCount = rowCount;
    this.words = new Uint32Array(new ArrayBuffer(rowCount * STAT_ROW_BYTES));
    this.errnos = new Int32Array(rowCount);
  }

  /** The errno's name, as in `EACCES`, when the row could not be read, else `null`. */
  errorName(row: number): string | null {
    const errno = this.errnos[row] as number;
    return errno === 0 ? null : errnoToName(errno);
  }

  kind(row: number): EntryKind {
    const kind = KIND_BY_FORMAT[((this.words[row * STAT_ROW_WORDS + WORD.mode] as number) & 0xffff) >>> KIND_SHIFT];
    if (kind === undefined) throw platformFault("statx", this.errorName(row) ?? "EIO");
    return kind;
  }

  mode(row: number): number {
    return (this.words[row * STAT_ROW_WORDS + WORD.mode] as number) & PERMISSION_BITS;
  }

  sizeBytes(row: number): number {
    return this.#u64(row, WORD.size);
  }

  blocks512(row: number): number {
    return this.#u64(row, WORD.blocks);
  }

  linkCount(row: number): number {
    return this.words[row * STAT_ROW_WORDS + WORD.linkCount] as number;
  }

  mtimeSec(row: number): number {
    return this.#i64(row, WORD.mtimeSec);
  }

  mtimeNs(row: number): number {
    return this.words[row * STAT_ROW_WORDS + WORD.mtimeNs] as number;
  }

  ctimeSec(row: number): number {
    return this.#i64(row, WORD.ctimeSec);
  }

  ctimeNs(row: number): number {
    return this.words[row * STAT_ROW_WORDS + WORD.ctimeNs] as number;
  }

  inode(row: number): bigint {
    const word = row * STAT_ROW_WORDS + WORD.inode;
    return (BigInt(this.words[word + 1] as number) << 32n) | BigInt(this.words[word] as number);
  }

  /** The whole row. Throws the row's errno. */
  entry(row: number): EntryStat {
    const at = row * STAT_ROW_WORDS;
    const word = (index: number): number => this.words[at + index] as number;
    return {
      kind: this.kind(row),
      mode: this.mode(row),
      uid: word(WORD.uid),
      gid: word(WORD.gid),
      sizeBytes: this.sizeBytes(row),
      mtimeSec: this.mtimeSec(row),
      mtimeNs: this.mtimeNs(row),
      ctimeSec: this.ctimeSec(row),
      ctimeNs: this.ctimeNs(row),
      devMajor: word(WORD.devMajor),
      devMinor: word(WORD.devMinor),
      inode: this.inode(row),
      linkCount: this.linkCount(row),
      rdevMajor: word(WORD.rdevMajor),
      rdevMinor: word(WORD.rdevMinor),
      blocks512: this.blocks512(row),
    };
  }

  /** Marks `row` as unreadable. */
  setErrno(row: number, errno: number): void {
    this.words.fill(0, row * STAT_ROW_WORDS, (row + 1) * STAT_ROW_WORDS);
    this.errnos[row] = errno;
  }

  /** Fills `row` from numbers as `lstat` gives them with `bigint`: for adapters without statx. */
  set(row: number, stat: RawStat): void {
    const at = row * STAT_ROW_WORDS;
    this.words.fill(0, at, at + STAT_ROW_WORDS);
    this.errnos[row] = 0;
    this.words[at + WORD.linkCount] = Number(stat.nlink);
    this.words[at + WORD.uid] = Number(stat.uid);
    this.words[at + WORD.gid] = Number(stat.gid);
    this.words[at + WORD.mode] = Number(stat.mode);
    this.#set64(at + WORD.inode, stat.ino);
    this.#set64(at + WORD.size, stat.size);
    this.#set64(at + WORD.blocks, stat.blocks);
    this.#setTime(at + WORD.ctimeSec, stat.ctimeNs);
    this.#setTime(at + WORD.mtimeSec, stat.mtimeNs);
    this.words[at + WORD.rdevMajor] = deviceMajor(stat.rdev);
    this.words[at + WORD.rdevMinor] = deviceMinor(stat.rdev);
    this.words[at + WORD.devMajor] = deviceMajor(stat.dev);
    this.words[at + WORD.devMinor] = deviceMinor(stat.dev);
  }

  #u64(row: number, index: number): number {
    const word = row * STAT_ROW_WORDS + index;
    return (this.words[word] as number) + (this.words[word + 1] as number) * TWO_32;
  }

  #i64(row: number, index: number): number {
    const word = row * STAT_ROW_WORDS + index;
    return (this.words[word] as number) + ((this.words[word + 1] as number) | 0) * TWO_32;
  }

  #set64(word: number, value: bigint): void {
    this.words[word] = Number(BigInt.asUintN(32, value));
    this.words[word + 1] = Number(BigInt.asUintN(32, value >> 32n));
  }

  #setTime(word: number, ns: bigint): void {
    const NS_PER_SEC = 1_000_000_000n;
    const rest = ((ns % NS_PER_SEC) + NS_PER_SEC) % NS_PER_SEC; // Forward from the second, also before 1970.
    this.#set64(word, (ns - rest) / NS_PER_SEC);
    this.words[word + 2] = Number(rest);
  }
}

/** The fields of `fs.BigIntStats` that a row needs. */
export interface RawStat {
  readonly mode: bigint;
  readonly uid: bigint;
  readonly gid: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly nlink: bigint;
  readonly rdev: bigint;
  readonly blocks: bigint;
}

/**
 * Whether two rows show the same, unchanged entry: kind, size, mtime, ctime and inode are equal (docs/format.md, change
 * rule; its other half, the age of the times, is the caller's). Device numbers are left out: they change at reboot.
 */
export function isSameEntry(left: EntryStats, leftRow: number, right: EntryStats, rightRow: number): boolean {
  const a = leftRow * STAT_ROW_WORDS;
  const b = rightRow * STAT_ROW_WORDS;
  if ((((left.words[a + WORD.mode] as number) ^ (right.words[b + WORD.mode] as number)) & 0xffff) >>> KIND_SHIFT !== 0) return false;
  if (left.errnos[leftRow] !== 0 || right.errnos[rightRow] !== 0) return false;
  for (const word of IDENTITY_WORDS) if (left.words[a + word] !== right.words[b + word]) return false;
  return true;
}

const IDENTITY_WORDS: readonly number[] = [
  WORD.inode,
  WORD.inode + 1,
  WORD.size,
  WORD.size + 1,
  WORD.ctimeSec,
  WORD.ctimeSec + 1,
  WORD.ctimeNs,
  WORD.mtimeSec,
  WORD.mtimeSec + 1,
  WORD.mtimeNs,
];

/** Linux packs major and minor numbers into 64 bits like this (makedev(3)). */
function deviceMajor(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}

function deviceMinor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
