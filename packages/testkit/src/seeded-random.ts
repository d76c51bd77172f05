/** Randomness that a seed reproduces: never for keys of anything real. */
import type { Bytes, Random } from "@holdfast/base";

export interface SeededRandom extends Random {
  /** Uniform in 0 … 2^32 − 1. */
  u32(): number;
  /** Uniform in 0 … `limit` − 1. */
  below(limit: number): number;
  /** One of `items`, which must not be empty. */
  pick<Item>(items: readonly Item[]): Item;
}

/** The generator of `seed`: sfc32 by Chris Doty-Humphrey (PractRand), warmed up over 12 rounds. Equal seeds give equal sequences. */
export function createSeededRandom(seed: number): SeededRandom {
  let [a, b, c, counter] = [0, seed >>> 0, Math.floor(seed / 4_294_967_296) >>> 0, 1];
  const u32 = (): number => {
    const result = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + result) >>> 0;
    return result;
  };
  for (let round = 0; round < 12; round++) u32();
  const below = (limit: number): number => Math.floor((u32() / 4_294_967_296) * limit);
  return {
    u32,
    below,
    pick: (items) => items[below(items.length)] as (typeof items)[number],
    bytes(byteCount) {
      const bytes: Bytes = new Uint8Array(byteCount);
      for (let index = 0; index < byteCount; index += 4) {
        const word = u32();
        for (let part = 0; part < 4 && index + part < byteCount; part++) bytes[index + part] = word >>> (part * 8);
      }
      return bytes;
    },
  };
}
