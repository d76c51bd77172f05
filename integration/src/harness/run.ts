/** Runs programs to their end, with their output, time and peak memory. The harness runs under Bun. */
import { Fault } from "@holdfast/base";

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdin?: string | Uint8Array;
  /** Killed after this. */
  readonly limitMs?: number;
}

export interface Ran {
  /** Exit code; 128 and the signal's number when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly wallMs: number;
  /** Largest resident set of the program, children that it waited for included. */
  readonly peakKib: number;
}

const LIMIT_MS_DEFAULT = 240_000;
const SHOWN_CHARACTERS = 4000;

/** Runs to the end; any exit code is an answer. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const startedMs = performance.now();
  const child = Bun.spawn([...command], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...options.env },
    stdin: options.stdin === undefined ? "ignore" : new Blob([typeof options.stdin === "string" ? options.stdin : new Uint8Array(options.stdin)]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.limitMs ?? LIMIT_MS_DEFAULT);
  const [stdout, stderr, exitCode] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  clearTimeout(timer);
  return { code: exitCode, stdout, stderr, wallMs: performance.now() - startedMs, peakKib: Math.round((child.resourceUsage()?.maxRSS ?? 0) / 1024) };
}

/** As `run`; any exit code but 0 throws, with the end of what was said. */
export async function runOk(command: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await run(command, options);
  if (ran.code !== 0) throw new Fault("internal", `${command.join(" ")} ended with ${ran.code}: ${said(ran)}`);
  return ran;
}

/** The end of what a program said, for messages of failing tests. */
export function said(ran: Pick<Ran, "stdout" | "stderr">): string {
  return `${ran.stdout.slice(-SHOWN_CHARACTERS)}\n${ran.stderr.slice(-SHOWN_CHARACTERS)}`.trim();
}

/** Whether a program is on PATH, or in sbin. */
export function findProgram(name: string): string | null {
  return Bun.which(name) ?? Bun.which(name, { PATH: "/usr/sbin:/sbin" });
}
