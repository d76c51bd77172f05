/**
 * `npm run build`: the agent as one `.mjs` for Node from 20, Bun and Deno; the storage node as one `.mjs` for Bun.
 * `npm run build:binary`: the agent as one executable of this platform. What is native stays outside the bundles.
 */
import { chmodSync, existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bootstrap } from "./bootstrap.mjs";
import { bundleProgram } from "./bundle.mjs";
import { runLimited } from "./run-limited.mjs";
import { findRuntime, ROOT } from "./runtimes.mjs";

/** Packages with native code: found at run time beside the bundle, or done without. */
const NATIVE = ["koffi", "libsql", "@libsql/*"];

/** `require` for bundled CommonJS, which an ES module does not have. */
const REQUIRE = 'import { createRequire as holdfastCreateRequire } from "node:module";\nconst require = holdfastCreateRequire(import.meta.url);';

const AGENT = join(ROOT, "apps/agent/src/main.ts");
const AGENT_OUT = join(ROOT, "apps/agent/dist/holdfast.mjs");
const BINARY_OUT = join(ROOT, "apps/agent/dist/holdfast");
const STORAGE_NODE = join(ROOT, "apps/storage-node/src/main.ts");
const STORAGE_NODE_OUT = join(ROOT, "apps/storage-node/dist/holdfast-node.mjs");

/** Builds both programs. `false` when one does not build; why is printed. */
export async function buildAll() {
  console.log("\n== build");
  const agentFiles = await bundle(AGENT, AGENT_OUT, "#!/usr/bin/env node");
  const storageNodeFiles = await bundle(STORAGE_NODE, STORAGE_NODE_OUT, "#!/usr/bin/env bun");
  return agentFiles.length > 0 && storageNodeFiles.length > 0;
}

/** Paths written, the program's first and then its workers'; none when it does not build. */
async function bundle(entry, outfile, firstLine) {
  if (!existsSync(entry)) {
    console.log(`build: ${relative(ROOT, entry)} is not there`);
    return [];
  }
  const { formatMessages } = await import("esbuild");
  try {
    const files = await bundleProgram({ entry, outfile, external: NATIVE, banner: `${firstLine}\n${REQUIRE}` });
    for (const file of files) {
      chmodSync(file, 0o755);
      console.log(`built ${relative(ROOT, file)}, ${(statSync(file).size / 1e6).toFixed(1)} MB`);
    }
    return files;
  } catch (error) {
    console.log((await formatMessages(error.errors ?? [{ text: error.message }], { kind: "error", color: false })).join("\n"));
    return [];
  }
}

/** One executable of the agent with its workers and Bun inside, for this platform. */
async function buildBinary() {
  const bun = findRuntime("bun");
  if (bun === null) throw new Error("build: the binary needs Bun, which this machine does not have");
  const files = await bundle(AGENT, AGENT_OUT, "#!/usr/bin/env node");
  if (files.length === 0) return false;
  const args = ["build", "--compile", "--minify", ...files, ...NATIVE.flatMap((name) => ["--external", name]), "--outfile", BINARY_OUT];
  const run = await runLimited(bun.command, args, { cwd: ROOT, limitMs: 120_000, echo: true });
  return run.status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  bootstrap();
  const built = process.argv.includes("--binary") ? await buildBinary() : await buildAll();
  process.exitCode = built ? 0 : 1;
}
