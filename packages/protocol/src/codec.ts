/**
 * The CBOR border: the only file that imports a CBOR library.
 *
 * - `encodeCanonical` / `decodeCanonical`: whatever is hashed or signed. Deterministic (RFC 8949 §4.2.1), strict.
 * - `encodeMessage` / `decodeMessage`: bodies of requests and answers, which nothing hashes: `cbor-x`, several times faster.
 *
 * Byte strings decode to fresh `Uint8Array`s, maps with integer keys to `Map`.
 */
import { type Bytes, compareBytes, equalBytes, Fault, utf8ToText } from "@holdfast/base";
import { Encoder } from "cbor-x";
import { decode, encode, rfc8949EncodeOptions } from "cborg";
import { CBOR_DEPTH_MAX, MESSAGE_BYTES_MAX } from "./limits.ts";

const DECODE_OPTIONS = Object.freeze({
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  useMaps: true,
  rejectDuplicateMapKeys: true,
});

/** What canonical structures are made of. */
export type Canonical = number | string | boolean | null | Uint8Array | readonly Canonical[] | ReadonlyMap<number, Canonical>;

/** Canonical bytes of `value`. Map keys whose value is `undefined` must not be set. */
export function encodeCanonical(value: Canonical): Bytes {
  return encode(value, rfc8949EncodeOptions) as Bytes;
}

/** Decodes exactly one canonical item. Anything else is a `format` fault; nothing is allocated for a length that the bytes cannot hold. */
export function decodeCanonical(bytes: Uint8Array): unknown {
  scan(bytes);
  let value: unknown;
  try {
    value = decode(bytes, DECODE_OPTIONS);
  } catch (cause) {
    throw new Fault("format", "cbor: does not decode", { cause });
  }
  // Decoding still lets through unsorted keys and integers beyond 2^53.
  if (!equalBytes(encodeCanonical(value as Canonical), bytes)) throw new Fault("format", "cbor: not canonical");
  return value;
}

/**
 * Walks the items without recursion and without memory: shortest heads, definite lengths that fit in the bytes, allowed
 * types, bounded depth, sorted unique map keys, nothing trailing. So the decoder behind it never sees a bomb.
 */
function scan(bytes: Uint8Array): void {
  const left: number[] = [1]; // Items still to come at each depth.
  const keys: (Uint8Array | null)[] = [null]; // Last key of the map at each depth, or null outside maps.
  let offset = 0;
  while (left.length > 0) {
    const depth = left.length - 1;
    if (left[depth] === 0) {
      left.pop();
      keys.pop();
      continue;
    }
    const head = readHead(bytes, offset);
    const isKey = keys[depth] !== null && (left[depth] as number) % 2 === 0;
    if (isKey) {
      if (head.major !== 0) throw new Fault("format", "cbor: map key is not an unsigned integer");
      const key = bytes.subarray(offset, head.next);
      const last = keys[depth] as Uint8Array;
      if (last.length > 0 && compareBytes(last, key) >= 0) throw new Fault("format", "cbor: map keys not in order");
      keys[depth] = key;
    }
    left[depth] = (left[depth] as number) - 1;
    offset = head.next;
    if (head.major === 2 || head.major === 3) {
      if (head.value > bytes.length - offset) throw new Fault("format", "cbor: truncated");
      if (head.major === 3 && utf8ToText(bytes.subarray(offset, offset + head.value)) === null) throw new Fault("format", "cbor: text is not UTF-8");
      offset += head.value;
    } else if (head.major === 4 || head.major === 5) {
      const items = head.major === 4 ? head.value : head.value * 2;
      if (items > bytes.length - offset) throw new Fault("format", "cbor: truncated");
      if (left.length > CBOR_DEPTH_MAX) throw new Fault("format", "cbor: nested too deep");
      left.push(items);
      keys.push(head.major === 5 ? new Uint8Array(0) : null);
    } else if (head.major === 7 && (head.value < 20 || head.value > 22)) {
      throw new Fault("format", "cbor: type not allowed");
    } else if (head.major === 6) {
      throw new Fault("format", "cbor: tag not allowed");
    }
  }
  if (offset !== bytes.length) throw new Fault("format", "cbor: trailing bytes");
}

/** Head of a CBOR item: major type, argument, offset of what follows. Refuses indefinite lengths and arguments not in shortest form. */
export function readHead(bytes: Uint8Array, offset: number): { major: number; value: number; next: number } {
  const first = bytes[offset];
  if (first === undefined) throw new Fault("format", "cbor: truncated");
  const major = first >> 5;
  const info = first & 31;
  if (info < 24) return { major, value: info, next: offset + 1 };
  if (info > 27 || major === 7) throw new Fault("format", "cbor: type not allowed");
  const argumentBytes = 1 << (info - 24);
  const next = offset + 1 + argumentBytes;
  if (next > bytes.length) throw new Fault("format", "cbor: truncated");
  let value = 0;
  for (let index = offset + 1; index < next; index++) value = value * 256 + (bytes[index] as number);
  const shortest = value < 24 ? 0 : value < 256 ? 1 : value < 65_536 ? 2 : value < 4_294_967_296 ? 4 : 8;
  if (shortest !== argumentBytes) throw new Fault("format", "cbor: not in shortest form");
  if (value > Number.MAX_SAFE_INTEGER) throw new Fault("format", "cbor: integer too large");
  return { major, value, next };
}

const messageCodec = new Encoder({ useRecords: false, structuredClone: false, tagUint8Array: false, variableMapSize: true, mapsAsObjects: true });

/** CBOR of a message: plain objects with text keys. */
export function encodeMessage(message: object): Bytes {
  return new Uint8Array(messageCodec.encode(message)) as Bytes;
}

/** The object in `bytes`, unchecked: a schema follows. Byte strings are views on `bytes`. More than `bytesMax` bytes: `limit`. */
export function decodeMessage(bytes: Uint8Array, bytesMax: number = MESSAGE_BYTES_MAX): unknown {
  if (bytes.length > bytesMax) throw new Fault("limit", `message: too long, got ${bytes.length}, want at most ${bytesMax}`);
  try {
    return messageCodec.decode(bytes);
  } catch (cause) {
    throw new Fault("format", "message: does not decode", { cause });
  }
}
