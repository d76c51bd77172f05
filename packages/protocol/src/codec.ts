/**
 * The CBOR border: the only file that imports a CBOR library.
 *
 * - `encodeCanonical` / `decodeCanonical`: whatever is hashed or signed. Deterministic (RFC 8949 §4.2.1), strict (docs/format.md §1).
 * - `encodeMessage` / `decodeMessage`: bodies of requests and answers. The same, but for keys, which are texts in any order, and
 *   for floats of 64 bits.
 *
 * Both ways in, `scan` walks the bytes first, so that what builds the values never meets a bomb. That part is our own: one library
 * drops a byte-order mark at the start of a text, so that a text could be written and not read again; another's native string
 * reader aborts Bun on a long text, which a peer could send.
 */
import { AssertionFailure, type Bytes, Fault, utf8ToText } from "@holdfast/base";
import { encode, rfc8949EncodeOptions } from "cborg";
import { CBOR_DEPTH_MAX, MESSAGE_BYTES_MAX } from "./limits.ts";

/** What canonical structures are made of. Numbers are integers within ±(2^53 − 1). */
export type Canonical = number | string | boolean | null | Uint8Array | readonly Canonical[] | ReadonlyMap<number, Canonical>;

/** Head of a CBOR item: major type, argument, offset of what follows. */
export interface CborHead {
  readonly major: number;
  readonly value: number;
  readonly next: number;
}

type Dialect = "canonical" | "message";

const FLOAT64 = 0xfb;
const MESSAGE_OPTIONS = Object.freeze({ float64: true, ignoreUndefinedProperties: true });

/** Canonical bytes of `value`, in fresh memory. A value that no reader would take (a fraction, too deep) is our bug and fails an assert. */
export function encodeCanonical(value: Canonical): Bytes {
  const bytes = ownBytes(encode(value, rfc8949EncodeOptions));
  try {
    scan(bytes, "canonical");
  } catch (cause) {
    throw new AssertionFailure("assert: value has no canonical encoding", { cause });
  }
  return bytes;
}

/**
 * Decodes exactly one canonical item: byte strings to fresh `Uint8Array`s, maps to `Map`. Nested deeper than `CBOR_DEPTH_MAX`:
 * `limit`. Anything else that is not canonical: `format`. Nothing is allocated for a length that the bytes cannot hold.
 */
export function decodeCanonical(bytes: Uint8Array): unknown {
  scan(bytes, "canonical");
  return build(bytes, { offset: 0 }, "canonical");
}

/**
 * Walks the items without recursion and without memory for them: definite lengths that fit in the bytes, allowed types, UTF-8,
 * bounded depth, nothing trailing. In the canonical dialect also shortest heads and sorted unique integer keys, so that what
 * passes re-encodes to the same bytes.
 */
function scan(bytes: Uint8Array, dialect: Dialect): void {
  const left: number[] = [1]; // Items still to come at each depth.
  const keys: (number | null)[] = [null]; // Last key of the map at each depth (-1 before the first), or null outside maps.
  let offset = 0;
  while (left.length > 0) {
    const depth = left.length - 1;
    const remaining = left[depth] as number;
    if (remaining === 0) {
      left.pop();
      keys.pop();
      continue;
    }
    const head = dialect === "canonical" ? readHead(bytes, offset) : readMessageHead(bytes, offset);
    const lastKey = keys[depth] as number | null;
    if (lastKey !== null && remaining % 2 === 0) keys[depth] = checkKey(head, lastKey, dialect);
    left[depth] = remaining - 1;
    offset = head.next;
    if (head.major === 2 || head.major === 3) {
      if (head.value > bytes.length - offset) throw new Fault("format", "cbor: truncated");
      if (head.major === 3 && textAt(bytes, offset, head.value) === null) throw new Fault("format", "cbor: text is not UTF-8");
      offset += head.value;
    } else if (head.major === 4 || head.major === 5) {
      const items = head.major === 4 ? head.value : head.value * 2;
      if (items > bytes.length - offset) throw new Fault("format", "cbor: truncated");
      if (left.length > CBOR_DEPTH_MAX) throw new Fault("limit", `cbor: nested too deep, want at most ${CBOR_DEPTH_MAX} levels`);
      left.push(items);
      keys.push(head.major === 5 ? -1 : null);
    }
  }
  if (offset !== bytes.length) throw new Fault("format", "cbor: trailing bytes");
}

/** The new last key. Canonical keys ascend; keys of messages are texts. */
function checkKey(head: CborHead, lastKey: number, dialect: Dialect): number {
  if (dialect === "message") {
    if (head.major !== 3) throw new Fault("format", "cbor: map key is not a text");
    return lastKey;
  }
  if (head.major !== 0) throw new Fault("format", "cbor: map key is not an unsigned integer");
  // Shortest heads sort as their numbers do.
  if (head.value <= lastKey) throw new Fault("format", "cbor: map keys not in order");
  return head.value;
}

/** Head of a canonical item. Refuses indefinite lengths, tags, floats, arguments not in shortest form, and integers beyond ±(2^53 − 1). */
export function readHead(bytes: Uint8Array, offset: number): CborHead {
  const head = readAnyHead(bytes, offset);
  const { major, value } = head;
  const headBytes = head.next - offset;
  if (major === 6) throw new Fault("format", "cbor: tag not allowed");
  if (major === 7 && (headBytes > 1 || value < 20 || value > 22)) throw new Fault("format", "cbor: type not allowed");
  if (value > Number.MAX_SAFE_INTEGER - (major === 1 ? 1 : 0)) throw new Fault("format", "cbor: integer too large");
  const shortest = value < 24 ? 1 : value < 256 ? 2 : value < 65_536 ? 3 : value < 4_294_967_296 ? 5 : 9;
  if (shortest !== headBytes) throw new Fault("format", "cbor: not in shortest form");
  return head;
}

/** Head of an item of a message: floats of 64 bits are allowed. */
function readMessageHead(bytes: Uint8Array, offset: number): CborHead {
  return bytes[offset] === FLOAT64 ? readAnyHead(bytes, offset) : readHead(bytes, offset);
}

/** Head of any item with a definite length. Above 2^53 `value` is rounded. */
function readAnyHead(bytes: Uint8Array, offset: number): CborHead {
  const first = bytes[offset];
  if (first === undefined) throw new Fault("format", "cbor: truncated");
  const major = first >> 5;
  const info = first & 31;
  if (info < 24) return { major, value: info, next: offset + 1 };
  if (info > 27) throw new Fault("format", "cbor: type not allowed");
  const next = offset + 1 + (1 << (info - 24));
  if (next > bytes.length) throw new Fault("format", "cbor: truncated");
  let value = 0;
  for (let index = offset + 1; index < next; index++) value = value * 256 + (bytes[index] as number);
  return { major, value, next };
}

/** The item at the cursor, which moves behind it. The bytes have been scanned, so the recursion is at most `CBOR_DEPTH_MAX` deep. */
function build(bytes: Uint8Array, cursor: { offset: number }, dialect: Dialect): unknown {
  const { offset } = cursor;
  const { major, value, next } = dialect === "canonical" ? readHead(bytes, offset) : readMessageHead(bytes, offset);
  cursor.offset = next;
  switch (major) {
    case 0:
      return value;
    case 1:
      return -1 - value;
    case 2:
      cursor.offset += value;
      return dialect === "canonical" ? new Uint8Array(bytes.subarray(next, cursor.offset)) : bytes.subarray(next, cursor.offset);
    case 3:
      cursor.offset += value;
      return textAt(bytes, next, value);
    case 4:
      return Array.from({ length: value }, () => build(bytes, cursor, dialect));
    case 5:
      return dialect === "canonical" ? buildMap(bytes, cursor, value) : buildObject(bytes, cursor, value);
    default:
      if (bytes[offset] === FLOAT64) return new DataView(bytes.buffer, bytes.byteOffset + offset + 1, 8).getFloat64(0);
      return value === 22 ? null : value === 21;
  }
}

function buildMap(bytes: Uint8Array, cursor: { offset: number }, pairCount: number): ReadonlyMap<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let count = 0; count < pairCount; count++) {
    const key = build(bytes, cursor, "canonical");
    map.set(key, build(bytes, cursor, "canonical"));
  }
  return map;
}

function buildObject(bytes: Uint8Array, cursor: { offset: number }, pairCount: number): Readonly<Record<string, unknown>> {
  const object: Record<string, unknown> = {};
  for (let count = 0; count < pairCount; count++) {
    const key = build(bytes, cursor, "message") as string;
    if (key === "__proto__" || Object.hasOwn(object, key)) throw new Fault("format", "cbor: map key not allowed, or twice");
    object[key] = build(bytes, cursor, "message");
  }
  return object;
}

/** `bytes` as a plain array over memory of its own: the library returns a `Buffer` in a shared pool where there is one. */
function ownBytes(bytes: Uint8Array): Bytes {
  const isOwn = bytes.constructor === Uint8Array && bytes.byteLength === bytes.buffer.byteLength;
  return isOwn ? (bytes as Bytes) : new Uint8Array(bytes);
}

function textAt(bytes: Uint8Array, offset: number, length: number): string | null {
  return utf8ToText(bytes.subarray(offset, offset + length));
}

/** CBOR of a message: plain objects with text keys. Fields that are `undefined` are left out. */
export function encodeMessage(message: object): Bytes {
  return ownBytes(encode(message, MESSAGE_OPTIONS));
}

/**
 * The object in `bytes`, unchecked but for its form: a schema follows. Byte strings are views on `bytes`. More than `bytesMax`
 * bytes, or nested deeper than `CBOR_DEPTH_MAX`: `limit`. Anything else that is wrong: `format`.
 */
export function decodeMessage(bytes: Uint8Array, bytesMax: number = MESSAGE_BYTES_MAX): unknown {
  if (bytes.length > bytesMax) throw new Fault("limit", `message: too long, got ${bytes.length}, want at most ${bytesMax}`);
  scan(bytes, "message");
  return build(bytes, { offset: 0 }, "message");
}
