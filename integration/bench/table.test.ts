import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createGenerator } from "./corpora.ts";
import { median, ratioToBestPeer, renderTable, type Sample } from "./table.ts";

const sample = (program: string, round: number, wallMs: number): Sample => ({
  program,
  corpus: "sys",
  step: "first",
  round,
  wallMs,
  cpuMs: 2 * wallMs,
  peakKib: 100_000,
});

describe("table", () => {
  it("median takes the middle, or the mean of the two in the middle", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
  });

  it("ratio is to the best peer and never to the limit", () => {
    assert.equal(
      ratioToBestPeer(
        new Map([
          ["ours", 3],
          ["restic", 6],
          ["borg", 12],
          ["limit", 1],
        ]),
      ),
      0.5,
    );
    assert.equal(
      ratioToBestPeer(
        new Map([
          ["ours", 3],
          ["limit", 1],
        ]),
      ),
      null,
    );
    assert.equal(ratioToBestPeer(new Map([["restic", 6]])), null);
  });

  it("render marks a target that is missed and one that is kept", () => {
    const samples = [sample("ours", 0, 6000), sample("ours", 1, 8000), sample("ours", 2, 5000), sample("borg", 0, 10_000)];
    const stored = [
      { program: "ours", corpus: "sys" as const, round: 0, bytes: 102e6 },
      { program: "borg", corpus: "sys" as const, round: 0, bytes: 100e6 },
    ];
    const text = renderTable({ programs: ["ours", "borg"], samples, stored, skipped: ["check of ours"] });
    assert.ok(text.includes("| sys, first | 6.00 | 10.00 | **0.60** | ≤ 0.5, **missed** |"), text);
    assert.ok(text.includes("| sys | 102.0 | 100.0 | 1.02 | ≤ 1.03, kept |"), text);
    assert.ok(text.includes("Left out: check of ours."), text);
  });
});

describe("createGenerator", () => {
  it("createGenerator gives the same numbers for the same seed and others for another", () => {
    const [a, b, c] = [createGenerator(1), createGenerator(1), createGenerator(2)];
    const draw = (next: () => number) => Array.from({ length: 5 }, next);
    const first = draw(a);
    assert.deepEqual(draw(b), first);
    assert.notDeepEqual(draw(c), first);
  });
});
