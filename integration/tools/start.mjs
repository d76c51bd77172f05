/**
 * Starts one of the programs of this folder on a machine that has only Node and npm: installs what is missing, builds, and runs it under Bun.
 *
 *   node integration/tools/start.mjs demo|bench|prove|torture|certs [arguments of the program]
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { bootstrap } from "./bootstrap.mjs";
import { buildAll } from "./build.mjs";
import { findRuntime, ROOT, runtimeEnvironment } from "./runtimes.mjs";

const PROGRAMS = {
  demo: { path: "integration/src/demo/main.ts", needsBuild: true },
  bench: { path: "integration/bench/main.ts", needsBuild: true },
  prove: { path: "integration/src/prove/main.ts", needsBuild: true },
  torture: { path: "integration/src/torture/main.ts", needsBuild: true },
  certs: { path: "certs/issue-dev.ts", needsBuild: false },
};

const [name, ...args] = process.argv.slice(2);
const program = PROGRAMS[name];
if (program === undefined) stop(`start: unknown program, got ${name ?? "none"}, want one of ${Object.keys(PROGRAMS).join(", ")}`);
if (!existsSync(join(ROOT, program.path))) stop(`start: ${program.path} is not there`);
bootstrap();
if (program.needsBuild && !(await buildAll())) stop("start: the build failed; see the lines above");
const bun = findRuntime("bun");
if (bun === null) stop("start: no Bun on this machine; install it, or set HOLDFAST_BUN to it");

const child = spawn(bun.command, [join(ROOT, program.path), ...args], { cwd: ROOT, stdio: "inherit", env: { ...process.env, ...runtimeEnvironment() } });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => stop(`start: ${error.message}`));
child.on("close", (status) => process.exit(status ?? 1));

function stop(message) {
  console.error(message);
  process.exit(2);
}
