/** One thing that `holdfast doctor` looked at. */
import type { ExitCode } from "../cli/exit-codes.ts";

export type CheckStatus = "ok" | "warning" | "failed";

export interface Check {
  /** What was looked at, as in `file modes`. Stable: scripts read it. */
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found. */
  readonly message: string;
  /** What mends it, a command where there is one; `null` for what is in order. */
  readonly mend: string | null;
  /** With what `doctor` ends when this is the first that failed. */
  readonly exitCode: ExitCode | null;
}

export function ok(name: string, message: string): Check {
  return { name, status: "ok", message, mend: null, exitCode: null };
}

export function warning(name: string, message: string, mend: string): Check {
  return { name, status: "warning", message, mend, exitCode: null };
}

export function failed(name: string, message: string, mend: string, exitCode: ExitCode): Check {
  return { name, status: "failed", message, mend, exitCode };
}
