/**
 * Frames (docs/format.md §4): CBOR `[1, kind, suite, epoch, body]`. The head is written and read by hand, so that
 * a body of megabytes is neither copied nor parsed.
 */
import { assert, type Bytes, Fault } from "@holdfast/base";
import { readHead } from "./codec.ts";
import { FORMAT_VERSION, FRAME_BYTES_MAX } from "./limits.ts";

/** Record kinds by name. */
export const RECORD_KINDS = {
  config: 1,
  slot: 2,
  contentPack: 3,
  structurePack: 4,
  contentIndex: 5,
  structureIndex: 6,
  snapshot: 7,
  journalEntry: 8,
  receipt: 9,
} as const;

export type RecordKind = (typeof RECORD_KINDS)[keyof typeof RECORD_KINDS];

/** Suites that each kind may have; index = kind. */
const SUITES_BY_KIND: readonly (readonly number[])[] = [[], [1], [0], [1, 2], [1], [1], [1], [1], [0], [0]];

/** What a frame says of itself before its body. */
export interface FrameHead {
  readonly kind: RecordKind;
  readonly suite: number;
  readonly epoch: number;
  readonly bodyOffset: number;
  readonly bodyBytes: number;
}

/** Longest head of a frame: of so many bytes `parseFrameHead` never asks for more. */
export const FRAME_HEAD_BYTES_MAX = 14;

/** The bytes before the body. The frame is these followed by `bodyBytes` bytes. */
export function encodeFrameHead(kind: RecordKind, suite: number, epoch: number, bodyBytes: number): Bytes {
  const head = [0x85, FORMAT_VERSION, kind, suite];
  pushHead(head, 0, epoch);
  pushHead(head, 2, bodyBytes);
  assert(epoch >= 0 && epoch <= 0xffffffff && head.length + bodyBytes <= FRAME_BYTES_MAX, "frame: nothing is written that no reader would take");
  return Uint8Array.from(head);
}

/** A whole frame in fresh memory: for small records. */
export function encodeFrame(kind: RecordKind, suite: number, epoch: number, body: Uint8Array): Bytes {
  const head = encodeFrameHead(kind, suite, epoch, body.length);
  const frame = new Uint8Array(head.length + body.length);
  frame.set(head);
  frame.set(body, head.length);
  return frame;
}

/**
 * Head of the frame that begins at `bytes[offset]`, or `null` when more bytes are needed to tell.
 * Not a frame, or a suite that the kind does not have: `format`. Unknown format version or kind: `version`. Too long: `limit`.
 */
export function parseFrameHead(bytes: Uint8Array, offset = 0): FrameHead | null {
  const available = bytes.length - offset;
  if (available < 1) return null;
  if (bytes[offset] !== 0x85) throw new Fault("format", "frame: not an array of five");
  if (available < 4) return null;
  if (bytes[offset + 1] !== FORMAT_VERSION) throw new Fault("version", "frame: format version unknown, want 1");
  const kind = bytes[offset + 2] as number;
  const suite = bytes[offset + 3] as number;
  const suites = SUITES_BY_KIND[kind];
  if (kind === 0 || suites === undefined) throw new Fault("version", `frame: record kind ${kind} unknown`);
  if (!suites.includes(suite)) throw new Fault("format", `frame: suite ${suite} not allowed for record kind ${kind}`);
  if (isHeadCut(bytes, offset + 4)) return null;
  const epoch = readHead(bytes, offset + 4);
  if (epoch.major !== 0 || epoch.value > 0xffffffff) throw new Fault("format", "frame: epoch is not an unsigned 32-bit integer");
  if (suite === 0 && epoch.value !== 0) throw new Fault("format", "frame: epoch of an unsealed record is not 0");
  const body = readHead(bytes, epoch.next);
  if (body.major !== 2) throw new Fault("format", "frame: body is not a byte string");
  const bodyOffset = body.next - offset;
  if (bodyOffset + body.value > FRAME_BYTES_MAX) throw new Fault("limit", `frame: too long, want at most ${FRAME_BYTES_MAX} bytes`);
  return { kind: kind as RecordKind, suite, epoch: epoch.value, bodyOffset, bodyBytes: body.value };
}

/** The one frame that `bytes` are, with its body as a view. Anything before, after or missing is a `format` fault. */
export function parseFrame(bytes: Uint8Array): FrameHead & { readonly body: Bytes } {
  if (bytes.length > FRAME_BYTES_MAX) throw new Fault("limit", `frame: too long, want at most ${FRAME_BYTES_MAX} bytes`);
  const head = parseFrameHead(bytes);
  if (head === null || head.bodyOffset + head.bodyBytes > bytes.length) throw new Fault("format", "frame: truncated");
  if (head.bodyOffset + head.bodyBytes < bytes.length) throw new Fault("format", "frame: trailing bytes");
  return { ...head, body: bytes.subarray(head.bodyOffset) as Bytes };
}

/** `parseFrame`, and the kind must be `kind`. */
export function parseFrameOf(kind: RecordKind, bytes: Uint8Array): FrameHead & { readonly body: Bytes } {
  const frame = parseFrame(bytes);
  if (frame.kind !== kind) throw new Fault("integrity", `frame: got record kind ${frame.kind}, want ${kind}`);
  return frame;
}

/** Whether the heads of epoch and body, from `offset` on, run past the end of `bytes`. Heads of 9 bytes stand for more than either may be. */
function isHeadCut(bytes: Uint8Array, offset: number): boolean {
  let next = offset;
  for (const what of ["epoch", "body"]) {
    const first = bytes[next];
    if (first === undefined) return true;
    const info = first & 31;
    if (info > 26) throw new Fault(info === 27 ? "limit" : "format", `frame: head of the ${what} is too long`);
    next += info < 24 ? 1 : 1 + (1 << (info - 24));
  }
  return next > bytes.length;
}

function pushHead(bytes: number[], major: number, value: number): void {
  const first = major << 5;
  if (value < 24) bytes.push(first | value);
  else if (value < 256) bytes.push(first | 24, value);
  else if (value < 65_536) bytes.push(first | 25, value >>> 8, value & 255);
  else bytes.push(first | 26, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}
