import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { discardBytes } from "./bytes.ts";

const FREES: string | false = "transfer" in ArrayBuffer.prototype ? false : "NOT RUN: this runtime cannot give a buffer back";

describe("discarded bytes", () => {
  it("are gone at once", { skip: FREES }, () => {
    const bytes = new Uint8Array(64 * 1024).fill(7);
    const view = bytes.subarray(1000, 2000);
    discardBytes(bytes);
    assert.equal(bytes.length + view.length, 0);
  });

  it("stay when something else may lie in their buffer, or others share it", () => {
    const whole = new Uint8Array(64 * 1024).fill(7);
    discardBytes(whole.subarray(0, 32 * 1024));
    discardBytes(whole.subarray(1));
    assert.equal(whole[0], 7);
    const shared = new Uint8Array(new SharedArrayBuffer(64 * 1024)).fill(7);
    discardBytes(shared);
    assert.equal(shared[0], 7);
    const small = new Uint8Array(100).fill(7);
    discardBytes(small);
    assert.equal(small[99], 7);
  });
});
