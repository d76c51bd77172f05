/**
 * Runs one program and accounts for it: wall time, CPU of it and its children, the peak of its largest process.
 *
 * A short program runs below GNU time, whose wait4 counts every child that was waited for. A program that stays
 * (the storage node) is read from /proc: CPU as a difference, peak memory as VmHWM, which can be set back.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "@holdfast/base";

export interface Measured {
  readonly wallMs: number;
  /** User and system time together. */
  readonly cpuMs: number;
  /** Resident set of the largest process at its peak. */
  readonly peakKib: number;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Ran extends Measured {
  readonly stdout: string;
}

const CLOCK_TICK_MS = 10; // USER_HZ is 100 on every Linux that we run on.
const OUTPUT_SHOWN_BYTES = 2000;

/** Runs to the end. Any exit code but 0 is an `internal` fault that shows the end of what was said. */
export async function measure(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), "bench-time-"));
  const report = join(folder, "time");
  try {
    const startedMs = performance.now();
    const stdout = await call(["/usr/bin/time", "-q", "-f", "%U %S %M", "-o", report, ...command], options);
    const wallMs = performance.now() - startedMs;
    const [userS = 0, systemS = 0, peakKib = 0] = readFileSync(report, "utf8").trim().split(" ").map(Number);
    return { wallMs, cpuMs: (userS + systemS) * 1000, peakKib, stdout };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs to the end, unmeasured, and gives its standard output. */
export async function call(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code !== 0) throw new Fault("internal", `bench: ${command.join(" ")} ended with ${code}: ${`${stdout}\n${stderr}`.slice(-OUTPUT_SHOWN_BYTES)}`);
  return stdout;
}

function run(command: readonly string[], options: RunOptions): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
}

/** CPU so far of a process that goes on running, all its threads. */
export function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
}

/** Peak resident set since the start of the process, or since `resetPeak`. */
export function peakKibOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Lengths of all files below a folder together; folders themselves and unused ends of blocks do not count. */
export async function bytesBelow(path: string): Promise<number> {
  const lengths = await call(["find", path, "-type", "f", "-printf", "%s\n"]);
  return lengths.split("\n").reduce((sum, length) => sum + Number(length), 0);
}
