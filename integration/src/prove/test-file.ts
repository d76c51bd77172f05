/** Test files as proofs: what they count, and that enough of them ran. */
import { findRuntime, ROOT } from "../../tools/runtimes.mjs";
import { run } from "../harness/run.ts";
import type { Outcome } from "./proof.ts";

const BUN: string = findRuntime("bun")?.command ?? "bun";
const LIMIT_MS = 3_600_000;

/** Runs one file, given from the root; fewer than `countMin` tests that ran are a failure too. */
export async function testFile(file: string, countMin: number, what: string): Promise<Outcome> {
  const ran = await run([BUN, "test", "--timeout", "300000", `./${file}`], { cwd: ROOT, limitMs: LIMIT_MS });
  const output = ran.stdout + ran.stderr;
  const [passed, failed, skipped] = ["pass", "fail", "skip"].map((word) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(output)?.[1] ?? 0)) as [
    number,
    number,
    number,
  ];
  return {
    holds: skipped > 0 && failed === 0 ? null : ran.code === 0 && failed === 0 && passed >= countMin,
    figure: `${what}: passed ${passed}, failed ${failed}, skipped ${skipped}`,
    detail: output,
  };
}
