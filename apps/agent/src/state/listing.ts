/**
 * Listings: what the last run of a line saw, in the order of its walk, so that the next run compares in lock-step with
 * constant memory. A listing is a cache: lost or damaged, every file is read again and nothing else happens.
 *
 *     "HFLIST1\n" | f64 start of the run, ms | u32 epoch | rows | u8 0 | SHA-256 of everything before
 *     row: u8 type | fields, little-endian
 *       1 enter  u16 name length, name | 10 identity words | u32 length, encoded xattr part
 *       2 entry  u16 name length, name | 10 identity words | u32 mode word | u32 length, CBOR of the entry | u32 id count, ids
 *       3 ids    u32 id count, ids: more objects of the entry before (lists and their chunks)
 *       4 leave
 *       5 nodes  u32 id count, ids: structure objects emitted since the last such row
 */
import { assert, type Disk, type DiskFile, equalBytes, isFault } from "@holdfast/base";
import { createSha256 } from "@holdfast/crypto/hash";

export const ROW = { end: 0, enter: 1, entry: 2, ids: 3, leave: 4, nodes: 5 } as const;
export const IDENTITY_WORDS = 10;

const MAGIC = new TextEncoder().encode("HFLIST1\n");
const HEADER_BYTES = MAGIC.length + 8 + 4;
const DIGEST_BYTES = 32;
const WINDOW_BYTES = 256 * 1024;
const ID_BYTES = 32;
const PRIVATE_MODE = 0o600;

/** Appends rows to a new listing. Close it, then rename it into place once the snapshot is committed. */
export class ListingWriter {
  readonly #file: DiskFile;
  readonly #hasher = createSha256();
  #buffer = new Uint8Array(WINDOW_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  #position = 0;

  constructor(disk: Disk, path: string, startedMs: number, epoch: number) {
    this.#file = disk.makeFile(path, PRIVATE_MODE, "emptied");
    this.#bytes(MAGIC);
    this.#reserve(12);
    this.#view.setFloat64(this.#length, startedMs, true);
    this.#view.setUint32(this.#length + 8, epoch, true);
    this.#length += 12;
  }

  enter(name: Uint8Array, words: Uint32Array, at: number, identity: readonly number[], xattrs: Uint8Array): void {
    this.#head(ROW.enter, name, words, at, identity);
    this.#sized(xattrs, 0, xattrs.length);
  }

  /** `ids` are joined object ids of the content, in order. */
  entry(name: Uint8Array, words: Uint32Array, at: number, identity: readonly number[], modeWord: number, encoded: Uint8Array, ids: Uint8Array): void {
    this.#head(ROW.entry, name, words, at, identity);
    this.#u32(modeWord);
    this.#sized(encoded, 0, encoded.length);
    this.#u32(ids.length / ID_BYTES);
    this.#bytes(ids);
  }

  ids(ids: Uint8Array): void {
    this.#idRow(ROW.ids, ids);
  }

  nodes(ids: Uint8Array): void {
    this.#idRow(ROW.nodes, ids);
  }

  leave(): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = ROW.leave;
  }

  /** Ends the listing, durable. */
  close(): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = ROW.end;
    this.#flush();
    this.#file.writeAt(this.#hasher.digest(), this.#position);
    this.#file.sync();
    this.#file[Symbol.dispose]();
  }

  /** Gives up: the file stays behind, not whole, until the next run makes it anew. */
  abandon(): void {
    this.#file[Symbol.dispose]();
  }

  #head(type: number, name: Uint8Array, words: Uint32Array, at: number, identity: readonly number[]): void {
    this.#reserve(3 + name.length + identity.length * 4);
    this.#buffer[this.#length] = type;
    this.#view.setUint16(this.#length + 1, name.length, true);
    this.#buffer.set(name, this.#length + 3);
    this.#length += 3 + name.length;
    for (const word of identity) {
      this.#view.setUint32(this.#length, words[at + word] as number, true);
      this.#length += 4;
    }
  }

  #idRow(type: number, ids: Uint8Array): void {
    this.#reserve(5);
    this.#buffer[this.#length++] = type;
    this.#u32(ids.length / ID_BYTES);
    this.#bytes(ids);
  }

  #u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  #sized(bytes: Uint8Array, start: number, end: number): void {
    this.#u32(end - start);
    this.#bytes(bytes.subarray(start, end));
  }

  #bytes(bytes: Uint8Array): void {
    if (bytes.length > WINDOW_BYTES / 2) {
      this.#flush();
      this.#write(bytes);
      return;
    }
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(byteCount: number): void {
    if (this.#length + byteCount > this.#buffer.length) this.#flush();
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
    this.#file.writeAt(bytes, this.#position);
    this.#position += bytes.length;
  }
}

/**
 * A cursor over a listing. `next` reads the following row; its fields are views, good until the next call.
 * The whole file is hashed first, so that a damaged one is never half used.
 */
export class ListingReader implements Disposable {
  readonly startedMs: number;
  readonly epoch: number;
  readonly #file: DiskFile;
  #buffer = new Uint8Array(WINDOW_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #start = 0;
  #end = 0;
  #position: number;

  /** Type of the current row; `ROW.end` at the end. */
  type: number = ROW.end;
  name: Uint8Array = this.#buffer.subarray(0, 0);
  /** Identity words of an enter or entry row. */
  readonly identity = new Uint32Array(IDENTITY_WORDS);
  modeWord = 0;
  /** CBOR of an entry, or the xattr part of an enter row. */
  encoded: Uint8Array = this.#buffer.subarray(0, 0);
  /** Joined ids of an entry, ids or nodes row. */
  ids: Uint8Array = this.#buffer.subarray(0, 0);

  /** The listing at `path`, or `null` when there is none that is whole and can be read. */
  static open(disk: Disk, path: string): ListingReader | null {
    let file: DiskFile | null = null;
    try {
      file = disk.openFile(path);
      if (file !== null && isWhole(file)) return new ListingReader(file);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
    file?.[Symbol.dispose]();
    return null;
  }

  private constructor(file: DiskFile) {
    this.#file = file;
    this.#position = MAGIC.length;
    this.#need(12);
    this.startedMs = this.#view.getFloat64(this.#start, true);
    this.epoch = this.#view.getUint32(this.#start + 8, true);
    this.#start += 12;
  }

  next(): void {
    this.#need(1);
    this.type = this.#buffer[this.#start++] as number;
    if (this.type === ROW.enter || this.type === ROW.entry) this.#readHead();
    if (this.type === ROW.enter) this.encoded = this.#take(this.#u32());
    if (this.type === ROW.ids || this.type === ROW.nodes) this.ids = this.#take(this.#u32() * ID_BYTES);
  }

  /** Skips what lies below the enter row just read, up to and including its leave row. */
  skipFolder(): void {
    for (let depth = 1; depth > 0; ) {
      this.next();
      if (this.type === ROW.enter) depth++;
      else if (this.type === ROW.leave) depth--;
      else if (this.type === ROW.end) return;
    }
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #readHead(): void {
    this.#need(2);
    const nameLength = this.#view.getUint16(this.#start, true);
    const isEntry = this.type === ROW.entry;
    // The row is made whole in the window first, so that its views stay good together.
    const headBytes = 2 + nameLength + IDENTITY_WORDS * 4 + (isEntry ? 4 : 0) + 4;
    this.#need(headBytes);
    if (isEntry) {
      const encodedBytes = this.#view.getUint32(this.#start + headBytes - 4, true);
      this.#need(headBytes + encodedBytes + 4);
      const idCount = this.#view.getUint32(this.#start + headBytes + encodedBytes, true);
      this.#need(headBytes + encodedBytes + 4 + idCount * ID_BYTES);
    } else this.#need(headBytes + this.#view.getUint32(this.#start + headBytes - 4, true));
    this.#start += 2;
    this.name = this.#take(nameLength);
    for (let word = 0; word < IDENTITY_WORDS; word++) this.identity[word] = this.#u32();
    if (!isEntry) return;
    this.modeWord = this.#u32();
    this.encoded = this.#take(this.#u32());
    this.ids = this.#take(this.#u32() * ID_BYTES);
  }

  #u32(): number {
    this.#need(4);
    this.#start += 4;
    return this.#view.getUint32(this.#start - 4, true);
  }

  #take(byteCount: number): Uint8Array {
    this.#need(byteCount);
    this.#start += byteCount;
    return this.#buffer.subarray(this.#start - byteCount, this.#start);
  }

  /** Makes `byteCount` bytes from the cursor on lie in the window. */
  #need(byteCount: number): void {
    if (this.#end - this.#start >= byteCount) return;
    if (byteCount > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(byteCount, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    } else this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    const readBytes = this.#file.readAt(this.#buffer.subarray(this.#end), this.#position);
    this.#end += readBytes;
    this.#position += readBytes;
    // The digest was checked and the file is ours: it cannot end within a row.
    assert(this.#end >= byteCount, "listing: ends within a row");
  }
}

/** Whether the file is a listing that ends with the digest of all before. */
function isWhole(file: DiskFile): boolean {
  const contentBytes = file.sizeBytes() - DIGEST_BYTES;
  if (contentBytes <= HEADER_BYTES) return false;
  const window = new Uint8Array(WINDOW_BYTES);
  const hasher = createSha256();
  for (let position = 0; position < contentBytes; ) {
    const readBytes = file.readAt(window.subarray(0, Math.min(WINDOW_BYTES, contentBytes - position)), position);
    if (readBytes === 0) return false;
    if (position === 0 && !equalBytes(window.subarray(0, MAGIC.length), MAGIC)) return false;
    hasher.update(window.subarray(0, readBytes));
    position += readBytes;
  }
  const digest = new Uint8Array(DIGEST_BYTES);
  return file.readAt(digest, contentBytes) === DIGEST_BYTES && equalBytes(hasher.digest(), digest);
}
