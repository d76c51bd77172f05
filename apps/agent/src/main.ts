/** The agent's composition root: ports, the command line, and the workers of the same file. */
import { homedir, hostname } from "node:os";
import process from "node:process";
import { isMainThread, workerData } from "node:worker_threads";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { reportFailure } from "./cli/failure.ts";
import { createOperations } from "./cli/load-operations.ts";
import { runProgram } from "./cli/program.ts";
import type { ProgramPorts } from "./cli/program-ports.ts";
import { runShell } from "./cli/shell-node.ts";
import { createTerminal } from "./cli/terminal-node.ts";
import { createProcesses } from "./state/process-node.ts";
import { AGENT_VERSION } from "./version.ts";
