/**
 * Whether two trees are the same, told by programs that are not ours: `rsync`, and `find`, `sha256sum` and `getfattr`
 * of the system. Names go through as bytes (Latin-1 text here), so that none is lost on the way.
 */
import { findProgram, run, runOk } from "./run.ts";

/** What one entry is, as text to be compared: kind, mode, owner, group, time in ns, size, links, target. */
type Facts = Map<string, string>;

const DIFFERENCES_SHOWN = 20;
const SPARSE_SLACK_BLOCKS = 2048; // 1 MiB: file systems store holes in different grains.

/** Differences between two trees, empty when there are none; by our own comparison alone. */
export async function compareTrees(source: string, restored: string): Promise<string[]> {
  const [want, got] = [await readFacts(source), await readFacts(restored)];
  const differences: string[] = [];
  for (const [name, facts] of want) {
    const other = got.get(name);
    if (other === undefined) differences.push(`${shown(name)}: missing`);
    else if (other !== facts) differences.push(`${shown(name)}: want ${facts}, got ${other}`);
  }
  for (const name of got.keys()) if (!want.has(name)) differences.push(`${shown(name)}: was not in the source`);
  differences.push(...(await compareHoles(source, restored)));
  return differences.slice(0, DIFFERENCES_SHOWN);
}

/** What `rsync -aHAXn --checksum --delete` would do to make `restored` like `source`; `null` without rsync. */
export async function compareByRsync(source: string, restored: string): Promise<string[] | null> {
  const rsync = findProgram("rsync");
  if (rsync === null) return null;
  const ran = await runOk([rsync, "-aHAXn", "--checksum", "--delete", "--itemize-changes", `${source}/`, `${restored}/`]);
  return ran.stdout.split("\n").filter((line) => line !== "");
}

/** Both comparisons in one; `rsync` is left out where it is missing (the caller says so, loudly). */
export async function differencesOf(source: string, restored: string): Promise<string[]> {
  const byRsync = await compareByRsync(source, restored);
  return [...(await compareTrees(source, restored)), ...(byRsync ?? []).map((line) => `rsync: ${line}`)];
}

async function readFacts(root: string): Promise<Facts> {
  const fields = "%P\\0%y\\0%m\\0%U\\0%G\\0%T@\\0%s\\0%n\\0%i\\0%l\\0";
  const listing = await output(["find", root, "-printf", fields]);
  const values = listing.split("\0");
  const facts: Facts = new Map();
  const firstNames = new Map<string, string>();
  const rows: string[][] = [];
  for (let index = 0; index + 10 <= values.length; index += 10) rows.push(values.slice(index, index + 10));
  const nameCounts = new Map<string, number>();
  for (const [, , , , , , , , inode = ""] of rows) nameCounts.set(inode, (nameCounts.get(inode) ?? 0) + 1);
  rows.sort((left, right) => ((left[0] as string) < (right[0] as string) ? -1 : 1));
  for (const [name = "", kind, mode, uid, gid, time, size, links, inode = "", target] of rows) {
    // Hard links are told by the first name of the same file; folders count their links by another rule.
    // Names outside the tree are no part of it: a local clone, for one, shares its objects with its origin.
    const sibling = kind === "d" || links === "1" || nameCounts.get(inode) === 1 ? "" : (firstNames.get(inode) ?? name);
    if (sibling === name) firstNames.set(inode, name);
    facts.set(name, [kind, mode, uid, gid, time, kind === "f" ? size : "", sibling, target].join(" "));
  }
  await addDigests(root, facts);
  await addXattrs(root, facts);
  await addDevices(root, facts);
  return facts;
}

async function addDigests(root: string, facts: Facts): Promise<void> {
  const digests = await output(["sh", "-c", 'cd "$1" && find . -type f -print0 | xargs -0 -r sha256sum -z', "sh", root]);
  for (const line of digests.split("\0")) append(facts, line.slice(68), line.slice(0, 64)); // digest, two spaces, "./name"
}

async function addDevices(root: string, facts: Facts): Promise<void> {
  const devices = await output(["sh", "-c", 'cd "$1" && find . \\( -type c -o -type b \\) -exec stat -c "%n %t:%T" {} +', "sh", root]);
  for (const line of devices.split("\n")) append(facts, line.slice(2, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1));
}

/** Extended attributes, ACLs among them, as getfattr writes them; none without getfattr. */
async function addXattrs(root: string, facts: Facts): Promise<void> {
  if (findProgram("getfattr") === null) return;
  const dump = await output(["sh", "-c", 'cd "$1" && getfattr -R -P -h -d -e hex -m - .', "sh", root]);
  for (const entry of dump.split("\n\n")) {
    const [head = "", ...attributes] = entry.trim().split("\n");
    const name = head.replace(/^# file: /, "").replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (attributes.length > 0) append(facts, name, attributes.sort().join(" "));
  }
}

/** Files whose holes were filled: far more blocks than in the source. */
async function compareHoles(source: string, restored: string): Promise<string[]> {
  const blocksOf = async (root: string): Promise<Map<string, number>> => {
    const values = (await output(["find", root, "-type", "f", "-size", "+1024k", "-printf", "%P\\0%b\\0"])).split("\0");
    return new Map(values.flatMap((value, index) => (index % 2 === 0 && index + 1 < values.length ? [[value, Number(values[index + 1])] as const] : [])));
  };
  const [want, got] = [await blocksOf(source), await blocksOf(restored)];
  const filled = [...want].filter(([name, blocks]) => (got.get(name) ?? 0) > blocks + SPARSE_SLACK_BLOCKS);
  return filled.map(([name, blocks]) => `${shown(name)}: holes were filled, want ${blocks} blocks, got ${got.get(name)}`);
}

function append(facts: Facts, name: string, more: string): void {
  const key = name.replace(/^\.\//, "").replace(/^\.$/, "");
  if (more !== "" && facts.has(key)) facts.set(key, `${facts.get(key)} ${more}`);
}

/** Standard output, each byte as one character. */
async function output(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: { ...process.env, LC_ALL: "C" } });
  const [bytes, errors, code] = await Promise.all([new Response(child.stdout).arrayBuffer(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}: ${errors.slice(-1000)}`);
  return Buffer.from(bytes).toString("latin1");
}

function shown(name: string): string {
  return JSON.stringify(name);
}

/** The sum of all plain file bytes below `folder`, and how many files: for the demo's words. */
export async function countTree(folder: string): Promise<{ files: number; bytes: number }> {
  const ran = await run(["sh", "-c", `find "$1" -xdev -type f -printf '%s\\n' | awk '{ n += 1; s += $1 } END { printf "%d %.0f", n, s }'`, "sh", folder]);
  const [files = 0, bytes = 0] = ran.stdout.split(" ").map(Number);
  return { files, bytes };
}
