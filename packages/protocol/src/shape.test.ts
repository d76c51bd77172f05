import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FaultCode, isFault } from "@holdfast/base";
import { takeArray, takeBoolean, takeBytes, takeFields, takeInt, takeOneOf, takeText, takeUint } from "./shape.ts";

const refuses = (take: () => unknown, code: FaultCode = "format"): void =>
  assert.throws(take, (error) => isFault(error, code) && error.message.startsWith("thing"));

describe("shapes", () => {
  it("of fields: required ones are there, no unknown ones", () => {
    const map = new Map([
      [1, "a"],
      [3, "c"],
    ]);
    assert.equal(takeFields(map, "thing", [1], [2, 3]), map);
    for (const [value, required, optional] of [
      [map, [1, 2], [3]],
      [map, [1], []],
      [[], [], []],
      [null, [], []],
      [{ 1: 2 }, [1], []],
    ] as const)
      refuses(() => takeFields(value, "thing", required, optional));
  });

  it("of arrays: their length, and at most so many", () => {
    assert.deepEqual(takeArray([1, 2], "thing", 2), [1, 2]);
    refuses(() => takeArray([1, 2], "thing", 3));
    refuses(() => takeArray("12", "thing"));
    assert.deepEqual(takeArray([1, 2], "thing", undefined, 2), [1, 2]);
    refuses(() => takeArray([1, 2, 3], "thing", undefined, 2), "limit");
  });

  it("of integers: unsigned, bounded, of either sign", () => {
    assert.equal(takeUint(5, "thing", 5), 5);
    for (const wrong of [6, -1, 1.5, "5", null, undefined, 2 ** 53, Number.NaN]) refuses(() => takeUint(wrong, "thing", 5));
    assert.equal(takeInt(-5, "thing"), -5);
    for (const wrong of [1.5, "5", -(2 ** 53)]) refuses(() => takeInt(wrong, "thing"));
    assert.equal(takeOneOf(2, "thing", [1, 2]), 2);
    for (const wrong of [3, "2", null]) refuses(() => takeOneOf(wrong, "thing", [1, 2]));
  });

  it("of bytes: their length, and at most so many", () => {
    assert.deepEqual(takeBytes(Uint8Array.of(1), "thing", 1), Uint8Array.of(1));
    for (const wrong of [Uint8Array.of(1, 2), "a", [1]]) refuses(() => takeBytes(wrong, "thing", 1));
    refuses(() => takeBytes(Uint8Array.of(1, 2), "thing", undefined, 1), "limit");
  });

  it("of texts: measured in bytes of UTF-8, not in characters", () => {
    assert.equal(takeText("üü", "thing", 4), "üü");
    refuses(() => takeText("üüa", "thing", 4), "limit");
    refuses(() => takeText("水水", "thing", 5), "limit");
    refuses(() => takeText(5, "thing", 4));
  });

  it("of booleans", () => {
    assert.equal(takeBoolean(false, "thing"), false);
    for (const wrong of [0, null, "true"]) refuses(() => takeBoolean(wrong, "thing"));
  });
});
