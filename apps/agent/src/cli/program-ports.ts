/** The program's ports: made once in main.ts, or by a test. */
import type { Argon2Cost } from "@holdfast/crypto";
import type { Ports } from "../session/session.ts";
import type { Processes } from "../state/lock.ts";
import type { Operations } from "./operations.ts";
import type { Surroundings } from "./places.ts";
import type { Terminal } from "./terminal.ts";

export interface ProgramPorts extends Surroundings {
  readonly ports: Ports;
  readonly terminal: Terminal;
  readonly processes: Processes;
  readonly operations: Operations;
  readonly hostName: string;
  readonly version: string;
  /** Runtime with its version, as in `node 24.1.0`. */
  readonly runtime: string;
  /** Number of the user, or `null` where the platform has none. */
  readonly userId: number | null;
  /** Of new passphrase slots. */
  readonly passphraseCost: Argon2Cost;
  /** Runs a command by the shell; its standard output. */
  readonly runShell: (command: string) => string;
}
