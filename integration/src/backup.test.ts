/** The agent as its users meet it: what is saved, what is left out, what is said, and with which exit code. */
import assert from "node:assert/strict";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Agent, EXIT, parseEvents } from "./harness/agent.ts";
import { differencesOf } from "./harness/compare.ts";
import { listSnapshots, snapshotId } from "./harness/crash.ts";
import { type Installation, install } from "./harness/installation.ts";
import { skipWithout } from "./harness/needs.ts";
import { run, said } from "./harness/run.ts";
import { makeRandomFile, makeSampleTree } from "./harness/sample-tree.ts";
import { storedRecords, vaultBytes } from "./harness/vault-data.ts";

let installation: Installation;
let agent: Agent;
let count = 0;

before(async () => {
  installation = await install("backup");
  agent = installation.agent;
});
after(async () => installation[Symbol.asyncDispose]());

/** A fresh source with the files given. */
function sourceOf(files: Readonly<Record<string, string>>): string {
  const folder = installation.scratch.folder(`source-${++count}`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Restores the latest snapshot of `source`; where it is now. */
async function restored(source: string, snapshot = "latest"): Promise<string> {
  const target = installation.scratch.at(`restored-${++count}`);
  return agent.restore(source, target, snapshot, snapshot === "latest" ? ["--path", source] : []);
}

/** Paths of the files below `folder`, relative and sorted. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

describe("a backup", () => {
  it("without a passphrase, unattended, brings back every kind of entry", async () => {
    const source = installation.scratch.at("everything");
    await makeSampleTree(source);
    await agent.ok(["backup", source], { env: { HOLDFAST_PASSPHRASE: undefined } });
    assert.deepEqual(await differencesOf(source, await restored(source)), []);
  });

  it("of the same again stores next to nothing", async () => {
    const source = sourceOf({});
    makeRandomFile(join(source, "random"), 8_000_000, 1);
    await agent.backup([source]);
    const before = vaultBytes(installation);
    const summary = await agent.backup([source]);
    assert.equal(summary.newPlainBytes === 0 || Number(summary.newObjects) <= 3, true, JSON.stringify(summary));
    assert.ok(vaultBytes(installation) - before < 300_000, `${vaultBytes(installation) - before} bytes more`);
  });

  it("of a copy under another name stores the content once", async () => {
    const source = sourceOf({});
    makeRandomFile(join(source, "one"), 8_000_000, 2);
    await agent.backup([source]);
    const before = vaultBytes(installation);
    Bun.spawnSync(["cp", join(source, "one"), join(source, "two")]);
    await agent.backup([source]);
    assert.ok(vaultBytes(installation) - before < 300_000);
    assert.deepEqual(await differencesOf(source, await restored(source)), []);
  });

  it("of a file with bytes inserted stores little more than those", async () => {
    const source = sourceOf({});
    makeRandomFile(join(source, "big"), 24_000_000, 3);
    await agent.backup([source]);
    const before = vaultBytes(installation);
    const whole = await Bun.file(join(source, "big")).bytes();
    writeFileSync(join(source, "big"), Buffer.concat([whole.subarray(0, 12_000_000), Buffer.from("inserted"), whole.subarray(12_000_000)]));
    await agent.backup([source]);
    assert.ok(vaultBytes(installation) - before < 10_000_000, `${vaultBytes(installation) - before} bytes more`);
    assert.deepEqual(await differencesOf(source, await restored(source)), []);
  });

  it("of several paths keeps them all, and folders above them", async () => {
    const [one, two] = [sourceOf({ a: "1" }), sourceOf({ "b/c": "2" })];
    await agent.ok(["backup", one, join(two, "b", "c")]);
    const target = installation.scratch.at(`restored-${++count}`);
    await agent.ok(["restore", "latest", "--target", target]);
    assert.equal(await Bun.file(join(target, one, "a")).text(), "1");
    assert.equal(await Bun.file(join(target, two, "b", "c")).text(), "2");
  });

  it("that cannot read a file saves the rest, names it, and ends with 3", { skip: skipWithout("setpriv") }, async () => {
    const source = sourceOf({ good: "good", secret: "secret" });
    chmodSync(join(source, "secret"), 0);
    // Root reads everything, unless it gives that up.
    const powerless = process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"] : [];
    const ran = await run([...powerless, ...agent.command("backup", source)]);
    assert.equal(ran.code, EXIT.unreadable, said(ran));
    assert.match(said(ran), /secret/);
    const target = installation.scratch.at(`restored-${++count}`);
    const back = await agent.expect(EXIT.unreadable, ["restore", "latest", "--path", source, "--target", target]);
    assert.match(said(back), /secret/);
    assert.deepEqual(filesBelow(join(target, source)), ["good"]);
  });

  it("of a path that is not there says so and saves nothing in its place", async () => {
    const ran = await agent.run(["backup", "/nonexistent/for/sure"]);
    assert.notEqual(ran.code, EXIT.ok);
    assert.match(said(ran), /nonexistent/);
  });
});

describe("a backup leaves out", () => {
  it("what --exclude names, in the syntax of gitignore", async () => {
    const source = sourceOf({ "keep.txt": "", "drop.log": "", "sub/drop.log": "", "sub/keep.log": "", "node_modules/x": "" });
    await agent.ok(["backup", source, "--exclude", "drop.log", "--exclude", "node_modules/"]);
    assert.deepEqual(filesBelow(await restored(source)), ["keep.txt", "sub/keep.log"]);
  });

  it("what a file of patterns names, with exceptions", async () => {
    const source = sourceOf({ "a.tmp": "", "b.tmp": "", "c.txt": "" });
    const patterns = join(sourceOf({ patterns: "# a comment\n*.tmp\n!b.tmp\n" }), "patterns");
    await agent.ok(["backup", source, "--exclude-file", patterns]);
    assert.deepEqual(filesBelow(await restored(source)), ["b.tmp", "c.txt"]);
  });

  it("caches, and folders with a marker", async () => {
    const signature = "Signature: 8a477f597d28d172789f06886806bc55\n";
    const source = sourceOf({
      "cache/CACHEDIR.TAG": signature,
      "cache/x": "",
      "marked/.nobackup": "",
      "marked/y": "",
      "fake/CACHEDIR.TAG": "no",
      "fake/z": "",
    });
    await agent.ok(["backup", source, "--exclude-caches", "--exclude-if-present", ".nobackup"]);
    const files = filesBelow(await restored(source));
    assert.ok(files.includes("fake/z") && files.includes("cache/CACHEDIR.TAG"), files.join());
    assert.ok(!files.includes("cache/x") && !files.includes("marked/y"), files.join());
  });

  it("files that are larger than they may be", async () => {
    const source = sourceOf({ small: "x".repeat(1000), large: "x".repeat(3000) });
    await agent.ok(["backup", source, "--exclude-larger-than", "2000"]);
    assert.deepEqual(filesBelow(await restored(source)), ["small"]);
  });

  it("other file systems, when it is to stay on one", async () => {
    const source = sourceOf({ here: "" });
    const mounted = join(source, "mounted");
    mkdirSync(mounted);
    if (!Bun.spawnSync(["mount", "-t", "tmpfs", "tmpfs", mounted]).success) return console.error("!!! SKIPPED: cannot mount here");
    try {
      writeFileSync(join(mounted, "there"), "");
      await agent.ok(["backup", source, "--one-file-system"]);
    } finally {
      Bun.spawnSync(["umount", mounted]);
    }
    assert.deepEqual(filesBelow(await restored(source)), ["here"]);
  });
});

describe("standard input", () => {
  it("is one file of the name that is given", async () => {
    const content = "from a pipe\n".repeat(200_000);
    await agent.ok(["backup", "--stdin", "--stdin-name", "dump.sql"], { stdin: content });
    const target = installation.scratch.at(`restored-${++count}`);
    await agent.ok(["restore", "latest", "--target", target]);
    const [file] = filesBelow(target);
    assert.match(String(file), /dump\.sql$/);
    assert.equal(await Bun.file(join(target, String(file))).text(), content);
  });
});

describe("a dry run", () => {
  it("stores nothing and says what it would", async () => {
    const source = sourceOf({ a: "content that is nowhere else" });
    const [records, snapshots] = [storedRecords(installation).length, (await listSnapshots(installation)).length];
    const summary = await agent.backup([source], ["--dry-run"]);
    assert.equal(summary.files, 1);
    assert.equal(storedRecords(installation).length, records);
    assert.equal((await listSnapshots(installation)).length, snapshots);
  });
});

describe("snapshots", () => {
  it("carry tags and can be chosen by them", async () => {
    const source = sourceOf({ a: "tagged" });
    await agent.ok(["backup", source, "--tag", "weekly", "--tag", "before-upgrade"]);
    const found = parseEvents((await agent.ok(["snapshots", "--tag", "weekly", "--json"])).stdout).filter((event) => event.event === "snapshot");
    assert.equal(found.length, 1);
    assert.deepEqual(found[0]?.tags, ["before-upgrade", "weekly"]);
  });

  it("stay what they were when the source changes", async () => {
    const source = sourceOf({ a: "before" });
    await agent.ok(["backup", source]);
    const first = snapshotId((await listSnapshots(installation)).at(-1));
    appendFileSync(join(source, "a"), " and after");
    await agent.ok(["backup", source]);
    assert.equal(await Bun.file(join(await restored(source, first), "a")).text(), "before");
    assert.equal(await Bun.file(join(await restored(source), "a")).text(), "before and after");
  });

  it("are listed, and one file comes back alone", async () => {
    const source = sourceOf({ "deep/er/file": "one file", other: "" });
    await agent.ok(["backup", source]);
    assert.match((await agent.ok(["ls", `latest:${source}`, "--recursive"])).stdout, /deep\/er\/file/);
    const target = installation.scratch.at(`restored-${++count}`);
    await agent.ok(["restore", `latest:${source}/deep/er/file`, "--target", target]);
    assert.deepEqual(filesBelow(target), ["file"]);
    assert.equal(existsSync(join(target, "other")), false);
  });
});
