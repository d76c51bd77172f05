import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FAULTS, Fault, type FaultCode, type FaultDetail } from "@holdfast/base";
import { createFakeClock } from "@holdfast/testkit";
import { type RetryOptions, withRetry } from "./retry.ts";

/** Options whose clock passes at once, with what was told before each new try. */
function createRetry(change: Partial<RetryOptions> = {}, chance = 0): { options: RetryOptions; delays: number[] } {
  const delays: number[] = [];
  const options = {
    clock: createFakeClock(0, true),
    random: { bytes: (byteCount: number) => new Uint8Array(byteCount).fill(chance) },
    triesMax: 7,
    delayMsMin: 100,
    delayMsMax: 1_000,
    onRetry: (_fault: Error, delayMs: number) => void delays.push(delayMs),
    ...change,
  };
  return { options, delays };
}

/** Work that fails `failCount` times with a fault of `code`. */
function failing(failCount: number, code: FaultCode = "transport", detail: FaultDetail = {}): { work: () => Promise<string>; tries: () => number } {
  let tries = 0;
  const work = async (): Promise<string> => {
    if (++tries <= failCount) throw new Fault(code, `failure ${tries}`, { detail });
    return "done";
  };
  return { work, tries: () => tries };
}

describe("withRetry", () => {
  it("gives the result of the first try that succeeds", async () => {
    const { options, delays } = createRetry();
    const { work, tries } = failing(3);
    assert.equal(await withRetry(options, work), "done");
    assert.equal(tries(), 4);
    assert.equal(delays.length, 3);
  });

  it("throws the last fault after the given number of tries", async () => {
    const { options, delays } = createRetry({ triesMax: 4 });
    const { work, tries } = failing(100);
    await assert.rejects(withRetry(options, work), { name: "Fault", code: "transport", message: "failure 4" });
    assert.equal(tries(), 4);
    assert.equal(delays.length, 3);
  });

  it("tries again exactly the faults whose rule is after-delay, and no other error", async () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      const { options } = createRetry({ triesMax: 2 });
      const { work, tries } = failing(100, code);
      await assert.rejects(withRetry(options, work), { code });
      assert.equal(tries(), FAULTS[code].retry === "after-delay" ? 2 : 1, code);
    }
    const bug = new TypeError("our own");
    await assert.rejects(
      withRetry(createRetry().options, () => Promise.reject(bug)),
      bug,
    );
  });

  it("doubles its delays up to the longest, with jitter of a quarter", async () => {
    const shortest = createRetry({}, 0);
    await assert.rejects(withRetry(shortest.options, failing(100).work));
    assert.deepEqual(shortest.delays, [75, 150, 300, 600, 1_000, 1_000]);
    const longest = createRetry({}, 255);
    await assert.rejects(withRetry(longest.options, failing(100).work));
    assert.deepEqual(longest.delays, [125, 250, 500, 1_000, 1_000, 1_000]);
    assert.equal(longest.options.clock.monotonicMs(), 3_875, "and sleeps them");
  });

  it("waits at least the delayMs of the fault, spread upwards, within its own limit", async () => {
    const asked = async (delayMs: number, chance: number): Promise<number | undefined> => {
      const { options, delays } = createRetry({}, chance);
      await withRetry(options, failing(1, "busy", { delayMs }).work);
      return delays[0];
    };
    assert.equal(await asked(400, 0), 400);
    assert.equal(await asked(400, 255), 600);
    assert.equal(await asked(3_600_000, 0), 1_000);
    for (const useless of [0, -5]) assert.equal(await asked(useless, 0), 75);
  });

  it("does not begin once its signal has aborted", async () => {
    const { work, tries } = failing(0);
    const reason = new Error("stopped");
    await assert.rejects(withRetry(createRetry().options, work, AbortSignal.abort(reason)), reason);
    assert.equal(tries(), 0);
  });

  it("throws the reason when its signal aborts during a try or a delay", async () => {
    const reason = new Error("stopped");
    const during = new AbortController();
    const { options, delays } = createRetry();
    const work = async (): Promise<never> => {
      during.abort(reason);
      throw new Fault("transport", "given up");
    };
    await assert.rejects(withRetry(options, work, during.signal), reason);
    assert.deepEqual(delays, [], "no new try is announced");

    const clock = createFakeClock();
    const sleeping = new AbortController();
    const { work: failingWork, tries } = failing(100);
    const onRetry = (): void => void queueMicrotask(() => sleeping.abort(reason));
    await assert.rejects(withRetry({ ...options, clock, onRetry }, failingWork, sleeping.signal), reason);
    assert.equal(tries(), 1);
    assert.equal(clock.sleeperCount, 0);
  });
});
