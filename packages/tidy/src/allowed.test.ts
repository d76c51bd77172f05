import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { applyExceptions } from "./allowed.ts";
import { short } from "./testing/projects.ts";

const PROBLEM = { path: "a.ts", line: 3, rule: "length", message: "seal: 80 lines, at most 70" };
const REASON = "One unrolled loop, which is clearer than two.";

describe("exceptions", () => {
  it("one excuses what it names, and nothing else", () => {
    const other = { ...PROBLEM, rule: "words" };
    assert.deepEqual(applyExceptions([PROBLEM, other], [{ path: "a.ts", rule: "length", message: "seal", reason: REASON }]), [other]);
  });

  it("one without a reason, or without a use, is a problem", () => {
    const left = applyExceptions(
      [PROBLEM],
      [
        { path: "a.ts", rule: "length", reason: "" },
        { path: "b.ts", rule: "length", reason: REASON },
      ],
    );
    assert.deepEqual(short(left), [
      "packages/tidy/allowed.json:1 a.ts (length): needs a reason in a full sentence",
      "packages/tidy/allowed.json:1 b.ts (length): excuses nothing; remove it",
    ]);
  });
});
