/**
 * Kills agents and nodes in the middle of backups, and then asks what is left: every committed snapshot must restore, and
 * what was durable must not be sent again. Shared by crash.test.ts and the torture program; all chance comes from a seed.
 */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@holdfast/base";
import type { SeededRandom } from "@holdfast/testkit";
import { type JsonEvent, parseEvents } from "./agent.ts";
import { differencesOf } from "./compare.ts";
import type { Installation } from "./installation.ts";
import { runOk, said } from "./run.ts";
import { makeManyFiles, makeRandomFile } from "./sample-tree.ts";

export interface CrashPlan {
  readonly installation: Installation;
  readonly random: SeededRandom;
  readonly rounds: number;
  readonly victim: "agent" | "node";
  readonly say?: (text: string) => void;
}

export interface CrashReport {
  readonly rounds: number;
  /** Runs that were killed before their end. */
  readonly killed: number;
  /** Snapshots on the node at the end; all of them restored. */
  readonly snapshots: number;
  /** What was wrong; empty when all held. */
  readonly problems: readonly string[];
}

const BIG_FILE_BYTES = 24 * 1024 * 1024;
const SMALL_FILES = 400;
/** A backup that is over before its moment comes does not count, and is tried again so often. */
const TRIES_PER_KILL_MAX = 3;
/** After a kill the node is away for this long. */
const AWAY_MS = 200;

/** Backups that a kill hits at a random moment, until `rounds` were hit, over a source that changes a little each time. */
export async function crashRounds(plan: CrashPlan): Promise<CrashReport> {
  const { installation, random, rounds, victim } = plan;
  const { scratch, agent } = installation;
  const source = scratch.folder("crash-source");
  makeManyFiles(source, SMALL_FILES, random.u32());
  makeRandomFile(join(source, "big"), BIG_FILE_BYTES, random.u32());
  const startedMs = performance.now();
  await agent.ok(["backup", source]); // What a whole run takes; it is one of the snapshots too.
  const wholeMs = performance.now() - startedMs;
  const states = new Map<string, string>();
  const problems: string[] = [];
  let killed = 0;
  await keepState(plan, source, "first", states);
  let round = 0;
  for (; killed < rounds && round < rounds * TRIES_PER_KILL_MAX; round++) {
    changeSource(source, round, random);
    const delayMs = random.below(Math.ceil(wholeMs));
    const outcome = victim === "agent" ? await killAgent(plan, source, delayMs) : await killNode(plan, source, delayMs);
    if (outcome.killed) killed++;
    if (outcome.problem !== null) problems.push(`round ${round}: ${outcome.problem}`);
    await keepState(plan, source, `round-${round}`, states);
    plan.say?.(`round ${round}: ${victim} killed after ${delayMs} ms${outcome.killed ? "" : " (the run was over before)"}, snapshots ${states.size}`);
  }
  await agent.ok(["backup", source]);
  await keepState(plan, source, "last", states);
  problems.push(...(await checkSnapshots(plan, source, states)));
  rmSync(source, { recursive: true });
  return { rounds: round, killed, snapshots: states.size, problems };
}

interface Outcome {
  readonly killed: boolean;
  readonly problem: string | null;
}

async function killAgent({ installation }: CrashPlan, source: string, delayMs: number): Promise<Outcome> {
  const child = Bun.spawn(installation.agent.command("backup", source), { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
  await child.exited;
  clearTimeout(timer);
  return { killed: child.signalCode === "SIGKILL", problem: child.signalCode === null && child.exitCode !== 0 ? `the run ended with ${child.exitCode}` : null };
}

/** The agent must get over it: it tries again for longer than the node is away. */
async function killNode({ installation }: CrashPlan, source: string, delayMs: number): Promise<Outcome> {
  const { node, agent } = installation;
  const backup = agent.run(["backup", source]);
  let over = false;
  void backup.then(() => {
    over = true;
  });
  await Bun.sleep(delayMs);
  const killed = !over;
  await node.kill();
  await Bun.sleep(AWAY_MS);
  await node.serve();
  const ran = await backup;
  return { killed, problem: ran.code === 0 ? null : `the backup ended with ${ran.code}: ${said(ran)}` };
}

/** Notes which state of the source each snapshot shows: those that are new since the last look show it as it is now. */
async function keepState({ installation }: CrashPlan, source: string, name: string, states: Map<string, string>): Promise<void> {
  const fresh = (await listSnapshots(installation)).map(snapshotId).filter((id) => !states.has(id));
  if (fresh.length === 0) return;
  const copy = installation.scratch.at("crash-states", name);
  mkdirSync(installation.scratch.at("crash-states"), { recursive: true });
  await runOk(["cp", "-a", source, copy]);
  for (const id of fresh) states.set(id, copy);
}

async function checkSnapshots({ installation }: CrashPlan, source: string, states: Map<string, string>): Promise<string[]> {
  const problems: string[] = [];
  for (const event of await listSnapshots(installation)) {
    if (event.partial === true) continue; // Holds what was done by then; it is there to go on from.
    const id = snapshotId(event);
    const target = installation.scratch.at(`crash-restored-${id.slice(0, 8)}`);
    const ran = await installation.agent.run(["restore", id, "--target", target]);
    if (ran.code !== 0) problems.push(`snapshot ${id}: restore ended with ${ran.code}: ${said(ran)}`);
    else problems.push(...(await differencesOf(states.get(id) as string, join(target, source))).map((difference) => `snapshot ${id}: ${difference}`));
    await runOk(["rm", "-rf", target]);
  }
  return problems;
}

/** The snapshots of the vault, oldest first, as the agent lists them. */
export async function listSnapshots({ agent }: Pick<Installation, "agent">): Promise<JsonEvent[]> {
  return parseEvents((await agent.ok(["snapshots", "--json"])).stdout).filter((event) => event.event === "snapshot");
}

/** Id of a snapshot as `listSnapshots` gives it. */
export function snapshotId(event: JsonEvent | undefined): string {
  const id = event?.entry;
  if (typeof id !== "string") throw new Fault("internal", `snapshots: want an entry id, got ${JSON.stringify(event)}`);
  return id;
}

/** A few small files change, one is new, the big one gets bytes in its middle. */
function changeSource(source: string, round: number, random: SeededRandom): void {
  writeFileSync(join(source, `new-${round}`), random.bytes(random.below(200_000)));
  for (let count = 0; count < 5; count++)
    appendFileSync(join(source, `d${random.below(SMALL_FILES / 100)}`, `f-changed-${random.below(50)}`), `round ${round}`);
  makeRandomFile(join(source, `big-${round % 2}`), (1 + random.below(6)) * 1024 * 1024, random.u32());
}
