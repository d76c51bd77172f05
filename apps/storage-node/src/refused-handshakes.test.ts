import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createFakeClock } from "@holdfast/testkit";
import { REFUSALS_TOLD_MAX, type RefusalReport, RefusedHandshakes } from "./refused-handshakes.ts";

const WINDOW_MS = 60_000;
const REFUSED = { address: "192.0.2.1", offered: "unknown", reason: "no certificate" };

function start(): { clock: ReturnType<typeof createFakeClock>; refusals: RefusedHandshakes; reports: RefusalReport[] } {
  const clock = createFakeClock();
  const reports: RefusalReport[] = [];
  return { clock, reports, refusals: new RefusedHandshakes(clock, WINDOW_MS, (report) => reports.push(report)) };
}

describe("refused handshakes", () => {
  it("tells the first at once and the others of its window as one number", () => {
    const { clock, refusals, reports } = start();
    for (let attempt = 0; attempt < 1000; attempt++) refusals.add(REFUSED);
    assert.deepEqual(reports, [{ ...REFUSED, count: 1 }]);
    clock.advance(WINDOW_MS);
    refusals.flush();
    assert.deepEqual(reports.slice(1), [{ ...REFUSED, count: 999 }]);
  });

  it("says nothing at the end of a window that held one only, and tells the next one again", () => {
    const { clock, refusals, reports } = start();
    refusals.add(REFUSED);
    clock.advance(WINDOW_MS);
    refusals.flush();
    assert.equal(reports.length, 1);
    refusals.add(REFUSED);
    assert.equal(reports.length, 2);
  });

  it("tells another reason of the same peer", () => {
    const { refusals, reports } = start();
    refusals.add(REFUSED);
    refusals.add({ ...REFUSED, reason: "expired" });
    assert.deepEqual(
      reports.map(({ reason }) => reason),
      ["no certificate", "expired"],
    );
  });

  it("a flood from many addresses ends in one line, and no refusal is lost from the counts", () => {
    const { clock, refusals, reports } = start();
    for (let peer = 0; peer < 5000; peer++) refusals.add({ ...REFUSED, address: `2001:db8::${peer}` });
    assert.equal(reports.length, REFUSALS_TOLD_MAX);
    clock.advance(WINDOW_MS);
    refusals.flush();
    assert.equal(reports.length, REFUSALS_TOLD_MAX + 1);
    assert.equal(
      reports.reduce((sum, { count }) => sum + count, 0),
      5000,
    );
  });
});
