import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeClock } from "./fake-clock.ts";

describe("fake clock", () => {
  it("wakes sleepers in the order of their deadlines, and only those that are due", async () => {
    const clock = createFakeClock(1_000);
    const woken: string[] = [];
    const late = clock.sleep(20).then(() => woken.push("late"));
    const early = clock.sleep(10).then(() => woken.push("early"));
    void clock.sleep(30).then(() => woken.push("never"));
    assert.equal(clock.sleeperCount, 3);
    clock.advance(20);
    await Promise.all([late, early]);
    assert.deepEqual(woken, ["early", "late"]);
    assert.equal(clock.nowMs(), 1_020);
    assert.equal(clock.sleeperCount, 1);
  });

  it("jumps the wall clock without waking anybody or moving the monotonic one", () => {
    const clock = createFakeClock(1_000);
    void clock.sleep(10);
    clock.jumpTo(5);
    assert.equal(clock.nowMs(), 5);
    assert.equal(clock.monotonicMs(), 0);
    assert.equal(clock.sleeperCount, 1);
  });

  it("rejects a sleep whose signal aborts, before and during", async () => {
    const clock = createFakeClock();
    const abort = new AbortController();
    const sleep = clock.sleep(10, abort.signal);
    abort.abort(new Error("enough"));
    await assert.rejects(sleep, /enough/);
    await assert.rejects(clock.sleep(10, abort.signal), /enough/);
    assert.equal(clock.sleeperCount, 0);
  });

  it("takes the time along when it advances by itself", async () => {
    const clock = createFakeClock(0, true);
    await clock.sleep(250);
    assert.equal(clock.monotonicMs(), 250);
  });
});
