/**
 * The steps of the gate. Each one runs even when an earlier one failed, so that one run shows everything that is wrong.
 * `npm run check` runs the static steps and the unit tests; `npm test` adds the integration suite and ends with the sum of all tests.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { runLimited } from "./run-limited.mjs";
import { findRuntime, ROOT, runtimeEnvironment } from "./runtimes.mjs";
import { addCounts, countBun, NO_COUNTS } from "./test-counts.mjs";
import { findTestFiles, findWorkspaces } from "./workspaces.mjs";

const STATIC_STEP_MS = 300_000;
const UNIT_TESTS_MS = 1_200_000;
const INTEGRATION_TEST_MS = 300_000; // One test.
const INTEGRATION_FILE_MS = 900_000; // One file, which is one process.
/** They wait more than they work: one after the other they take 8 minutes. */
const INTEGRATION_FILES_AT_ONCE = 2;

const TURBO_OPTIONS = ["--continue", "--concurrency=2", "--output-logs=new-only", "--log-order=grouped", "--no-update-notifier", "--ui=stream"];

/** Names of the static steps that failed. */
export async function runStaticSteps() {
  const bin = (name) => join(ROOT, "node_modules", ".bin", name);
  const tidyRuntime = findRuntime("bun") ?? findRuntime("node24");
  const steps = [
    ["format and lint", bin("biome"), ["check", "--reporter=concise", "--max-diagnostics=none", "--diagnostic-level=warn", "--error-on-warnings", "."]],
    ["types", bin("turbo"), ["run", "types", ...TURBO_OPTIONS]],
    ["tidy", tidyRuntime?.command ?? "bun", [join(ROOT, "packages/tidy/src/main.ts"), ROOT]],
  ];
  const failed = [];
  for (const [name, command, args] of steps) {
    console.log(`\n== ${name}`);
    const run = await runLimited(command, args, { cwd: ROOT, limitMs: STATIC_STEP_MS, env: TURBO_ENVIRONMENT, echo: true });
    if (run.status !== 0) failed.push(name);
  }
  return failed;
}

const TURBO_ENVIRONMENT = { TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" };

/** Counts of all unit tests under all runtimes. `force` runs even what turbo has in its cache. */
export async function runUnitTests({ force }) {
  console.log("\n== unit tests");
  const tested = findWorkspaces().filter((workspace) => workspace.name !== "integration");
  for (const workspace of tested) rmSync(countsPath(workspace), { force: true });
  const args = ["run", "test", ...TURBO_OPTIONS, ...(force ? ["--force"] : [])];
  await runLimited(join(ROOT, "node_modules", ".bin", "turbo"), args, { cwd: ROOT, limitMs: UNIT_TESTS_MS, env: TURBO_ENVIRONMENT, echo: true });
  let sum = NO_COUNTS;
  for (const workspace of tested) sum = addCounts(sum, countsOf(workspace));
  return sum;
}

/**
 * What the workspace's own run has left behind. Turbo keeps no outputs of a failed task, but the file is on the disk all the same.
 * No file means that the run never came to its end: one failure.
 */
function countsOf(workspace) {
  if (!existsSync(countsPath(workspace))) {
    console.log(`${workspace.name}: the tests did not come to an end`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  return JSON.parse(readFileSync(countsPath(workspace), "utf8"));
}

function countsPath(workspace) {
  return join(workspace.folder, ".build", "tests.json");
}

/** Counts of the integration suite: whole programs on loopback, one process per file, one after the other. */
export async function runIntegrationTests() {
  console.log("\n== integration");
  const folder = join(ROOT, "integration");
  const files = findTestFiles(folder);
  const counts = await mapPooled(files, INTEGRATION_FILES_AT_ONCE, (file) => runIntegrationFile(folder, file));
  return counts.reduce(addCounts, NO_COUNTS);
}

async function runIntegrationFile(folder, file) {
  const args = ["test", "--timeout", String(INTEGRATION_TEST_MS), `./${file}`];
  const run = await runLimited(findRuntime("bun")?.command ?? "bun", args, { cwd: folder, limitMs: INTEGRATION_FILE_MS, env: runtimeEnvironment() });
  const counts = countBun(run.output);
  if (counts.failed === 0 && (run.status !== 0 || counts.passed + counts.skipped === 0)) counts.failed = 1;
  console.log(
    `integration ${file}: passed ${counts.passed}, failed ${counts.failed}, skipped ${counts.skipped}${run.timedOut ? ", stopped by its time limit" : ""}`,
  );
  if (counts.failed > 0) console.log(run.output);
  return counts;
}

/** What `work` makes of each item, with so many under way at once; begun in order. */
async function mapPooled(items, atOnce, work) {
  const results = [];
  const rest = items.entries();
  const worker = async () => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** The closing line; sets the exit code. A failed static step is a failure like a failed test, and so is a run without any test. */
export function close(counts, failedSteps) {
  for (const name of failedSteps) console.log(`step failed: ${name}`);
  const failed = counts.failed + failedSteps.length;
  if (counts.passed === 0) console.log("no test passed: nothing was proven");
  console.log(`${counts.passed} passed, ${failed} failed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`);
  process.exitCode = failed > 0 || counts.passed === 0 ? 1 : 0;
}
