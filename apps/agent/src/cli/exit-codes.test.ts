import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { AssertionFailure, FAULTS, Fault, type FaultCode } from "@holdfast/base";
import { EXIT_CODE_MEANINGS, exitCodeOf } from "./exit-codes.ts";
import { reportFailure } from "./failure.ts";

describe("exit codes", () => {
  it("tell the failures apart that a script must tell apart", () => {
    const cases: readonly (readonly [unknown, number])[] = [
      [new Fault("input", "x"), 2],
      [new Fault("integrity", "x"), 4],
      [new Fault("certificate", "x"), 5],
      [new Fault("denied", "x"), 5],
      [new Fault("busy", "x"), 6],
      [new Fault("transport", "x"), 7],
      [new Fault("transport", "disk: x", { detail: { call: "writeFile", errno: "EIO" } }), 1],
      [new Fault("transport", "disk: x", { detail: { call: "writeFile", errno: "ENOSPC" } }), 8],
      [new Fault("quota", "x"), 8],
      [new Fault("missing", "x"), 9],
      [new Fault("input", "x", { detail: { wrongSecret: true } }), 10],
      [new AssertionFailure("x"), 1],
      ["thrown", 1],
    ];
    for (const [error, code] of cases) assert.equal(exitCodeOf(error), code, String(error));
  });

  it("exist for every fault, and each has a meaning", () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) assert.ok(EXIT_CODE_MEANINGS[exitCodeOf(new Fault(code, "x"))]);
  });

  it("stand in docs/agent.md as they are here", () => {
    const page = readFileSync(new URL("../../../../docs/agent.md", import.meta.url), "utf8");
    for (const [code, meaning] of Object.entries(EXIT_CODE_MEANINGS)) assert.ok(page.includes(`| ${code} | ${meaning} |`), `${code} ${meaning}`);
  });
});

describe("failures", () => {
  const said = (error: unknown, isVerbose: boolean, isJson = false): { out: string[]; err: string[] } => {
    const [out, err]: [string[], string[]] = [[], []];
    reportFailure(
      { isInteractive: false, columns: 80, write: (line) => out.push(line), note: (line) => err.push(line), live() {}, readSecret: async () => "" },
      error,
      { isVerbose, isJson },
    );
    return { out, err };
  };

  it("are said in one line and what to do, with stack traces only when asked for", () => {
    const fault = new Fault("transport", "storage node x:1: no answer", { cause: new Error("socket") });
    assert.deepEqual(said(fault, false).err, [
      "holdfast: storage node x:1: no answer",
      "  check the network and that the storage node runs; the same command can simply be run again",
    ]);
    assert.ok(said(fault, true).err.some((line) => line.includes("socket")));
  });

  it("cannot move the cursor", () => {
    assert.deepEqual(said(new Fault("input", "file: \u001b[2Jx; mend it"), false).err, ["holdfast: file: \\u{1b}[2Jx; mend it"]);
  });

  it("are the last event with --json", () => {
    assert.deepEqual(
      said(new Fault("busy", "locked; wait"), false, true).out.map((line) => JSON.parse(line)),
      [{ event: "error", code: "busy", exitCode: 6, message: "locked; wait" }],
    );
  });
});
