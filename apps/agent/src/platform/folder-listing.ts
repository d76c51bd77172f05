/**
 * The names in one folder, as raw bytes in one reusable buffer, in the order of those bytes.
 *
 * An adapter appends names in whatever order the system gives them, each followed by a zero byte, and sorts once.
 * Memory stays at the largest folder met: about 50 bytes an entry.
 */
import { compareBytes, Fault } from "@holdfast/base";

/** A folder whose names take more than this is refused with `limit`: some 20 million entries. */
export const FOLDER_LISTING_BYTES_MAX: number = 1024 * 1024 * 1024;

const BYTES_AT_FIRST = 256 * 1024;
const ENTRIES_AT_FIRST = 1024;
const KEY_BYTES = 6; // Six bytes, big-endian, fit a double exactly: most comparisons end there.
const INSERTION_RUN = 12;

export class FolderListing {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(BYTES_AT_FIRST));
  #offsets = new Uint32Array(ENTRIES_AT_FIRST);
  #lengths = new Uint16Array(ENTRIES_AT_FIRST);
  #keys = new Float64Array(ENTRIES_AT_FIRST);
  #order = new Uint32Array(ENTRIES_AT_FIRST);
  #spare = new Uint32Array(ENTRIES_AT_FIRST);
  #count = 0;

  /** Entries, without `.` and `..`. */
  get count(): number {
    return this.#count;
  }

  /** The buffer that names lie in, each followed by a zero byte. It moves when it grows. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** Where the name of an entry begins in `bytes`. */
  nameOffset(entryIndex: number): number {
    return this.#offsets[this.#order[entryIndex] as number] as number;
  }

  nameLength(entryIndex: number): number {
    return this.#lengths[this.#order[entryIndex] as number] as number;
  }

  /** A view of the name, good until the listing is filled again: copy what must stay. */
  name(entryIndex: number): Uint8Array {
    const at = this.#order[entryIndex] as number;
    const offset = this.#offsets[at] as number;
    return this.#bytes.subarray(offset, offset + (this.#lengths[at] as number));
  }

  /** The entry called `name`, or -1. */
  find(name: Uint8Array): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const difference = compareBytes(this.name(middle), name);
      if (difference === 0) return middle;
      if (difference < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** For adapters: forgets all entries. */
  clear(): void {
    this.#count = 0;
  }

  /** For adapters: makes `bytes` hold at least `byteCount`, keeping the first `keptBytes`. Throws `limit`. */
  reserve(byteCount: number, keptBytes: number): void {
    if (byteCount <= this.#bytes.length) return;
    if (byteCount > FOLDER_LISTING_BYTES_MAX)
      throw new Fault("limit", `platform: folder has too many names, got ${byteCount} B, want at most ${FOLDER_LISTING_BYTES_MAX} B`);
    const grown = new Uint8Array(new ArrayBuffer(Math.min(FOLDER_LISTING_BYTES_MAX, Math.max(byteCount, this.#bytes.length * 2))));
    grown.set(this.#bytes.subarray(0, keptBytes));
    this.#bytes = grown;
  }

  /** For adapters: adds the name that lies at `offset` of `bytes`. */
  append(offset: number, length: number): void {
    const index = this.#count;
    if (index === this.#offsets.length) this.#growEntries();
    this.#offsets[index] = offset;
    this.#lengths[index] = length;
    let key = 0;
    for (let at = 0; at < KEY_BYTES; at++) key = key * 256 + (at < length ? (this.#bytes[offset + at] as number) : 0);
    this.#keys[index] = key;
    this.#count = index + 1;
  }

  /** For adapters: puts the entries in the order of their raw names. Call once, after the last `append`. */
  sort(): void {
    const count = this.#count;
    for (let index = 0; index < count; index++) this.#order[index] = index;
    for (let start = 0; start < count; start += INSERTION_RUN) this.#insertionSort(start, Math.min(start + INSERTION_RUN, count));
    let from = this.#order;
    let into = this.#spare;
    for (let width = INSERTION_RUN; width < count; width *= 2) {
      for (let start = 0; start < count; start += width * 2) {
        this.#merge(from, into, start, Math.min(start + width, count), Math.min(start + width * 2, count));
      }
      [from, into] = [into, from];
    }
    this.#order = from;
    this.#spare = into;
  }

  #insertionSort(start: number, end: number): void {
    const order = this.#order;
    for (let index = start + 1; index < end; index++) {
      const moved = order[index] as number;
      let at = index;
      while (at > start && this.#compare(order[at - 1] as number, moved) > 0) {
        order[at] = order[at - 1] as number;
        at--;
      }
      order[at] = moved;
    }
  }

  #merge(from: Uint32Array, into: Uint32Array, start: number, middle: number, end: number): void {
    let left = start;
    let right = middle;
    for (let at = start; at < end; at++) {
      const takeLeft = left < middle && (right >= end || this.#compare(from[left] as number, from[right] as number) <= 0);
      into[at] = takeLeft ? (from[left++] as number) : (from[right++] as number);
    }
  }

  #compare(left: number, right: number): number {
    const difference = (this.#keys[left] as number) - (this.#keys[right] as number);
    if (difference !== 0) return difference;
    const leftOffset = this.#offsets[left] as number;
    const rightOffset = this.#offsets[right] as number;
    const leftLength = this.#lengths[left] as number;
    const rightLength = this.#lengths[right] as number;
    const shared = Math.min(leftLength, rightLength);
    for (let at = KEY_BYTES; at < shared; at++) {
      const step = (this.#bytes[leftOffset + at] as number) - (this.#bytes[rightOffset + at] as number);
      if (step !== 0) return step;
    }
    return leftLength - rightLength;
  }

  #growEntries(): void {
    const entryCount = this.#offsets.length * 2;
    const grow = <T extends Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(old: T, grown: T): T => {
      grown.set(old);
      return grown;
    };
    this.#offsets = grow(this.#offsets, new Uint32Array(entryCount));
    this.#lengths = grow(this.#lengths, new Uint16Array(entryCount));
    this.#keys = grow(this.#keys, new Float64Array(entryCount));
    this.#order = new Uint32Array(entryCount);
    this.#spare = new Uint32Array(entryCount);
  }
}
