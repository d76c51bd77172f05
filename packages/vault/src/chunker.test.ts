import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSeededRandom } from "@holdfast/testkit";
import { createCutter, createGear, findCut, findCutReference } from "./chunker.ts";

const SEED = 41;
const random = createSeededRandom(SEED);
const GEAR = createGear(random.bytes(32));
const DATA = random.bytes(6_000_000);

function cutsOf(find: typeof findCut, data: Uint8Array, start: number, end: number): number[] {
  const cuts: number[] = [];
  for (let at = start; at < end; at = cuts.at(-1) as number) cuts.push(find(data, at, end, GEAR));
  return cuts;
}

describe(`chunker (seed ${SEED})`, () => {
  it("cuts random data where the slow reference does", () => {
    assert.deepEqual(cutsOf(findCut, DATA, 0, DATA.length), cutsOf(findCutReference, DATA, 0, DATA.length));
  });

  it("cuts where the reference does whatever the start and the end", () => {
    for (let round = 0; round < 6; round++) {
      const start = random.below(3_000_000);
      const end = start + random.below(3_000_000);
      assert.deepEqual(cutsOf(findCut, DATA, start, end), cutsOf(findCutReference, DATA, start, end), `${start} to ${end}`);
    }
  });

  it("cuts at the maximum when nothing else does, and at the end of the extent", () => {
    const zeros = new Uint8Array(5_000_000);
    const gearOfNoCut = new Int32Array(256).fill(0x55555555);
    assert.equal(findCut(zeros, 0, zeros.length, gearOfNoCut), 4_194_304);
    assert.equal(findCut(zeros, 4_194_304, zeros.length, gearOfNoCut), zeros.length);
    assert.equal(findCut(zeros, 10, 11, gearOfNoCut), 11);
  });

  it("the cutter finds the same cuts in pieces of any length, also when it skips what needs no reading", () => {
    const want = cutsOf(findCut, DATA, 0, DATA.length).map((cut, index, cuts) => cut - (cuts[index - 1] ?? 0));
    for (const skips of [false, true]) {
      const cutter = createCutter(GEAR);
      const got: number[] = [];
      for (let at = 0; at < DATA.length; ) {
        if (skips) {
          const skipped = Math.min(cutter.skippableBytes, DATA.length - at);
          cutter.skip(skipped);
          at += skipped;
        }
        const end = Math.min(DATA.length, at + 1 + random.below(300_000));
        cutter.push(DATA, at, end, (length) => got.push(length));
        at = end;
      }
      const last = cutter.finish();
      assert.deepEqual(last === 0 ? got : [...got, last], want);
    }
  });

  it("the cutter starts afresh after an extent", () => {
    const cutter = createCutter(GEAR);
    cutter.push(DATA, 0, 300_000, () => {});
    cutter.finish();
    const got: number[] = [];
    cutter.push(DATA, 0, DATA.length, (length) => got.push(length));
    assert.equal(got[0], findCut(DATA, 0, DATA.length, GEAR));
  });
});
