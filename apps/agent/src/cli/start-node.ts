/** The command line over this process: makes the ports, runs, leaves with the exit code. */
import { hostname } from "node:os";
import process from "node:process";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { ARGON2_COST_DEFAULT } from "@holdfast/crypto/slot";
import { runtimeName } from "../pipeline/runtime-name.ts";
import { createProcesses } from "../state/process-node.ts";
import { AGENT_VERSION } from "../version.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { createNamedDisk } from "./named-disk.ts";
import { loadedOperations } from "./operations.ts";
import { runProgram } from "./program.ts";
import type { ProgramPorts } from "./program-ports.ts";
import { runShell } from "./shell-node.ts";
import { createTerminal } from "./terminal-node.ts";

export async function runCommandLine(): Promise<void> {
  // Without a trap the runtime would end the same way, but with a code of its own.
  process.once("SIGINT", () => process.exit(EXIT_CODES.interrupted));
  endQuietlyWithoutReader();
  const ports: ProgramPorts = {
    ports: { clock: createSystemClock(), random: createSystemRandom(), disk: createNamedDisk(createNodeDisk()) },
    terminal: createTerminal(),
    processes: createProcesses(),
    operations: loadedOperations,
    environment: process.env,
    isRoot: process.getuid?.() === 0,
    currentFolder: process.cwd(),
    hostName: hostname(),
    version: AGENT_VERSION,
    runtime: runtimeName(),
    userId: process.getuid?.() ?? null,
    passphraseCost: ARGON2_COST_DEFAULT,
    runShell,
  };
  process.exitCode = await runProgram(ports, process.argv.slice(2));
}

/** `holdfast snapshots | head` is no failure. */
function endQuietlyWithoutReader(): void {
  process.stdout.on("error", (error: { readonly code?: string }) => {
    if (error.code === "EPIPE") process.exit(EXIT_CODES.done);
    throw error;
  });
}
