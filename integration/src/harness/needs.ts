/** What a test needs of the machine. A test that cannot run says so loudly, and how to make it run. */
import { findRuntime, type RuntimeName } from "../../tools/runtimes.mjs";
import { findProgram } from "./run.ts";

/** `false` when all is there; else the reason for `it(name, { skip })`, printed too, with the command that installs it. */
export function skipWithout(...needs: readonly (string | Need)[]): string | false {
  const missing = needs.map((need) => (typeof need === "string" ? program(need) : need)).filter((need) => !need.there);
  if (missing.length === 0) return false;
  const reason = missing.map((need) => `${need.what} is missing: ${need.mend}`).join("; ");
  console.error(`\n!!! SKIPPED: ${reason}\n`);
  return reason;
}

interface Need {
  readonly what: string;
  readonly there: boolean;
  readonly mend: string;
}

export const ROOT_USER: Need = { what: "root", there: process.getuid?.() === 0, mend: "run the tests as root" };

export function runtimeNeed(name: RuntimeName): Need {
  return { what: `the runtime ${name}`, there: findRuntime(name) !== null, mend: "node integration/tools/runtimes.mjs shows where it is looked for" };
}

/** A module of the system's Python. */
export function pythonNeed(module: string): Need {
  const there = Bun.spawnSync(["/usr/bin/python3", "-c", `import ${module}`]).success;
  return { what: `the Python module ${module}`, there, mend: "sudo bash integration/tools/debian-packages.sh" };
}

function program(name: string): Need {
  return { what: name, there: findProgram(name) !== null, mend: "sudo bash integration/tools/debian-packages.sh" };
}
