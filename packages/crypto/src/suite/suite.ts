/**
 * The port of a suite (docs/format.md §3): a named set of algorithms that seals a plaintext under a key and a context.
 *
 * A sealed text is `header ‖ segment 0 ‖ segment 1 ‖ … ‖ last segment`. Whatever is wrong with it (key, context, tag, length, order) is
 * one and the same `integrity` fault, and no byte leaves before its segment has been authenticated.
 */
import { type Brand, type Bytes, Fault, type Random } from "@holdfast/base";

/** 32 uniformly random bytes under which a suite seals. */
export type InputKey = Brand<Bytes, "InputKey">;

export const INPUT_KEY_BYTES = 32;

/** Plaintext in one piece, or in parts that are sealed as if they were joined, without being copied together. */
export type Plaintext = Uint8Array | readonly Uint8Array[];

export interface Suite {
  readonly id: number;
  readonly name: string;
  /** Bytes before the first segment. */
  readonly headerBytes: number;
  /** Plaintext bytes of every segment but the last. */
  readonly segmentBytes: number;
  /** Sealed bytes of every segment but the last. */
  readonly sealedSegmentBytes: number;

  /** Length of the sealed text of `plainBytes` bytes. */
  sealedBytes(plainBytes: number): number;
  /** Length of the plaintext in a sealed text of `sealedBytes` bytes, or `null` when none has that length. */
  plainBytes(sealedBytes: number): number | null;
  /** Where the plaintext bytes `start` to `end − 1` of `plainBytes` lie. The range must not be empty. */
  span(plainBytes: number, start: number, end: number): SegmentSpan;

  /**
   * Seals the whole plaintext and writes it into `out` from `outOffset` on, without a copy between.
   *
   * @param context - Authenticated, not stored: opening needs the same bytes.
   * @param out - May be shared memory; must not overlap the plaintext. Left out: fresh memory.
   * @returns View on the sealed bytes in `out`.
   */
  seal(random: Random, key: InputKey, context: Uint8Array, plaintext: Plaintext, out?: Uint8Array, outOffset?: number): Promise<Uint8Array>;
  /** The same without a promise, for workers; `null` where the runtime only has asynchronous crypto of use. */
  readonly sealSync: ((random: Random, key: InputKey, context: Uint8Array, plaintext: Plaintext, out?: Uint8Array, outOffset?: number) => Uint8Array) | null;

  /** The whole plaintext, in fresh memory. `sealed` may be shared memory. */
  open(key: InputKey, context: Uint8Array, sealed: Uint8Array): Promise<Bytes>;
  readonly openSync: ((key: InputKey, context: Uint8Array, sealed: Uint8Array) => Bytes) | null;

  /** Seals in runs of segments, in order. Its header comes before the first run. */
  createSealer(random: Random, key: InputKey, context: Uint8Array): SegmentSealer;
  /** Opens runs of segments, in any order. A header that does not commit to key and context is an `integrity` fault. */
  createOpener(key: InputKey, context: Uint8Array, header: Uint8Array): SegmentOpener;
}

/** The segments that hold a range of plaintext. */
export interface SegmentSpan {
  readonly firstSegment: number;
  /** Bytes of the sealed text to fetch. */
  readonly sealedStart: number;
  readonly sealedEnd: number;
  /** Whether the last of them is the last segment of the text. */
  readonly lastIncluded: boolean;
  /** Bytes of the opened plaintext before the range. */
  readonly skipBytes: number;
}

export interface SegmentSealer {
  readonly header: Bytes;
  /** The next segments. Unless `last`, the plaintext is a multiple of `segmentBytes`. After `last` the sealer is done. */
  sealSegments(plaintext: Plaintext, last: boolean): Promise<Bytes>;
}

export interface SegmentOpener {
  /**
   * Plaintext of the whole segments in `sealed`, the first of which is number `firstSegment`. With `lastIncluded` they run to the end of the
   * text, which proves its length; without it, later segments exist and only the content and place of these are proven.
   */
  openSegments(firstSegment: number, sealed: Uint8Array, lastIncluded: boolean): Promise<Bytes>;
}

/** The only fault of opening, whatever the cause: it tells an attacker nothing. */
export function sealedFault(): Fault {
  return new Fault("integrity", "sealed: does not authenticate");
}

/** `bytes` as a key, which the caller vouches to be uniformly random. Not 32 bytes: `format`. */
export function asInputKey(bytes: Uint8Array): InputKey {
  if (bytes.length !== INPUT_KEY_BYTES) throw new Fault("format", `input key: got ${bytes.length} bytes, want ${INPUT_KEY_BYTES}`);
  return bytes as InputKey;
}
