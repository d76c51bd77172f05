import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { createSeededRandom } from "./seeded-random.ts";
import { damages, flippedBits, truncations } from "./tamper.ts";

describe("seeded random", () => {
  it("repeats for one seed and differs between seeds", () => {
    const hex = (seed: number): string => bytesToHex(createSeededRandom(seed).bytes(37));
    assert.equal(hex(7), hex(7));
    assert.equal(new Set([0, 1, 2, 2 ** 32, 2 ** 33].map(hex)).size, 5);
  });

  it("stays below its limit and meets every value", () => {
    const random = createSeededRandom(3);
    const seen = new Set(Array.from({ length: 500 }, () => random.below(10)));
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

describe("tamper", () => {
  it("gives every flipped bit and every proper beginning once, none equal to the original", () => {
    const original = Uint8Array.of(1, 2, 3);
    const hexes = [...damages(original)].map((damage) => bytesToHex(damage.bytes));
    assert.equal([...flippedBits(original)].length, 24);
    assert.deepEqual(
      [...truncations(original)].map((damage) => damage.bytes.length),
      [0, 1, 2],
    );
    assert.equal(new Set(hexes).size, 29);
    assert.ok(!hexes.includes("010203"));
  });
});
