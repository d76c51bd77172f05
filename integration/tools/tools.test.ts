import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { whyInstall } from "./bootstrap.mjs";
import { bundleProgram, bundleTests } from "./bundle.mjs";
import { missingEntries } from "./complete-lock.mjs";
import { runLimited } from "./run-limited.mjs";
import { findRuntime } from "./runtimes.mjs";
import { countBun, countDeno, countNode } from "./test-counts.mjs";

const folder = mkdtempSync(join(tmpdir(), "holdfast-tools-"));
after(() => rmSync(folder, { recursive: true }));

/** Writes files into a fresh folder and gives its path. */
function folderOf(name: string, texts: Record<string, string>): string {
  const path = join(folder, name);
  for (const [file, text] of Object.entries(texts)) {
    mkdirSync(join(path, file, ".."), { recursive: true });
    writeFileSync(join(path, file), text);
  }
  return path;
}

describe("counts of the test runner", () => {
  it("Bun's are at the end of its output", () => {
    assert.deepEqual(countBun("(pass) 9 pass\n\n 5 pass\n 2 skip\n 1 todo\n 2 fail\n 1 error\nRan 10 tests"), { passed: 5, failed: 2, skipped: 3 });
  });

  it("an error outside every test counts when Bun counts no failure", () => {
    assert.deepEqual(countBun(" 5 pass\n 0 fail\n 1 error\n"), { passed: 5, failed: 1, skipped: 0 });
  });

  it("TAP's cancelled tests are failures", () => {
    assert.deepEqual(countNode("# tests 9\n# pass 3\n# fail 1\n# cancelled 2\n# skipped 1\n# todo 1\n"), { passed: 3, failed: 3, skipped: 2 });
  });

  it("Deno's steps are counted, not the groups around them", () => {
    const report =
      '<testcase name="x"></testcase><testcase name="x &gt; a"/><testcase name="x &gt; b"><failure/></testcase><testcase name="x &gt; c"><skipped/></testcase>';
    assert.deepEqual(countDeno(report), { passed: 1, failed: 1, skipped: 1 });
  });
});

describe("bootstrap", () => {
  const lock = (version: string) =>
    JSON.stringify({ packages: { "": {}, "packages/base": {}, "node_modules/a": { version }, "node_modules/b": { version: "1.0.0", optional: true } } });

  it("installs when nothing is there, when a version differs, and not when all is there but another platform's", () => {
    assert.equal(whyInstall(folderOf("none", { "package-lock.json": lock("1.0.0") })), "nothing is installed");
    const old = folderOf("old", { "package-lock.json": lock("2.0.0"), "node_modules/.package-lock.json": lock("1.0.0") });
    assert.equal(whyInstall(old), "node_modules/a is 1.0.0, the lock wants 2.0.0");
    const installed = JSON.stringify({ packages: { "node_modules/a": { version: "1.0.0" } } });
    assert.equal(whyInstall(folderOf("same", { "package-lock.json": lock("1.0.0"), "node_modules/.package-lock.json": installed })), null);
  });
});

describe("the lock", () => {
  it("gets an entry for each optional package of another platform, and only for those", () => {
    const packages = {
      "node_modules/t": { dev: true, optionalDependencies: { "@t/linux-64": "1.0.0", "@t/darwin-arm64": "1.0.0" } },
      "node_modules/@t/linux-64": { version: "1.0.0" },
    };
    assert.deepEqual(missingEntries({ packages }), {
      "node_modules/@t/darwin-arm64": { version: "1.0.0", cpu: ["arm64"], dev: true, optional: true, os: ["darwin"] },
    });
  });
});

describe("bundles", () => {
  const program = {
    "main.ts":
      'import { Worker } from "node:worker_threads";\nfor (const name of ["./echo-worker.ts"]) new Worker(new URL(name, import.meta.url)).on("message", (text: string) => console.log(text));\n',
    "echo-worker.ts": 'import { parentPort } from "node:worker_threads";\nparentPort?.postMessage("from the worker" as string);\n',
  };

  it("a program runs on Node 20 with its workers beside it", async () => {
    const source = folderOf("program", program);
    const written = await bundleProgram({ entry: join(source, "main.ts"), outfile: join(source, "dist", "main.mjs"), external: [], banner: "// top" });
    assert.deepEqual(
      written.map((path: string) => path.slice(source.length)),
      ["/dist/main.mjs", "/dist/echo-worker.mjs"],
    );
    rmSync(join(source, "echo-worker.ts"));
    const run = await runLimited(findRuntime("node20").command, [written[0]], { cwd: source, limitMs: 20_000 });
    assert.equal(run.output, "from the worker\n");
  });

  it("a test finds the files beside its source, and one that does not bundle is an error", async () => {
    const source = folderOf("tests", {
      "a.test.ts": 'import { readFileSync } from "node:fs";\nconsole.log(readFileSync(new URL("./vectors/x.json", import.meta.url), "utf8"));\n',
      "b.test.ts": 'import "./gone.ts";\n',
      "vectors/x.json": "{}",
    });
    const { outFiles, errors } = await bundleTests(source, ["a.test.ts", "b.test.ts"], join(source, ".build"));
    assert.deepEqual(
      errors.map((error: { file: string }) => error.file),
      ["b.test.ts"],
    );
    const run = await runLimited(findRuntime("node20").command, outFiles, { cwd: folder, limitMs: 20_000 });
    assert.equal(run.output, "{}\n");
  });
});

describe("runs with a limit", () => {
  it("a program that does not end is stopped with all that it has started", async () => {
    const startMs = performance.now();
    // The run is over when nobody holds its output any more: the grandchild does, for as long as it lives.
    const run = await runLimited("sh", ["-c", "sleep 60 & sleep 60"], { cwd: folder, limitMs: 200 });
    assert.equal(run.timedOut, true);
    assert.equal(run.status, 1);
    assert.ok(performance.now() - startMs < 30_000);
  });

  it("a program that is not there is a failure with its name", async () => {
    const run = await runLimited("holdfast-no-such-program", [], { cwd: folder, limitMs: 1000 });
    assert.equal(run.status, 1);
    assert.match(run.output, /holdfast-no-such-program/);
  });
});
