import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSystemClock } from "./clock-node.ts";
import { createSystemRandom } from "./random-node.ts";

describe("System clock", () => {
  it("monotonic time does not go back over a sleep, which lasts at least as long as asked", async () => {
    const clock = createSystemClock();
    const startMs = clock.monotonicMs();
    await clock.sleep(5);
    assert.ok(clock.monotonicMs() - startMs >= 4);
    assert.ok(Number.isInteger(clock.nowMs()));
  });

  it("sleep rejects with the reason of its signal, before and while it lasts", async () => {
    const clock = createSystemClock();
    const reason = new Error("stop");
    await assert.rejects(clock.sleep(60_000, AbortSignal.abort(reason)), reason);
    const controller = new AbortController();
    const sleeping = clock.sleep(3_000_000_000, controller.signal);
    controller.abort(reason);
    await assert.rejects(sleeping, reason);
  });
});

describe("System randomness", () => {
  it("gives as many bytes as asked, also more than one call yields, and not twice the same", () => {
    const random = createSystemRandom();
    assert.equal(random.bytes(0).length, 0);
    assert.notDeepEqual(random.bytes(32), random.bytes(32));
    const many = random.bytes(200_001);
    assert.equal(many.length, 200_001);
    assert.notDeepEqual(many.subarray(199_969), new Uint8Array(32));
  });
});
