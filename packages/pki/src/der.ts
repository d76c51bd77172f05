/**
 * The little DER (ITU-T X.690) that is read and written by hand here: definite lengths up to 65,535 bytes to write,
 * and the outermost length to check.
 */
import { type Bytes, concatBytes } from "@holdfast/base";

export const DER_SEQUENCE = 0x30;

/** One element of `tag` with `parts` as its content. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  const content = concatBytes(...parts);
  const count = content.length;
  const header = count < 0x80 ? [tag, count] : count < 0x100 ? [tag, 0x81, count] : [tag, 0x82, count >>> 8, count & 0xff];
  return concatBytes(Uint8Array.from(header), content);
}

/** Bytes of tag and length of the element at `at`. */
export function derHeaderBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at + 1] ?? 0;
  return first < 0x80 ? 2 : 2 + (first & 0x7f);
}

/** Whether `bytes` are one sequence with nothing after it: parsers of ASN.1 tend to stop at its end and say nothing. */
export function isOneSequence(bytes: Uint8Array): boolean {
  const headerBytes = derHeaderBytes(bytes, 0);
  if (bytes[0] !== DER_SEQUENCE || headerBytes > 6 || headerBytes > bytes.length) return false;
  let count = bytes[1] as number;
  if (headerBytes > 2) {
    count = 0;
    for (let index = 2; index < headerBytes; index++) count = count * 256 + (bytes[index] as number);
  }
  return headerBytes + count === bytes.length;
}
