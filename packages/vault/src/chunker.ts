/**
 * Chunker 1 (docs/format.md §8): content-defined cuts by a keyed 32-bit gear hash, two masks, a fresh hash at every cut.
 * Chunks cover one data extent; an extent of a sparse file is cut by itself.
 */
import { assert } from "@holdfast/base";
import { hkdfSha512 } from "@holdfast/crypto/hash";
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MEAN, CHUNK_BYTES_MIN } from "@holdfast/protocol";
import { readU32 } from "./cbor-writer.ts";

/** 256 words, as signed integers: the engines shift those fastest. */
export type Gear = Int32Array;

/** Id of this chunker in a vault's config. */
export const CHUNKER_ID = 1;
/** 22 bits, up to the mean. */
const MASK_BEFORE_MEAN = 0xfffffc00 | 0;
/** 18 bits, from the mean on. */
const MASK_FROM_MEAN = 0xffffc000 | 0;
const GEAR_WORDS = 256;

/** The gear table of a 32-byte `chunkerKey`. */
export function createGear(chunkerKey: Uint8Array): Gear {
  const words = hkdfSha512(chunkerKey, new Uint8Array(0), new TextEncoder().encode("holdfast/v1/gear"), GEAR_WORDS * 4);
  return Int32Array.from({ length: GEAR_WORDS }, (_, word) => readU32(words, word * 4));
}

/** Where the chunk that begins at `start` ends, at most `end`, which is the end of the extent. */
export function findCut(data: Uint8Array, start: number, end: number, gear: Gear): number {
  const last = Math.min(end, start + CHUNK_BYTES_MAX);
  if (last - start <= CHUNK_BYTES_MIN) return last;
  const mean = Math.min(last, start + CHUNK_BYTES_MEAN);
  const state: GearState = { hash: 0 };
  const early = scan(state, data, start + CHUNK_BYTES_MIN, mean, MASK_BEFORE_MEAN, gear);
  if (early !== -1) return early;
  const late = scan(state, data, mean, last, MASK_FROM_MEAN, gear);
  return late === -1 ? last : late;
}

/** Finds cuts in an extent that is read piece by piece, in the memory of one piece. The cuts are those of `findCut`. */
export interface Cutter {
  /** Bytes from here on that cannot hold a cut and need not be read: `skip` as many of them as the extent has. */
  readonly skippableBytes: number;
  skip(byteCount: number): void;
  /** Takes the next piece of the extent, `data[start … end)`. Calls `onCut` with the length of each chunk that ends in it. */
  push(data: Uint8Array, start: number, end: number, onCut: (chunkBytes: number) => void): void;
  /** Ends the extent. Length of its last chunk, or 0 when it ended with a cut. Ready for the next extent afterwards. */
  finish(): number;
}

export function createCutter(gear: Gear): Cutter {
  const state: GearState = { hash: 0 };
  let chunkBytes = 0;
  const cut = (onCut: (chunkBytes: number) => void): void => {
    const length = chunkBytes;
    chunkBytes = 0;
    state.hash = 0;
    onCut(length);
  };
  return {
    get skippableBytes() {
      return Math.max(0, CHUNK_BYTES_MIN - chunkBytes);
    },
    skip(byteCount) {
      assert(byteCount <= Math.max(0, CHUNK_BYTES_MIN - chunkBytes), "cutter: skips only what cannot hold a cut");
      chunkBytes += byteCount;
    },
    push(data, start, end, onCut) {
      let at = start;
      while (at < end) {
        if (chunkBytes < CHUNK_BYTES_MIN) {
          const skipped = Math.min(end - at, CHUNK_BYTES_MIN - chunkBytes);
          chunkBytes += skipped;
          at += skipped;
          continue;
        }
        const isEarly = chunkBytes < CHUNK_BYTES_MEAN;
        const to = Math.min(end, at + (isEarly ? CHUNK_BYTES_MEAN : CHUNK_BYTES_MAX) - chunkBytes);
        const found = scan(state, data, at, to, isEarly ? MASK_BEFORE_MEAN : MASK_FROM_MEAN, gear);
        const next = found === -1 ? to : found;
        chunkBytes += next - at;
        at = next;
        if (found !== -1 || chunkBytes === CHUNK_BYTES_MAX) cut(onCut);
      }
    },
    finish() {
      const length = chunkBytes;
      chunkBytes = 0;
      state.hash = 0;
      return length;
    },
  };
}

/** `findCut` as the format page writes it: slow, the oracle of the tests. */
export function findCutReference(data: Uint8Array, start: number, end: number, gear: Gear): number {
  const n = Math.min(end - start, CHUNK_BYTES_MAX);
  if (n <= CHUNK_BYTES_MIN) return start + n;
  let hash = 0;
  for (let index = CHUNK_BYTES_MIN; index < n; index++) {
    hash = (hash * 2 + ((gear[data[start + index] as number] as number) >>> 0)) % 0x1_0000_0000;
    const zeroBits = index < CHUNK_BYTES_MEAN ? 0xfffffc00 : 0xffffc000;
    if ((hash & zeroBits) === 0) return start + index + 1;
  }
  return start + n;
}

interface GearState {
  hash: number;
}

/** Rolls over `data[from … to)`. Offset after the first byte where the hash meets `mask`, or -1 with the hash kept in `state`. */
function scan(state: GearState, data: Uint8Array, from: number, to: number, mask: number, gear: Gear): number {
  let hash = state.hash;
  let at = from;
  const unrolledTo = to - 3;
  while (at < unrolledTo) {
    hash = ((hash << 1) + (gear[data[at] as number] as number)) | 0;
    if ((hash & mask) === 0) return at + 1;
    hash = ((hash << 1) + (gear[data[at + 1] as number] as number)) | 0;
    if ((hash & mask) === 0) return at + 2;
    hash = ((hash << 1) + (gear[data[at + 2] as number] as number)) | 0;
    if ((hash & mask) === 0) return at + 3;
    hash = ((hash << 1) + (gear[data[at + 3] as number] as number)) | 0;
    if ((hash & mask) === 0) return at + 4;
    at += 4;
  }
  for (; at < to; at++) {
    hash = ((hash << 1) + (gear[data[at] as number] as number)) | 0;
    if ((hash & mask) === 0) return at + 1;
  }
  state.hash = hash;
  return -1;
}
