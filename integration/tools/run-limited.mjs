/** Runs a program to its end, or to a limit of time; then its whole process group is stopped, so that nothing is left behind. */
import { spawn } from "node:child_process";
import process from "node:process";

/**
 * Resolves with `{ status, output, timedOut }`; `output` is standard output and error together, as they came. `echo` also prints them.
 * The child has no standard input, and no colours.
 */
export function runLimited(command, args, { cwd, limitMs, env = {}, echo = false }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      detached: process.platform !== "win32",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...env },
    });
    const pieces = [];
    let timedOut = false;
    const stop = () => stopGroup(child);
    const timer = setTimeout(() => {
      timedOut = true;
      stop();
    }, limitMs);
    process.once("exit", stop);
    const finish = (status) => {
      clearTimeout(timer);
      process.removeListener("exit", stop);
      resolve({ status: timedOut ? 1 : status, output: Buffer.concat(pieces).toString("utf8"), timedOut });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (piece) => {
        pieces.push(piece);
        if (echo) process.stdout.write(piece);
      });
    }
    child.on("error", (error) => {
      pieces.push(Buffer.from(`${command}: ${error.message}\n`));
      finish(1);
    });
    child.on("close", (status) => finish(status ?? 1));
  });
}

function stopGroup(child) {
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
