/** Damage to bytes, one piece at a time: what a parser must refuse. */
import type { Bytes } from "@holdfast/base";

export interface Damage {
  /** Says what was done, for the message of a failing test. */
  readonly name: string;
  readonly bytes: Bytes;
}

/** A copy for every bit of `bytes`, with that bit flipped: eight times the length. */
export function* flippedBits(bytes: Uint8Array): Generator<Damage> {
  for (let index = 0; index < bytes.length; index++) {
    for (let bit = 0; bit < 8; bit++) {
      const copy = new Uint8Array(bytes);
      copy[index] = (copy[index] as number) ^ (1 << bit);
      yield { name: `bit ${bit} of byte ${index} flipped`, bytes: copy };
    }
  }
}

/** Every proper beginning of `bytes`, the empty one included. */
export function* truncations(bytes: Uint8Array): Generator<Damage> {
  for (let length = 0; length < bytes.length; length++) yield { name: `cut to ${length} bytes`, bytes: new Uint8Array(bytes.subarray(0, length)) };
}

/** `bytes` with one byte more at the end: zero, and 0xff. */
export function* extensions(bytes: Uint8Array): Generator<Damage> {
  for (const last of [0x00, 0xff]) {
    const copy = new Uint8Array(bytes.length + 1);
    copy.set(bytes);
    copy[bytes.length] = last;
    yield { name: `byte ${last} appended`, bytes: copy };
  }
}

/** All of the above. */
export function* damages(bytes: Uint8Array): Generator<Damage> {
  yield* flippedBits(bytes);
  yield* truncations(bytes);
  yield* extensions(bytes);
}
