import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeClock } from "@holdfast/testkit";
import { NonceCache } from "./nonce-cache.ts";

describe("nonce cache", () => {
  it("knows a nonce for at least the time it keeps them, and forgets it within twice that", async () => {
    const clock = createFakeClock();
    const cache = new NonceCache(clock, 1000, 10);
    assert.equal(cache.add("a"), true);
    await clock.advance(999);
    assert.equal(cache.add("a"), false);
    assert.equal(cache.add("b"), true);
    await clock.advance(1);
    assert.equal(cache.add("a"), false);
    await clock.advance(999);
    assert.equal(cache.add("b"), false);
    await clock.advance(1001);
    assert.equal(cache.add("a"), true);
    assert.equal(cache.add("b"), true);
  });

  it("is busy rather than forgetful when it is full", async () => {
    const clock = createFakeClock();
    const cache = new NonceCache(clock, 1000, 2);
    cache.add("a");
    cache.add("b");
    assert.throws(() => cache.add("c"), { code: "busy" });
    assert.equal(cache.add("a"), false);
    await clock.advance(1000);
    assert.equal(cache.add("c"), true);
    assert.equal(cache.add("a"), false);
  });
});
