import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeClock, createSeededRandom } from "@holdfast/testkit";
import { runCipherAudit } from "./cipher-audit.ts";
import type { CipherAuditReport } from "./report.ts";
import { logLevelOf } from "./report.ts";
import { CIPHER_AUDIT_INTERVAL_MS, CipherAuditSchedule } from "./schedule.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const unwanted = (error: unknown): void => assert.fail(String(error));

describe("the schedule of the cipher audit", () => {
  it("audits at the start and again the next day, by the clock", async () => {
    const clock = createFakeClock();
    const startedAtMs = clock.nowMs();
    const reports: CipherAuditReport[] = [];
    const audit = () => runCipherAudit({ ports: [], dial: () => assert.fail(), fetchChain: () => assert.fail(), clock, random: createSeededRandom(1) });
    await using schedule = new CipherAuditSchedule({ clock, audit, onReport: (report) => void reports.push(report), onError: unwanted });
    assert.equal(schedule.last, null);
    schedule.start();
    schedule.start();
    await settled();
    assert.deepEqual(
      reports.map(({ startedAtMs: at, summary }) => [at, summary]),
      [[startedAtMs, "none reachable"]],
    );
    clock.advance(CIPHER_AUDIT_INTERVAL_MS - 1);
    await settled();
    assert.equal(reports.length, 1);
    clock.advance(1);
    await settled();
    assert.deepEqual(
      reports.map(({ startedAtMs: at }) => at - startedAtMs),
      [0, 86_400_000],
    );
    assert.equal(schedule.last, reports[1]);
  });

  it("reports an audit that fails as failed, and goes on the next day, also when the report finds no taker", async () => {
    const clock = createFakeClock();
    const [reports, errors]: [CipherAuditReport[], unknown[]] = [[], []];
    await using schedule = new CipherAuditSchedule({
      clock,
      audit: () => Promise.reject(new Error("no random")),
      onReport: async (report) => {
        reports.push(report);
        throw new Error("disk full");
      },
      onError: (error) => void errors.push((error as Error).message),
    });
    schedule.start();
    await settled();
    clock.advance(CIPHER_AUDIT_INTERVAL_MS);
    await settled();
    assert.deepEqual(
      reports.map((report) => [report.summary, logLevelOf(report)]),
      Array(2).fill(["not audited: the audit itself failed: no random", "error"]),
    );
    assert.deepEqual(errors, ["disk full", "disk full"]);
  });

  it("closes in the middle of an audit and of a day, and reports nothing more", async () => {
    const clock = createFakeClock();
    let isStopped = false;
    const schedule = new CipherAuditSchedule({
      clock,
      audit: (signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => {
            isStopped = true;
            reject(signal.reason);
          }),
        ),
      onReport: () => assert.fail("no report is due"),
      onError: unwanted,
    });
    schedule.start();
    assert.equal(schedule.isAuditing, true);
    await schedule[Symbol.asyncDispose]();
    assert.equal(schedule.isAuditing, false);
    assert.deepEqual([isStopped, schedule.last, clock.sleeperCount], [true, null, 0]);
  });
});
