/**
 * `npm run build`: the agent as one `.mjs` for Node from 20, Bun and Deno; the storage node as one `.mjs` for Bun.
 * `npm run build -- --binary`: also the agent as one executable of this platform. What is native stays outside the bundles.
 */
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bootstrap } from "./bootstrap.mjs";
import { nodeOptions } from "./bundle.mjs";
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
  const agent = await bundle(AGENT, AGENT_OUT, "#!/usr/bin/env node");
  const storageNode = await bundle(STORAGE_NODE, STORAGE_NODE_OUT, "#!/usr/bin/env bun");
  return agent && storageNode;
}

async function bundle(entry, outfile, firstLine) {
  if (!existsSync(entry)) {
    console.log(`build: ${relative(ROOT, entry)} is not there`);
    return false;
  }
  const { build, formatMessages } = await import("esbuild");
  try {
    const result = await build({
      ...nodeOptions(),
      entryPoints: [entry],
      outfile,
      external: NATIVE,
      banner: { js: `${firstLine}\n${REQUIRE}` },
      metafile: true,
    });
    chmodSync(outfile, 0o755);
    const bytes = Object.values(result.metafile.outputs)[0]?.bytes ?? 0;
    console.log(`built ${relative(ROOT, outfile)}, ${(bytes / 1e6).toFixed(1)} MB`);
    return true;
  } catch (error) {
    console.log((await formatMessages(error.errors ?? [{ text: error.message }], { kind: "error", color: false })).join("\n"));
    return false;
  }
}

/** One executable of the agent with Bun inside, for this platform. */
async function buildBinary() {
  const bun = findRuntime("bun");
  if (bun === null) throw new Error("build: the binary needs Bun, which this machine does not have");
  mkdirSync(join(ROOT, "apps/agent/dist"), { recursive: true });
  const args = ["build", "--compile", "--minify", AGENT, ...NATIVE.flatMap((name) => ["--external", name]), "--outfile", BINARY_OUT];
  const run = await runLimited(bun.command, args, { cwd: ROOT, limitMs: 120_000, echo: true });
  return run.status === 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  bootstrap();
  let built = await buildAll();
  if (process.argv.includes("--binary")) built = (await buildBinary()) && built;
  process.exitCode = built ? 0 : 1;
}
