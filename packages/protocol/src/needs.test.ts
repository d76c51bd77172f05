import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, type FaultCode, isFault } from "@holdfast/base";
import { needsOf, testId, testVerifier } from "@holdfast/testkit";
import { asRecordId } from "./id.ts";
import { NEEDS_IDS_MAX } from "./limits.ts";
import { checkNeedsCount, checkNeedsDigests, digestRecordIds } from "./needs.ts";

const { sha256 } = testVerifier;
const [a, b, c] = ["a", "b", "c"].map((name) => asRecordId(testId(name))) as [
  ReturnType<typeof asRecordId>,
  ReturnType<typeof asRecordId>,
  ReturnType<typeof asRecordId>,
];
const faultOf = (code: FaultCode) => (error: unknown) => isFault(error, code);

describe("needs", () => {
  it("digest the ids in ascending order, whatever order they come in", () => {
    assert.deepEqual(digestRecordIds([a, b, c], sha256), digestRecordIds([c, a, b], sha256));
    assert.notDeepEqual(digestRecordIds([a, b], sha256), digestRecordIds([a, c], sha256));
  });

  it("digest nothing to the SHA-256 of nothing", () => {
    assert.equal(bytesToHex(digestRecordIds([], sha256)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("digest as many ids as an entry may add", () => {
    const ids = Array.from({ length: NEEDS_IDS_MAX }, (_, index) => asRecordId(new Uint8Array(32).fill(index & 255)));
    assert.equal(digestRecordIds(ids, sha256).length, 32);
  });

  it("take the ids that were signed and no others", () => {
    const needs = needsOf(2, [a, b], [c]);
    checkNeedsDigests(needs, [b, a], [c], sha256);
    assert.throws(() => checkNeedsDigests(needs, [a], [c], sha256), faultOf("integrity"));
    assert.throws(() => checkNeedsDigests(needs, [a, b, c], [c], sha256), faultOf("integrity"));
    assert.throws(() => checkNeedsDigests(needs, [a, b], [], sha256), faultOf("integrity"));
    assert.throws(() => checkNeedsDigests(needs, [c], [a, b], sha256), faultOf("integrity"));
  });

  it("refuse an id that comes twice, even when its digest was signed so", () => {
    assert.throws(() => checkNeedsDigests(needsOf(2, [a, a]), [a, a], [], sha256), faultOf("format"));
    assert.throws(() => checkNeedsDigests(needsOf(2, [a], [b, b]), [a], [b, b], sha256), faultOf("format"));
  });

  it("count what the base has, more and less", () => {
    checkNeedsCount(needsOf(2, [a, b]), null, 2, 0);
    checkNeedsCount(needsOf(4, [a, b], [c], a), 3, 2, 1);
    assert.throws(() => checkNeedsCount(needsOf(3, [a, b]), null, 2, 0), faultOf("integrity"));
    assert.throws(() => checkNeedsCount(needsOf(3, [a, b], [c], a), 3, 2, 1), faultOf("integrity"));
    assert.throws(() => checkNeedsCount(needsOf(1, [a, b], [c]), null, 2, 1), faultOf("format"));
  });
});
