/**
 * Reads deterministic CBOR (docs/format.md §1) of a known shape, item by item: what the shape does not expect next is
 * refused, so nothing is taken in that would not re-encode to the same bytes. Faults are `format`, and `limit` for what is
 * longer than a limit of §19.
 */
import { type Bytes, copyBytes, Fault, type FaultCode, utf8ToText } from "@holdfast/base";
import { readU32 } from "./cbor-writer.ts";

/** A cursor over `bytes`. Byte strings are copied out, so that the source may be reused. */
export class CborReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  uint(max: number = Number.MAX_SAFE_INTEGER, over: FaultCode = "format"): number {
    const value = this.#head(0);
    if (value > max) throw this.fault(`got ${value}, want at most ${max}`, over);
    return value;
  }

  int(): number {
    if ((this.#bytes[this.#offset] as number) >> 5 !== 1) return this.#head(0);
    const value = -1 - this.#head(1);
    if (!Number.isSafeInteger(value)) throw this.fault("number too small");
    return value;
  }

  /** Exactly `length` bytes. */
  fixedBytes(length: number): Bytes {
    const got = this.#head(2);
    if (got !== length) throw this.fault(`byte string of ${got} bytes, want ${length}`);
    return copyBytes(this.#take(length));
  }

  /** More than `lengthMax` bytes: `limit`. */
  byteString(lengthMax: number): Bytes {
    const length = this.#head(2);
    if (length > lengthMax) throw this.fault(`byte string of ${length} bytes, want at most ${lengthMax}`, "limit");
    return copyBytes(this.#take(length));
  }

  text(bytesMax: number): string {
    const length = this.#head(3);
    if (length > bytesMax) throw this.fault(`text of ${length} bytes, want at most ${bytesMax}`, "limit");
    // The platform's decoder does not read shared memory: copy.
    const text = utf8ToText(copyBytes(this.#take(length)));
    if (text === null) throw this.fault("text is not utf-8");
    return text;
  }

  /** Head of an array of `countMin` to `countMax` items; returns their number. More of them: `over`. */
  array(countMin: number, countMax: number, over: FaultCode = "format"): number {
    return this.#count(4, countMin, countMax, over);
  }

  /** Head of a map; returns the number of its pairs. */
  map(countMin: number, countMax: number): number {
    return this.#count(5, countMin, countMax, "format");
  }

  /** The next item must be the unsigned integer `value`. */
  expectUint(value: number): void {
    if (this.#head(0) !== value) throw this.fault(`want field ${value}`);
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#offset !== this.#bytes.length) throw this.fault("trailing bytes");
  }

  fault(message: string, code: FaultCode = "format"): Fault {
    return new Fault(code, `${this.#what}: ${message}`);
  }

  #count(major: number, countMin: number, countMax: number, over: FaultCode): number {
    const count = this.#head(major);
    if (count < countMin || count > countMax) throw this.fault(`got ${count} items, want ${countMin} to ${countMax}`, count > countMax ? over : "format");
    return count;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#offset) throw this.fault("truncated");
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  #head(major: number): number {
    const bytes = this.#bytes;
    const at = this.#offset;
    const first = bytes[at];
    if (first === undefined) throw this.fault("truncated");
    if (first >> 5 !== major) throw this.fault(`item of major type ${first >> 5}, want ${major}`);
    const info = first & 31;
    if (info < 24) {
      this.#offset = at + 1;
      return info;
    }
    if (info > 27) throw this.fault("indefinite length");
    const size = 1 << (info - 24);
    if (at + 1 + size > bytes.length) throw this.fault("truncated");
    this.#offset = at + 1 + size;
    let value: number;
    if (size === 1) value = bytes[at + 1] as number;
    else if (size === 2) value = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    else if (size === 4) value = readU32(bytes, at + 1);
    else value = readU32(bytes, at + 1) * 0x1_0000_0000 + readU32(bytes, at + 5);
    const least = size === 1 ? 24 : size === 2 ? 0x100 : size === 4 ? 0x1_0000 : 0x1_0000_0000;
    if (value < least) throw this.fault("number not in shortest form");
    if (value > Number.MAX_SAFE_INTEGER) throw this.fault("number too large");
    return value;
  }
}
