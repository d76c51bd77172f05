/** Running a command that prints a passphrase. */
import { execFileSync } from "node:child_process";
import { Fault } from "@holdfast/base";

const OUTPUT_BYTES_MAX = 64 * 1024;
const LIMIT_MS = 120_000;

/** Standard output of `command`, run by the shell; its standard error is shown, its standard input is ours. Failure: `input`, without its output. */
export function runShell(command: string): string {
  try {
    return execFileSync("/bin/sh", ["-c", command], {
      encoding: "utf8",
      maxBuffer: OUTPUT_BYTES_MAX,
      timeout: LIMIT_MS,
      stdio: ["inherit", "pipe", "inherit"],
    });
  } catch (error) {
    const status = (error as { status?: unknown }).status;
    throw new Fault("input", `passphrase command: failed${typeof status === "number" ? ` with exit code ${status}` : ""}`); // The cause would carry its output.
  }
}
