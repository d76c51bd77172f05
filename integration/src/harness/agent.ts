/** The built agent as a process, under any of the four runtimes, with a state folder of its own. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@holdfast/base";
import { findRuntime, ROOT, type RuntimeName } from "../../tools/runtimes.mjs";
import { type Ran, type RunOptions, run, said } from "./run.ts";
import type { StorageNode } from "./storage-node.ts";

/** The built agent; another build by HOLDFAST_AGENT_MAIN. */
export const AGENT_MAIN: string = process.env.HOLDFAST_AGENT_MAIN ?? join(ROOT, "apps/agent/dist/holdfast.mjs");
export const PASSPHRASE = "correct horse battery staple, for tests";

/** Exit codes of the agent that tests look for; docs/agent.md has the whole table. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreadable: 3, integrity: 4, refused: 5, busy: 6, network: 7, passphrase: 10 } as const;

/** Devices, setuid and capabilities are left out of a restore unless these say so. */
export const RESTORE_EVERYTHING: readonly string[] = ["--allow-special", "--allow-setuid"];

export class Agent {
  readonly runtime: RuntimeName;
  readonly state: string;
  readonly passphrasePath: string;
  readonly recoveryPath: string;

  constructor(runtime: RuntimeName, state: string) {
    this.runtime = runtime;
    this.state = state;
    this.passphrasePath = `${state}.passphrase`;
    this.recoveryPath = `${state}.recovery`;
  }

  /** The same state folder under another runtime. */
  under(runtime: RuntimeName): Agent {
    return new Agent(runtime, this.state);
  }

  command(...args: readonly string[]): string[] {
    return [...launcher(this.runtime), AGENT_MAIN, ...args, "--state", this.state];
  }

  /** Runs to the end; any exit code is an answer. */
  run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run(this.command(...args), options);
  }

  /** As `run`; any exit code but `want` throws. */
  async expect(want: number, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const ran = await this.run(args, options);
    if (ran.code !== want) throw new Fault("internal", `holdfast ${args.join(" ")} under ${this.runtime}: ended with ${ran.code}, want ${want}: ${said(ran)}`);
    return ran;
  }

  ok(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return this.expect(EXIT.ok, args, options);
  }

  /** Runs with `--json`; the events, one a line. */
  async events(args: readonly string[], options: RunOptions = {}): Promise<JsonEvent[]> {
    return parseEvents((await this.ok([...args, "--json"], options)).stdout);
  }

  /** Backs up `paths`; the summary event. */
  async backup(paths: readonly string[], args: readonly string[] = [], options: RunOptions = {}): Promise<JsonEvent> {
    return lastEvent(await this.events(["backup", ...paths, ...args], options));
  }

  /** Restores all of `snapshot`, devices and setuid too, into `target`; where `source` is there. */
  async restore(source: string, target: string, snapshot = "latest", args: readonly string[] = []): Promise<string> {
    await this.ok(["restore", snapshot, "--target", target, ...RESTORE_EVERYTHING, ...args]);
    return join(target, source);
  }

  /** Enrols at `node` in `account` and makes the vault. */
  async setUp(node: StorageNode, account: string): Promise<this> {
    await this.enroll(await node.invite({ account }));
    writeFileSync(this.passphrasePath, `${PASSPHRASE}\n`, { mode: 0o600 });
    await this.ok(["init", "--passphrase-file", this.passphrasePath, "--recovery-file", this.recoveryPath]);
    return this;
  }

  async enroll(code: string): Promise<void> {
    await this.ok(["enroll", code]);
  }

  /** The recovery code that `init` wrote. */
  recoveryCode(): string {
    return readFileSync(this.recoveryPath, "utf8").trim();
  }

  /** A file of the state folder. */
  stateFile(name: string): string {
    return join(this.state, name);
  }
}

/** One line of `--json` output. */
export type JsonEvent = Readonly<Record<string, unknown>>;

export function parseEvents(stdout: string): JsonEvent[] {
  return stdout
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as JsonEvent);
}

export function lastEvent(events: readonly JsonEvent[]): JsonEvent {
  const last = events.at(-1);
  if (last === undefined) throw new Fault("internal", "agent: printed no event");
  return last;
}

function launcher(name: RuntimeName): string[] {
  const runtime = findRuntime(name);
  if (runtime === null) throw new Fault("missing", `runtime: this machine has no ${name}`);
  return name === "deno" ? [runtime.command, "run", "-A", "--no-lock", "--quiet"] : [runtime.command];
}
