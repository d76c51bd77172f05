/** Small helpers over `Uint8Array` that every package needs and no platform gives in all runtimes. */
import type { Bytes } from "./brand.ts";

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Lower-case hex of `bytes`. */
export function bytesToHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

/** Bytes of `hex` in either case, or `null` when it is not hex of whole bytes. */
export function hexToBytes(hex: string): Bytes | null {
  if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) return null;
  const bytes = new Uint8Array(hex.length / 2);
  for (let index = 0; index < bytes.length; index++) bytes[index] = Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}

/** UTF-8 of `text`. */
export function utf8(text: string): Bytes {
  return textEncoder.encode(text);
}

/** Text of UTF-8 `bytes`, or `null` when they are not UTF-8. A byte-order mark is kept. */
export function utf8ToText(bytes: Uint8Array): string | null {
  try {
    return textDecoder.decode(bytes);
  } catch {
    return null;
  }
}

/** A copy of `bytes[start … end)` in memory of its own. `slice` is none: on a platform's own kind of buffer it gives a view. */
export function copyBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): Bytes {
  return new Uint8Array(bytes.subarray(start, end));
}

/** The parts one after the other, in fresh memory. */
export function concatBytes(...parts: readonly Uint8Array[]): Bytes {
  return joinBytes(parts);
}

/** `concatBytes` of a list of any length: a hundred thousand arguments overflow the stack. */
export function joinBytes(parts: readonly Uint8Array[]): Bytes {
  let byteCount = 0;
  for (const part of parts) byteCount += part.length;
  const joined = new Uint8Array(byteCount);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Below this a buffer may be a piece of a platform's pool, and gives too little back. */
const DISCARDED_BYTES_MIN = 16 * 1024;

/**
 * Gives the memory of `bytes` back now, where the runtime can and nothing else lies in their buffer: a collector that does not
 * feel the weight of buffers leaves them for long. `bytes` are empty afterwards, as is every other view on them.
 */
export function discardBytes(bytes: Uint8Array): void {
  const buffer = bytes.buffer as ArrayBuffer & { transfer?(byteLength: number): ArrayBuffer };
  if (bytes.byteLength < DISCARDED_BYTES_MIN || bytes.byteLength !== buffer.byteLength) return;
  buffer.transfer?.(0); // Shared memory has none, nor has Node 20.
}

/** Whether two public values are equal. Not for secrets: see `equalBytesConstantTime`. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}

/** Whether two secrets or tags are equal, in time that depends on their length only. */
export function equalBytesConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index++) difference |= (left[index] as number) ^ (right[index] as number);
  return difference === 0;
}

/** Order of raw bytes, shorter first among equals: the order of names in trees, ids in indexes, keys in CBOR maps. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index++) {
    const difference = (left[index] as number) - (right[index] as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Big-endian unsigned 32-bit bytes of `value`. */
export function u32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** Unpadded base64url of `bytes` (RFC 4648 §5). */
export function bytesToBase64Url(bytes: Uint8Array): string {
  return bytesToBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Padded base64 of `bytes` (RFC 4648 §4). */
export function bytesToBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Bytes of base64 or base64url `text`, padded or not, or `null` when it is neither. */
export function base64ToBytes(text: string): Bytes | null {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return null;
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
