/** Processes of this machine, as the lock needs to know them. */
import { readFileSync } from "node:fs";
import process from "node:process";
import type { Processes } from "./lock.ts";

// Fields of /proc/PID/stat, counted after the command's closing bracket: proc(5), fields 3 and 22.
const STATE_FIELD = 0;
const START_FIELD = 19;

export function createProcesses(): Processes {
  return {
    pid: process.pid,
    startOf(pid) {
      try {
        const text = readFileSync(`/proc/${pid}/stat`, "latin1");
        const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
        const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
        if (/[ZX]/.test(fields[STATE_FIELD] ?? "")) return "ended"; // Waits only for its parent to notice.
        return `${boot} ${fields[START_FIELD] ?? ""}`;
      } catch {
        return null;
      }
    },
    isAlive(pid) {
      try {
        process.kill(pid, 0);
        return true;
      } catch (error) {
        return (error as { code?: unknown }).code !== "ESRCH";
      }
    },
  };
}
