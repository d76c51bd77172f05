/**
 * Runs the `*.test.ts` of workspaces under the runtimes of the matrix and adds up what they report.
 *
 *   node integration/tools/test-runner.mjs [--here] [--runtime bun|node24|deno|node20]... [package...]
 *
 * `--here` takes the workspace of the current folder (that is how turbo calls it) and leaves the counts in `.build/tests.json` there.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { bundleTests } from "./bundle.mjs";
import { runLimited } from "./run-limited.mjs";
import { findRuntime, RUNTIME_NAMES } from "./runtimes.mjs";
import { addCounts, countBun, countDeno, countNode, NO_COUNTS } from "./test-counts.mjs";
import { findTestFiles, findWorkspaces, workspaceAt } from "./workspaces.mjs";

const UNIT_TEST_MS = 120_000; // One test, where the runtime has a limit at all (Bun).
const UNIT_RUN_MS = 600_000; // All test files of one workspace under one runtime.

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: "string", multiple: true }, here: { type: "boolean", default: false } },
});

async function main() {
  let total = NO_COUNTS;
  for (const workspace of chosenWorkspaces()) {
    const counts = await testWorkspace(workspace, chosenRuntimes(workspace));
    total = addCounts(total, counts);
  }
  console.log(`total: passed ${total.passed}, failed ${total.failed}, skipped ${total.skipped}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

function chosenWorkspaces() {
  if (options.here) return [workspaceAt(process.cwd())];
  const all = findWorkspaces().filter((workspace) => workspace.name !== "integration");
  if (positionals.length === 0) return all;
  return positionals.map((name) => {
    const found = all.find((workspace) => workspace.name === name.replace(/^@holdfast\//, ""));
    if (found === undefined) throw new Error(`package: unknown, got ${name}, want one of ${all.map((workspace) => workspace.name).join(", ")}`);
    return found;
  });
}

function chosenRuntimes(workspace) {
  const asked = options.runtime ?? RUNTIME_NAMES;
  for (const name of asked) if (!RUNTIME_NAMES.includes(name)) throw new Error(`runtime: unknown, got ${name}, want one of ${RUNTIME_NAMES.join(", ")}`);
  return asked.filter((name) => workspace.runtimes.includes(name));
}

/** Counts of all runtimes over one workspace. */
async function testWorkspace(workspace, runtimeNames) {
  const files = findTestFiles(workspace.folder);
  const byRuntime = {};
  let sum = NO_COUNTS;
  for (const name of files.length === 0 ? [] : runtimeNames) {
    const counts = await testUnder(name, workspace, files);
    byRuntime[name] = counts;
    sum = addCounts(sum, counts);
  }
  if (files.length === 0) console.log(`${workspace.name}: no test files`);
  if (options.here) {
    mkdirSync(join(workspace.folder, ".build"), { recursive: true });
    writeFileSync(join(workspace.folder, ".build", "tests.json"), `${JSON.stringify({ workspace: workspace.name, ...sum, byRuntime }, null, 2)}\n`);
  }
  return sum;
}

/** Runs `files` under one runtime. A crash, a time-out or a run without any test is one failure more, so nothing passes by silence. */
async function testUnder(name, workspace, files) {
  const runtime = findRuntime(name);
  if (runtime === null) {
    console.log(`${workspace.name} on ${name}: this machine has no such runtime, files left out ${files.length}`);
    return { passed: 0, failed: process.env.CI ? 1 : 0, skipped: files.length };
  }
  const { run, counts } = await STARTERS[name](runtime.command, workspace, files);
  if (counts.failed === 0 && (run.status !== 0 || counts.passed === 0)) counts.failed = 1;
  console.log(`${workspace.name} on ${name} ${runtime.version}: passed ${counts.passed}, failed ${counts.failed}, skipped ${counts.skipped}`);
  if (run.timedOut) console.log(`${workspace.name} on ${name}: stopped after ${UNIT_RUN_MS / 1000} s`);
  if (counts.failed > 0) console.log(run.output);
  return counts;
}

/** How each runtime is started and read. What comes back as `output` is shown when a test failed, so it holds little else. */
const STARTERS = {
  async bun(command, workspace, files) {
    const args = ["test", "--only-failures", "--timeout", String(UNIT_TEST_MS), ...files.map((file) => `./${file}`)];
    const run = await runLimited(command, args, { cwd: workspace.folder, limitMs: UNIT_RUN_MS });
    return { run, counts: countBun(run.output) };
  },

  node24: (command, workspace, files) => underNode(command, workspace, files),

  async deno(command, workspace, files) {
    const report = reportPath(workspace, "deno.xml");
    // Never `deno run`: of a test file it runs nothing and exits 0.
    const args = ["test", "-A", "--no-check", "--no-lock", "--reporter=dot", `--junit-path=${report}`, ...files.map((file) => `./${file}`)];
    const run = await runLimited(command, args, { cwd: workspace.folder, limitMs: UNIT_RUN_MS });
    return { run, counts: countDeno(readIfThere(report)) };
  },

  async node20(command, workspace, files) {
    const outFolder = join(workspace.folder, ".build", "node20");
    rmSync(outFolder, { recursive: true, force: true });
    const { outFiles, errors } = await bundleTests(workspace.folder, files, outFolder);
    const paths = outFiles.map((file) => relative(workspace.folder, file));
    const { run, counts } =
      paths.length > 0 ? await underNode(command, workspace, paths) : { run: { status: 1, output: "", timedOut: false }, counts: { ...NO_COUNTS } };
    counts.failed += errors.length; // A file that does not bundle is a file that fails to load.
    for (const error of errors) run.output += `\nbundle: ${error.file}: ${error.message}`;
    return { run, counts };
  },
};

/** The TAP report goes to a file for the counts; the readable one is cut down to its list of failures. */
async function underNode(command, workspace, files) {
  const report = reportPath(workspace, "node.tap");
  const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap", `--test-reporter-destination=${report}`];
  const run = await runLimited(command, ["--enable-source-maps", "--test", ...reporters, ...files], { cwd: workspace.folder, limitMs: UNIT_RUN_MS });
  const counts = countNode(readIfThere(report));
  const failures = run.output.lastIndexOf("failing tests:");
  if (failures >= 0) run.output = run.output.slice(failures);
  return { run, counts };
}

/** Where a runtime leaves its report, empty of an earlier one. */
function reportPath(workspace, name) {
  const path = join(workspace.folder, ".build", name);
  mkdirSync(join(workspace.folder, ".build"), { recursive: true });
  rmSync(path, { force: true });
  return path;
}

function readIfThere(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

await main();
