/** A real storage node as a process of its own: `holdfast-node init`, `serve` and `invite` under Bun, on loopback. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesToHex, Fault } from "@holdfast/base";
import { findRuntime, ROOT } from "../../tools/runtimes.mjs";
import { runOk } from "./run.ts";

export interface StorageNodeOptions {
  /** Fresh folder for data, log and passphrase. */
  readonly folder: string;
  /** Data folder, when it is to lie elsewhere: on a small file system. */
  readonly data?: string;
  readonly reserveBytes?: number;
  /** More of `serve`'s options: TLS profiles. */
  readonly serveArgs?: readonly string[];
}

export interface Invitation {
  readonly account: string;
  readonly roles?: string;
  readonly quotaBytes?: number;
  readonly expires?: string;
}

const MAIN = join(ROOT, "apps/storage-node/src/main.ts");
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 30_000;
/** Free space is left alone below this; a test machine may have little. */
const RESERVE_BYTES = 16 * 1024 * 1024;

/** One node, which can be stopped, killed and started again on the same ports. */
export class StorageNode implements AsyncDisposable {
  readonly data: string;
  readonly #folder: string;
  readonly passphrasePath: string;
  agentPort = 0;
  frontPort = 0;
  #child: Bun.Subprocess<"ignore", "pipe", Bun.BunFile> | null = null;
  #lifeCount = 0;
  readonly #reserveBytes: number;
  readonly #serveArgs: readonly string[];

  private constructor(options: StorageNodeOptions) {
    this.data = options.data ?? join(options.folder, "node");
    this.#folder = options.folder;
    this.passphrasePath = join(options.folder, "root-passphrase");
    this.#reserveBytes = options.reserveBytes ?? RESERVE_BYTES;
    this.#serveArgs = options.serveArgs ?? [];
  }

  /** Makes the node's keys, certificates and data folder. It does not serve yet. */
  static async create(options: StorageNodeOptions): Promise<StorageNode> {
    const node = new StorageNode(options);
    writeFileSync(node.passphrasePath, "passphrase of the root, for tests only\n", { mode: 0o600 });
    await runOk([...program(), "init", "--data", node.data, "--name", "localhost", "--passphrase-file", node.passphrasePath]);
    return node;
  }

  /** Made and serving. */
  static async start(options: StorageNodeOptions): Promise<StorageNode> {
    const node = await StorageNode.create(options);
    await node.serve();
    return node;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves once both ports are open: any free ones the first time, the same ones after that. */
  async serve(): Promise<void> {
    const ports = ["--listen", "127.0.0.1", "--agent-port", String(this.agentPort), "--front-port", String(this.frontPort)];
    const command = [...program(), "serve", "--data", this.data, ...ports, "--reserve", String(this.#reserveBytes), "--json", ...this.#serveArgs];
    const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: Bun.file(this.#logPath(++this.#lifeCount)) });
    this.#child = child;
    const timer = setTimeout(() => child.kill("SIGKILL"), START_MS_MAX);
    const line = await firstLine(child.stdout);
    clearTimeout(timer);
    if (line === null) {
      await child.exited;
      throw new Fault("internal", `storage node: did not come up: ${readText(this.#logPath(this.#lifeCount))}`);
    }
    const { agentPort, frontPort } = JSON.parse(line) as { agentPort: number; frontPort: number };
    this.agentPort = agentPort;
    this.frontPort = frontPort;
  }

  /** An invite code. */
  async invite(invitation: Invitation): Promise<string> {
    const { account, roles, quotaBytes, expires } = invitation;
    const more = [...(roles === undefined ? [] : ["--roles", roles]), ...(quotaBytes === undefined ? [] : ["--quota", String(quotaBytes)])];
    const ran = await runOk([...program(), "invite", "--data", this.data, "--account", account, ...more, ...(expires ? ["--expires", expires] : []), "--json"]);
    return (JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "") as { code: string }).code;
  }

  /** Runs `holdfast-node` with `args` on the node's folder; what it says. */
  async command(...args: readonly string[]): Promise<string> {
    return (await runOk([...program(), ...args, "--data", this.data])).stdout;
  }

  /** Revokes a device, given as bytes or hex. */
  async revoke(device: Uint8Array | string): Promise<void> {
    await this.command("device", "revoke", typeof device === "string" ? device : bytesToHex(device));
  }

  /** Ids of the devices of `account` in hex, the oldest first. */
  async devices(account: string): Promise<string[]> {
    const all = JSON.parse(await this.command("device", "list", "--json")) as { device: string; account: string }[];
    return all.filter((device) => device.account === account).map(({ device }) => device);
  }

  /** SIGTERM; resolves with the exit code once it has ended. */
  async stop(): Promise<number> {
    return this.#end("SIGTERM");
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** All that the node has logged, over all its lives. */
  log(): string {
    return Array.from({ length: this.#lifeCount }, (_, index) => readText(this.#logPath(index + 1))).join("");
  }

  /** Largest resident set since `resetPeak`, or since the start. */
  peakKib(): number {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readText(`/proc/${this.pid}/status`))?.[1] ?? 0);
  }

  resetPeak(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.running) await this.#end("SIGTERM");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const child = this.#child;
    if (child === null) return 0;
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    const code = await child.exited;
    clearTimeout(timer);
    this.#child = null;
    return code;
  }

  #logPath(life: number): string {
    return join(this.#folder, `node-${life}.log`);
  }
}

function program(): string[] {
  const bun = findRuntime("bun");
  if (bun === null) throw new Fault("missing", "storage node: needs Bun, which this machine does not have");
  return [bun.command, MAIN];
}

/** The first line of a stream, or `null` when it ends before; the rest is read and dropped. */
async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string | null> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) return null;
    text += decoder.decode(value, { stream: true });
  }
  void (async () => {
    while (!(await reader.read()).done);
  })().catch(() => undefined);
  return text.slice(0, text.indexOf("\n"));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
