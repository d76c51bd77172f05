import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@holdfast/base";
import { createFakeClock } from "@holdfast/testkit";
import { addressGroup, createRefusalCounter, REFUSAL_REASONS, REFUSAL_WINDOWS_MAX, Refusal, type RefusalCounter, reasonOf } from "./audit-refusals.ts";
import type { AuditEntry } from "./audit-trail.ts";

const MINUTE_MS = 60_000;

function createCounter(): {
  counter: RefusalCounter;
  rows: AuditEntry[];
  failures: unknown[];
  clock: ReturnType<typeof createFakeClock>;
  fail: (error: Error) => void;
} {
  const clock = createFakeClock();
  const rows: AuditEntry[] = [];
  const failures: unknown[] = [];
  let failure: Error | null = null;
  const record = (entry: AuditEntry): Promise<void> => {
    if (failure !== null) return Promise.reject(failure);
    rows.push(entry);
    return Promise.resolve();
  };
  const fail = (error: Error): void => {
    failure = error;
  };
  return { counter: createRefusalCounter({ record }, clock, (error) => void failures.push(error)), rows, failures, clock, fail };
}

async function pass(clock: ReturnType<typeof createFakeClock>, ms: number): Promise<void> {
  clock.advance(ms);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe("refusals in the audit trail", () => {
  it("the first is told at once, those of its minute by one row with their number", async () => {
    const { counter, rows, clock } = createCounter();
    for (let count = 0; count < 500; count++) counter.note("signature", "192.0.2.1");
    assert.deepEqual(rows, [{ actor: "peer", action: "refused", subject: "signature", origin: "192.0.2.1", result: "1" }]);
    await pass(clock, MINUTE_MS - 1);
    assert.equal(rows.length, 1);
    await pass(clock, 1);
    assert.deepEqual(
      rows.map((row) => row.result),
      ["1", "499"],
    );
    counter.note("signature", "192.0.2.1");
    assert.equal(rows.length, 2, "at most one row a minute");
    await pass(clock, MINUTE_MS);
    assert.equal(rows[2]?.result, "1");
    await counter.close();
  });

  it("tells classes and addresses apart", () => {
    const { counter, rows } = createCounter();
    counter.note("signature", "192.0.2.1");
    counter.note("role", "192.0.2.1");
    counter.note("role", "192.0.2.2");
    assert.equal(rows.length, 3);
  });

  it("is silent again after a quiet minute, and then tells the next at once", async () => {
    const { counter, rows, clock } = createCounter();
    counter.note("role", "192.0.2.1");
    await pass(clock, MINUTE_MS);
    assert.equal(clock.sleeperCount, 0);
    counter.note("role", "192.0.2.1");
    assert.equal(rows.length, 2);
  });

  it("bounds memory and rows when addresses are many, and loses no count", async () => {
    const { counter, rows, clock } = createCounter();
    for (let address = 0; address < 100_000; address++) counter.note("invite", `10.${address >> 16}.${(address >> 8) & 255}.${address & 255}`);
    assert.equal(rows.length, REFUSAL_WINDOWS_MAX + 1);
    await pass(clock, MINUTE_MS);
    assert.equal(rows.length, REFUSAL_WINDOWS_MAX + 2);
    assert.equal(
      rows.reduce((sum, row) => sum + Number(row.result), 0),
      100_000,
    );
    assert.equal(rows.at(-1)?.origin, "other addresses");
    await counter.close();
  });

  it("close writes what is counted, and nothing comes after", async () => {
    const { counter, rows, clock } = createCounter();
    for (let count = 0; count < 3; count++) counter.note("version", "192.0.2.1");
    await counter.close();
    counter.note("version", "192.0.2.1");
    await pass(clock, 10 * MINUTE_MS);
    assert.deepEqual(
      rows.map((row) => row.result),
      ["1", "2"],
    );
  });

  it("a trail that cannot be written costs no request", async () => {
    const { counter, failures, clock, fail } = createCounter();
    fail(new Error("disk"));
    counter.note("role", "192.0.2.1");
    counter.note("role", "192.0.2.1");
    await pass(clock, MINUTE_MS);
    assert.equal(failures.length, 2);
    await counter.close();
  });

  it("takes an IPv6 network as one peer, and IPv4 out of its IPv6 form", () => {
    assert.equal(addressGroup("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assert.equal(addressGroup("2001:DB8:0001::7"), "2001:db8:1:0::/64");
    assert.equal(addressGroup("fe80::1%eth0"), "fe80:0:0:0::/64");
    assert.equal(addressGroup("::ffff:192.0.2.9"), "192.0.2.9");
    assert.equal(addressGroup("::1"), "::1");
    assert.equal(addressGroup("192.0.2.9"), "192.0.2.9");
    assert.equal(addressGroup("x".repeat(1000)).length, 64);
  });

  it("knows a refusal by its class, a plain fault by its code, and the rest as none", () => {
    for (const reason of REFUSAL_REASONS) assert.equal(reasonOf(new Refusal(reason, "denied", "x: y")), reason);
    assert.equal(reasonOf(new Fault("denied", "x: y")), "not-allowed");
    for (const other of [new Fault("missing", "x: y"), new Fault("busy", "x: y"), new Error("bug"), null]) assert.equal(reasonOf(other), null);
  });
});
