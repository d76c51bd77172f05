/**
 * Holdfast as a program of the harness: a storage node under Bun and the built agent under the chosen runtime, over
 * mutual TLS on loopback with durable commits. CPU is that of agent and node; memory is told apart.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { assertDefined, Fault } from "@holdfast/base";
import { findRuntime, ROOT, type RuntimeName } from "../tools/runtimes.mjs";
import { bytesBelow, call, cpuMsOf, measure, peakKibOf, resetPeak } from "./measure.ts";
import type { Program, Session, StepMeasured } from "./program.ts";

const NODE_MAIN = join(ROOT, "apps/storage-node/src/main.ts");
const AGENT_MAIN = join(ROOT, "apps/agent/dist/holdfast.mjs");
const PASSPHRASE = "a passphrase for the bench only";
const START_MS_MAX = 20_000;
const STOP_MS_MAX = 20_000;

/** Ours under one runtime, or `null` while a part is not built or Bun or that runtime is not there. */
export function findOurs(runtimeName: RuntimeName): Program | null {
  const [bun, runtime] = [findRuntime("bun"), findRuntime(runtimeName)];
  if (bun === null || runtime === null || ![NODE_MAIN, AGENT_MAIN].every((path) => existsSync(path))) return null;
  const node = [bun.command, NODE_MAIN];
  const agent = [runtime.command, ...(runtimeName === "deno" ? ["run", "-A"] : []), AGENT_MAIN];
  return {
    name: "ours",
    title: `holdfast (agent: ${runtimeName} ${runtime.version}, node: bun ${bun.version})`,
    prepare: (folder) => prepare(node, agent, folder),
  };
}

async function prepare(node: readonly string[], agent: readonly string[], folder: string): Promise<Session> {
  const data = join(folder, "node");
  const state = join(folder, "state");
  const passphraseFile = join(folder, "passphrase");
  mkdirSync(state, { recursive: true, mode: 0o700 });
  writeFileSync(passphraseFile, PASSPHRASE, { mode: 0o600 });
  await call([...node, "init", "--data", data, "--name", "localhost", "--passphrase-file", passphraseFile]);
  const ports = ["--agent-port", "0", "--front-port", "0"];
  const server = await startNode([...node, "serve", "--data", data, "--listen", "127.0.0.1", ...ports, "--json"], join(folder, "node.log"));
  try {
    const code = inviteCode(await call([...node, "invite", "--data", data, "--account", "bench", "--json"]));
    await call([...agent, "enroll", code, "--state", state]);
    await call([...agent, "init", "--state", state, "--passphrase-file", passphraseFile, "--recovery-file", join(folder, "recovery")]);
  } catch (cause) {
    await stop(server);
    throw cause;
  }
  const step = (args: readonly string[]) => measureBeside(server, [...agent, ...args, "--state", state]);
  return {
    backup: (source) => step(["backup", source, "--json"]),
    restore: (source, target) => step(["restore", `latest:${source}`, "--target", target, "--allow-setuid", "--allow-special"]),
    check: async () => null, // Until `holdfast verify` is there.
    storedBytes: () => bytesBelow(data),
    close: () => stop(server),
  };
}

async function measureBeside(server: ChildProcess, command: readonly string[]): Promise<StepMeasured> {
  const pid = server.pid ?? 0;
  resetPeak(pid);
  const beforeMs = cpuMsOf(pid);
  const agent = await measure(command);
  return { wallMs: agent.wallMs, cpuMs: agent.cpuMs + cpuMsOf(pid) - beforeMs, peakKib: agent.peakKib, nodePeakKib: peakKibOf(pid) };
}

/** Resolves with the first line of JSON on standard output, which says that the ports are open. Its log goes to `logPath`. */
function startNode(command: readonly string[], logPath: string): Promise<ChildProcess> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", openSync(logPath, "wx")] });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Fault("internal", "bench: the storage node did not come up"));
    }, START_MS_MAX);
    child.once("exit", (code) => reject(new Fault("internal", `bench: the storage node ended with ${code}`)));
    createInterface({ input: assertDefined(child.stdout, "standard output is a pipe") }).once("line", () => {
      clearTimeout(timer);
      resolve(child);
    });
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    child.once("exit", () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill("SIGTERM");
  });
}

function inviteCode(output: string): string {
  const parsed: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "");
  const code = typeof parsed === "object" && parsed !== null && "code" in parsed ? parsed.code : undefined;
  if (typeof code !== "string") throw new Fault("internal", "bench: the invite printed no code");
  return code;
}
