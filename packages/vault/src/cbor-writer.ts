/**
 * Writes deterministic CBOR (docs/format.md §1) by hand into one growing buffer: trees and lists are written by the
 * million, and a general encoder would first need an object for each. Callers write map keys in ascending order.
 */
import { assert } from "@holdfast/base";

const textEncoder = new TextEncoder();

/** A cursor over a buffer that doubles when it is full. `bytes` may be replaced by any call: read it afresh. */
export class CborWriter {
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(initialBytes: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(initialBytes));
  }

  /** Makes room for `byteCount` more bytes. */
  reserve(byteCount: number): void {
    const needed = this.length + byteCount;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(new ArrayBuffer(Math.max(needed, this.bytes.length * 2)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  uint(value: number): void {
    this.#head(0x00, value);
  }

  int(value: number): void {
    if (value < 0) this.#head(0x20, -1 - value);
    else this.#head(0x00, value);
  }

  array(itemCount: number): void {
    this.#head(0x80, itemCount);
  }

  map(pairCount: number): void {
    this.#head(0xa0, pairCount);
  }

  byteString(value: Uint8Array): void {
    this.#head(0x40, value.length);
    this.reserve(value.length);
    // A call of `set` costs more than copying a short name byte by byte.
    if (value.length <= 40) for (let index = 0; index < value.length; index++) this.bytes[this.length + index] = value[index] as number;
    else this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** Bytes that are CBOR already. */
  raw(encoded: Uint8Array): void {
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  /** Text; lone surrogates must not occur in it. */
  text(value: string): void {
    if (value.length < 24) {
      this.reserve(1 + value.length);
      let index = 0;
      for (; index < value.length; index++) {
        const unit = value.charCodeAt(index);
        if (unit >= 0x80) break;
        this.bytes[this.length + 1 + index] = unit;
      }
      if (index === value.length) {
        this.bytes[this.length] = 0x60 | value.length;
        this.length += 1 + value.length;
        return;
      }
    }
    const encoded = textEncoder.encode(value);
    this.#head(0x60, encoded.length);
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  #head(major: number, value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, "cbor: number is a safe integer");
    this.reserve(9);
    this.length = writeHead(this.bytes, this.length, major, value);
  }
}

/** Bytes that the head of an item with argument `value` takes. */
export function headBytes(value: number): number {
  if (value < 24) return 1;
  if (value < 0x100) return 2;
  if (value < 0x1_0000) return 3;
  return value < 0x1_0000_0000 ? 5 : 9;
}

/** Writes a head in shortest form at `offset`; returns the offset after it. `major` is the major type shifted left by five. */
export function writeHead(bytes: Uint8Array, offset: number, major: number, value: number): number {
  let at = offset;
  if (value < 24) {
    bytes[at++] = major | value;
    return at;
  }
  const size = headBytes(value) - 1;
  bytes[at++] = major | (size === 1 ? 24 : size === 2 ? 25 : size === 4 ? 26 : 27);
  if (size === 8) {
    at = writeU32(bytes, at, Math.floor(value / 0x1_0000_0000));
    return writeU32(bytes, at, value % 0x1_0000_0000);
  }
  if (size === 4) return writeU32(bytes, at, value);
  if (size === 2) bytes[at++] = value >>> 8;
  bytes[at++] = value & 255;
  return at;
}

/** Writes `value` as big-endian u32; returns the offset after it. */
export function writeU32(bytes: Uint8Array, offset: number, value: number): number {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = (value >>> 16) & 255;
  bytes[offset + 2] = (value >>> 8) & 255;
  bytes[offset + 3] = value & 255;
  return offset + 4;
}

/** Big-endian u32 at `offset`, which the caller has bounded. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) * 0x1_00_00_00 + (((bytes[offset + 1] as number) << 16) | ((bytes[offset + 2] as number) << 8) | (bytes[offset + 3] as number))
  );
}
