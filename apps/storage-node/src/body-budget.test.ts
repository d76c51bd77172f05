import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeClock } from "@holdfast/testkit";
import { BodyBudget } from "./body-budget.ts";

const MIB = 1024 * 1024;

describe("body budget", () => {
  it("never holds more than its bytes, and serves who waits in turn", async () => {
    const budget = new BodyBudget(createFakeClock(), 100, 1000);
    const first = await budget.acquire(60);
    const order: number[] = [];
    const second = budget.acquire(50).then(() => order.push(2));
    const third = budget.acquire(10).then(() => order.push(3)); // It would fit, but it is not its turn.
    assert.equal(budget.heldBytes, 60);
    budget.release(first);
    await Promise.all([second, third]);
    assert.deepEqual([order, budget.heldBytes], [[2, 3], 60]);
  });

  it("is busy for who waits too long, and forgets them", async () => {
    const clock = createFakeClock();
    const budget = new BodyBudget(clock, 100, 1000);
    const held = await budget.acquire(100);
    const late = assert.rejects(budget.acquire(1), { code: "busy", detail: { delayMs: 1000 } });
    await clock.advance(1000);
    await late;
    budget.release(held);
    assert.equal(budget.heldBytes, 0);
    assert.equal((await budget.acquire(100)).length, 100);
  });

  it("uses whole parts again", async () => {
    const budget = new BodyBudget(createFakeClock(), 4 * MIB, 1000);
    const part = await budget.acquire(MIB);
    budget.release(part);
    assert.equal((await budget.acquire(MIB)).buffer, part.buffer);
  });
});
