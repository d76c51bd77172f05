/**
 * `npm run demo [-- FOLDER]`: the whole of Holdfast on one machine. A storage node, an agent, two backups of FOLDER, a changed
 * file, a third backup, a restore, and a comparison by other programs. FOLDER is only read. All that is made is gone at the end.
 */
import { appendFileSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findRuntime, ROOT } from "../../tools/runtimes.mjs";
import { Agent, type JsonEvent, RESTORE_EVERYTHING } from "../harness/agent.ts";
import { compareByRsync, compareTrees, countTree } from "../harness/compare.ts";
import { createScratch, type Scratch } from "../harness/scratch.ts";
import { StorageNode } from "../harness/storage-node.ts";
import { bytesOnDisk } from "../harness/vault-data.ts";
import { createDiary, type Diary, duration, size } from "./words.ts";

const PASSPHRASE_BYTES = 15;
const CHANGED_FILE = "letter.txt";

interface Demo {
  readonly scratch: Scratch;
  readonly node: StorageNode;
  readonly agent: Agent;
  /** What the user named, or the repository; never written to. */
  readonly folder: string;
  /** A small folder of the demo's own, where a file changes. */
  readonly notes: string;
  readonly say: Diary;
}

await main(process.argv.slice(2).filter((arg) => arg !== "--")).catch((error: unknown) => {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});

async function main(args: readonly string[]): Promise<void> {
  const folder = resolve(args[0] ?? ROOT);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) stop(`demo: is not a folder, got ${folder}`);
  if (args.length > 1) stop("demo: want one folder: npm run demo -- FOLDER");
  const say = createDiary();
  using scratch = createScratch("demo");
  say.title("Holdfast, from nothing to a restored folder");
  say.line(`Everything happens on this machine, in ${scratch.path}, and is removed at the end. ${folder} is only read.`);
  await using node = await startNode(scratch, say);
  const agent = await startAgent(scratch, node, say);
  const notes = scratch.folder("notes");
  writeFileSync(join(notes, CHANGED_FILE), "Dear reader,\nthis letter changes between two backups.\n");
  const demo: Demo = { scratch, node, agent, folder, notes, say };
  await backUp(demo);
  const differences = await restoreAndCompare(demo);
  if (differences.length > 0) {
    say.title("FAILED: what came back is not what was there");
    for (const difference of differences.slice(0, 20)) say.line(difference);
    process.exitCode = 1;
    return;
  }
  closing(demo);
}

async function startNode(scratch: Scratch, say: Diary): Promise<StorageNode> {
  say.title("1. A storage node");
  const node = await say.timed("holdfast-node init and serve", () => StorageNode.start({ folder: scratch.folder("storage") }));
  say.line("Its root certificate, its own certificate and its keys were just made. It keeps sealed records in libSQL files");
  say.line(`in ${node.data}, and has no key that opens them. Agents talk to it by TLS 1.3 with certificates on both sides.`);
  return node;
}

async function startAgent(scratch: Scratch, node: StorageNode, say: Diary): Promise<Agent> {
  say.title("2. An agent");
  const agent = new Agent("node20", scratch.at("agent"));
  const runtime = findRuntime(agent.runtime);
  say.line(`The agent runs under Node ${runtime?.version ?? "?"}; Bun and Deno run the same file.`);
  const code = await node.invite({ account: "demo" });
  say.line(`An invite code from the node: ${code.slice(0, 34)}… It works once, and names the node's root, so nothing is trusted on sight.`);
  await say.timed("holdfast enroll CODE", () => agent.enroll(code));
  const passphrase = Buffer.from(crypto.getRandomValues(new Uint8Array(PASSPHRASE_BYTES))).toString("base64url");
  writeFileSync(agent.passphrasePath, `${passphrase}\n`, { mode: 0o600 });
  await say.timed("holdfast init", () => agent.ok(["init", "--passphrase-file", agent.passphrasePath, "--recovery-file", agent.recoveryPath]));
  say.line("The vault has a passphrase and a recovery code of 24 words; each opens it on any other machine. Here are the first");
  say.line(`words of the code: ${agent.recoveryCode().split(" ").slice(0, 4).join(" ")} …`);
  return agent;
}

/** Three backups: everything is new, nothing has changed, one file has. */
async function backUp({ agent, folder, notes, node, say }: Demo): Promise<void> {
  say.title("3. Backups");
  const { files, bytes } = await countTree(folder);
  say.line(`${folder} holds ${files.toLocaleString("en")} files, ${size(bytes)}.`);
  const once = async (name: string): Promise<JsonEvent> => {
    const started = performance.now();
    // 3: some entries could not be read, were reported, and the rest is saved.
    const ran = await agent.run(["backup", folder, notes, "--json"]);
    if (ran.code !== 0 && ran.code !== 3) throw new Error(`holdfast backup ended with ${ran.code}: ${ran.stderr.slice(-2000)}${ran.stdout.slice(-2000)}`);
    const summary = JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "{}") as JsonEvent;
    say.step(name, performance.now() - started);
    say.line(`   read ${Number(summary.filesRead).toLocaleString("en")} files, ${size(Number(summary.bytesRead))}; sent ${size(Number(summary.bytesSent))}.`);
    if (Number(summary.failures) > 0)
      throw new Error(`demo: ${summary.failures} entries cannot be read by you, so nothing could compare them; choose another folder, or run as root`);
    return summary;
  };
  const first = await once("first backup: everything is new");
  const plain = Number(first.plainBytes);
  const fresh = Number(first.newPlainBytes);
  say.line(`   Of ${size(plain)}, ${size(Math.min(fresh, plain))} were different from anything else: what occurs twice is stored once.`);
  say.line(
    `   Compressed, sealed and padded that is ${size(Number(first.bytesSent ?? 0))}; the node's folder, with its databases and logs, is ${size(bytesOnDisk(node.data))}.`,
  );
  await once("second backup: nothing has changed");
  say.line("   Only names, sizes and times were compared; no file was opened that did not change.");
  appendFileSync(join(notes, CHANGED_FILE), "P.S. This line is new.\n");
  await once("third backup: one line was added to one file");
}

/** Differences between what was and what came back, told by programs that are not ours. */
async function restoreAndCompare({ scratch, agent, folder, notes, say }: Demo): Promise<string[]> {
  say.title("4. Restore and compare");
  const target = scratch.at("restored");
  mkdirSync(target);
  await say.timed("holdfast restore latest", async () => {
    const ran = await agent.run(["restore", "latest", "--target", target, ...(process.getuid?.() === 0 ? RESTORE_EVERYTHING : []), "--json"]);
    if (ran.code !== 0) throw new Error(`holdfast restore ended with ${ran.code}: ${ran.stderr.slice(-2000)}${ran.stdout.slice(-2000)}`);
  });
  const differences: string[] = [];
  for (const source of [folder, notes]) {
    const restored = join(target, source);
    differences.push(...(await say.timed(`find, sha256sum, getfattr: ${source}`, () => compareTrees(source, restored))));
    const byRsync = await compareByRsync(source, restored);
    if (byRsync === null) say.line("   rsync is not installed, so it was not asked too (apt-get install rsync).");
    else differences.push(...byRsync.map((line) => `rsync: ${line}`));
  }
  if (differences.length === 0) say.line("Contents, names, modes, owners, times to the nanosecond, links and attributes are the same.");
  return differences;
}

function closing({ say }: Demo): void {
  say.title("Where to go next");
  say.line("README.md               what it protects against, what not, and the five commands for a real set-up");
  say.line("docs/operations.md      running a storage node");
  say.line("docs/agent.md           the agent's commands, configuration and exit codes");
  say.line("docs/threat-model.md    each promise, and the test that fails if it is false");
  say.line(`npm run demo -- FOLDER   the same with a folder of yours`);
  say.success(`SUCCESS: three backups, one restore, nothing lost and nothing changed (${duration(say.elapsedMs())} in all).`);
}

function stop(message: string): never {
  console.error(message);
  process.exit(2);
}
