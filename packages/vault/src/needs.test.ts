import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { asRecordId } from "@holdfast/protocol";
import { createSeededRandom } from "@holdfast/testkit";
import { applyNeeds, attachOrdinalSet, createOrdinalSet, hasRecord, idsOf, needsOf, recordSetOf } from "./needs.ts";
import { numberedId } from "./testing/samples.ts";

const random = createSeededRandom(47);
const entryId = asRecordId(new Uint8Array(32));
const setOf = (numbers: readonly number[]) => recordSetOf(numbers.map(numberedId));
const someNumbers = (): number[] => Array.from({ length: 60 }, (_, number) => number).filter(() => random.below(2) === 0);

describe("needs", () => {
  it("additions and drops turn the base's set into the full set", () => {
    for (let round = 0; round < 100; round++) {
      const base = setOf(someNumbers());
      const set = setOf(someNumbers());
      const { needs, additions, drops } = needsOf(set, { entryId, set: base });
      assert.equal(bytesToHex(applyNeeds(needs, base, additions, drops)), bytesToHex(set));
    }
  });

  it("a set has each id once, ascending", () => {
    const set = setOf([3, 1, 3, 2, 1]);
    const ids = [...idsOf(set)].map(bytesToHex);
    assert.deepEqual(ids, [1, 2, 3].map((number) => bytesToHex(numberedId(number))).sort());
    for (const number of [1, 2, 3]) assert.ok(hasRecord(set, numberedId(number)));
    assert.ok(!hasRecord(set, numberedId(4)));
  });

  it("ids that do not fit the digests, the count or the base are refused", () => {
    const [base, set] = [setOf([1, 2, 3]), setOf([2, 3, 4, 5])];
    const { needs, additions, drops } = needsOf(set, { entryId, set: base });
    const integrity = { name: "Fault", code: "integrity" };
    assert.throws(() => applyNeeds(needs, base, setOf([4, 6]), drops), integrity);
    assert.throws(() => applyNeeds(needs, base, additions, setOf([2])), integrity);
    assert.throws(() => applyNeeds({ ...needs, count: 5 }, base, additions, drops), integrity);
    assert.throws(() => applyNeeds(needs, setOf([2, 3]), additions, drops), integrity);
    assert.throws(() => applyNeeds(needs, setOf([1, 2, 3, 4]), additions, drops), integrity);
  });

  it("an ordinal set keeps what was marked, in every thread", () => {
    const set = createOrdinalSet(1_000);
    const marked = [0, 31, 32, 63, 500, 999];
    for (const ordinal of [...marked, 31]) set.add(ordinal);
    const other = attachOrdinalSet(set.memory);
    assert.deepEqual([...other.ordinals()], marked);
    assert.equal(other.count, marked.length);
    assert.ok(other.has(31) && !other.has(30));
  });
});
