/** Exit codes, in one table: docs/agent.md and `--help` show the same. */
import { type FaultCode, isFault } from "@holdfast/base";

export const EXIT_CODES = {
  done: 0,
  failed: 1,
  usage: 2,
  incomplete: 3,
  integrity: 4,
  refused: 5,
  busy: 6,
  network: 7,
  space: 8,
  missing: 9,
  wrongSecret: 10,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** What each means, for people. */
export const EXIT_CODE_MEANINGS: Readonly<Record<ExitCode, string>> = {
  0: "done",
  1: "failed for another reason, which the message names",
  2: "usage: arguments, configuration or the order of commands",
  3: "done, but some entries could not be read or written; they are listed",
  4: "integrity alarm: the storage node showed something that does not verify",
  5: "refused: certificate, permission, or a device that is not admitted",
  6: "locked or busy: another run is under way, or somebody else moved first",
  7: "network: the storage node could not be reached",
  8: "no room: quota, or a fixed limit",
  9: "missing: no such snapshot, path, record or key",
  10: "wrong passphrase, recovery code or recipient key",
  130: "interrupted",
};

const CODE_BY_FAULT: Readonly<Record<FaultCode, ExitCode>> = {
  input: EXIT_CODES.usage,
  format: EXIT_CODES.failed,
  integrity: EXIT_CODES.integrity,
  denied: EXIT_CODES.refused,
  missing: EXIT_CODES.missing,
  conflict: EXIT_CODES.busy,
  cold: EXIT_CODES.missing,
  limit: EXIT_CODES.space,
  quota: EXIT_CODES.space,
  busy: EXIT_CODES.busy,
  transport: EXIT_CODES.network,
  certificate: EXIT_CODES.refused,
  version: EXIT_CODES.failed,
  internal: EXIT_CODES.failed,
};

/** Exit code for what a command threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!isFault(error)) return EXIT_CODES.failed;
  if (error.detail["wrongSecret"] === true) return EXIT_CODES.wrongSecret;
  // Disks and networks share a fault code; `call` is what the disk's adapter adds.
  if (error.code === "transport" && error.detail["call"] !== undefined) return error.detail["errno"] === "ENOSPC" ? EXIT_CODES.space : EXIT_CODES.failed;
  return CODE_BY_FAULT[error.code];
}

/** The table as lines of help. */
export function exitCodeLines(): readonly string[] {
  return Object.entries(EXIT_CODE_MEANINGS).map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`);
}
