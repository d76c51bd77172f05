/** What the program says when a command fails: what is wrong, and what to do next. No stack traces unless they are asked for. */
import { AssertionFailure, type Fault, type FaultCode, isFault } from "@holdfast/base";
import { EXIT_CODES, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { safeText } from "./safe-text.ts";
import type { Terminal } from "./terminal.ts";

export interface FailureOptions {
  readonly isJson: boolean;
  readonly isVerbose: boolean;
}

/** Next steps where the message of the fault has none of its own. */
const HINTS: Partial<Readonly<Record<FaultCode, string>>> = {
  transport: "check the network and that the storage node runs; the same command can simply be run again",
  busy: "wait and run the same command again",
  quota: "ask the operator for room, or forget snapshots that are no longer needed",
  conflict: "run the same command again",
  version: "install the current version of this program",
  internal: "the storage node met a bug; tell its operator",
};

/** Says it on standard error, and with `--json` as an event too. The exit code. */
export function reportFailure(terminal: Terminal, error: unknown, options: FailureOptions): ExitCode {
  const exitCode = isMissingPermission(error) ? EXIT_CODES.refused : exitCodeOf(error);
  const message = messageOf(error);
  terminal.live("");
  terminal.note(`holdfast: ${message}`);
  const hint = hintOf(error);
  if (hint !== null) terminal.note(`  ${hint}`);
  if (options.isVerbose && error instanceof Error) for (const line of tracesOf(error)) terminal.note(line);
  if (options.isJson) terminal.write(JSON.stringify({ event: "error", code: isFault(error) ? error.code : "internal", exitCode, message }));
  return exitCode;
}

/** What Deno throws for a permission that it was not started with. */
function isMissingPermission(error: unknown): error is Error {
  return error instanceof Error && error.name === "NotCapable";
}

function messageOf(error: unknown): string {
  if (isMissingPermission(error)) return `permission: ${safeText(error.message)}; docs/agent.md lists what each command needs`;
  if (isFault(error)) return safeText(error.message);
  if (error instanceof AssertionFailure) return `bug: ${safeText(error.message)}; please report it`;
  return `bug: ${error instanceof Error ? safeText(`${error.name}: ${error.message}`) : "something was thrown that is no error"}; please report it with what --verbose shows`;
}

function hintOf(error: unknown): string | null {
  if (!isFault(error)) return null;
  const clock = clockHint(error);
  if (clock !== null) return clock;
  if (error.detail["call"] !== undefined) return error.detail["errno"] === "ENOSPC" ? "make room on the disk of the state folder" : null;
  return error.message.includes(";") ? null : (HINTS[error.code] ?? null);
}

/** A clock that is off is the most common reason of all for a refusal. */
function clockHint(error: Fault): string | null {
  const skewMs = error.detail["skewMs"];
  return typeof skewMs === "number" ? `set this machine's clock: it is off by ${Math.round(skewMs / 1000)} s` : null;
}

function tracesOf(error: Error): string[] {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error && lines.length < 200; at = at.cause) lines.push(...(at.stack ?? String(at)).split("\n").map(safeText));
  return lines;
}
