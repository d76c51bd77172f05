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
import { closeSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { equalBytes } from "@holdfast/base";
import { createSha256 } from "@holdfast/crypto/hash";

export const ROW = { end: 0, enter: 1, entry: 2, ids: 3, leave: 4, nodes: 5 } as const;
export const IDENTITY_WORDS = 10;

const MAGIC = new TextEncoder().encode("HFLIST1\n");
const HEADER_BYTES = MAGIC.length + 8 + 4;
const DIGEST_BYTES = 32;
const WINDOW_BYTES = 256 * 1024;
const ID_BYTES = 32;

/** Appends rows to a new listing. Close it, then rename it into place once the snapshot is committed. */
export class ListingWriter {
  readonly #file: number;
  readonly #hasher = createSha256();
  #buffer = new Uint8Array(WINDOW_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  constructor(path: string, startedMs: number, epoch: number) {
    this.#file = openSync(path, "w", 0o600);
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
    const digest = this.#hasher.digest();
    writeSync(this.#file, digest);
    fsyncSync(this.#file);
    closeSync(this.#file);
  }

  /** Gives up: the file is left to be removed. */
  abandon(): void {
    closeSync(this.#file);
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
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(this.#file, bytes, offset, bytes.length - offset);
  }
}

/**
 * A cursor over a listing. `next` reads the following row; its fields are views, good until the next call.
 * The whole file is hashed first, so that a damaged one is never half used.
 */
export class ListingReader implements Disposable {
  readonly startedMs: number;
  readonly epoch: number;
  readonly #file: number;
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

  /** The listing at `path`, or `null` when there is none that is whole. */
  static open(path: string): ListingReader | null {
    let file: number;
    try {
      file = openSync(path, "r");
    } catch {
      return null;
    }
    const contentBytes = wholeContentBytes(file);
    if (contentBytes === null) {
      closeSync(file);
      return null;
    }
    return new ListingReader(file);
  }

  private constructor(file: number) {
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
    closeSync(this.#file);
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
    while (this.#end < byteCount) {
      const readBytes = readSync(this.#file, this.#buffer, this.#end, this.#buffer.length - this.#end, this.#position);
      // The digest was checked and the file is ours: it cannot end within a row.
      if (readBytes === 0) throw new Error("listing: ends within a row");
      this.#end += readBytes;
      this.#position += readBytes;
    }
  }
}

/** Length of the content when the file is a whole listing, else `null`. */
function wholeContentBytes(file: number): number | null {
  const window = new Uint8Array(WINDOW_BYTES);
  const hasher = createSha256();
  let held = new Uint8Array(0); // The last 32 bytes are not hashed: they may be the digest.
  let contentBytes = 0;
  for (let position = 0; ; ) {
    const readBytes = readSync(file, window, 0, WINDOW_BYTES, position);
    if (readBytes === 0) break;
    if (position === 0 && !equalBytes(window.subarray(0, MAGIC.length), MAGIC)) return null;
    position += readBytes;
    const joined = new Uint8Array(held.length + readBytes);
    joined.set(held);
    joined.set(window.subarray(0, readBytes), held.length);
    const hashable = Math.max(0, joined.length - DIGEST_BYTES);
    hasher.update(joined.subarray(0, hashable));
    contentBytes += hashable;
    held = joined.slice(hashable);
  }
  const isWhole = contentBytes >= HEADER_BYTES && held.length === DIGEST_BYTES && equalBytes(hasher.digest(), held);
  return isWhole ? contentBytes : null;
}
