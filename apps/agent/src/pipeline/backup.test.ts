import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, it } from "node:test";
import { bytesToHex, type Clock, hexToBytes, utf8 } from "@holdfast/base";
import { createSystemClock } from "@holdfast/base/node";
import { asRecordId, parseFrame, RECORD_KINDS } from "@holdfast/protocol";
import { createSeededRandom } from "@holdfast/testkit";
import { createMemorySession, type MemorySession } from "../testing/memory-session.ts";
import { readSnapshot } from "../testing/read-snapshot.ts";
import { runBackup } from "./backup.ts";
import type { BackupOptions, BackupResult } from "./backup-options.ts";
import { rebuildIndex } from "./rebuild-index.ts";

/** Node 20 cannot start a worker from TypeScript; there the built agent is tested by the integration suite. */
const skip = Number(process.versions.node.split(".")[0]) < 22 ? "needs a runtime that runs TypeScript in workers" : false;

/** Trees above the temporary folder, whose times others change meanwhile: that many may be new though nothing of ours changed. */
const SHARED_TREES = tmpdir().split("/").length - 1;

/** Wall time that can be moved: files are as old as the clock says, without waiting. */
function movableClock(): Clock & { aheadMs: number } {
  const system = createSystemClock();
  return {
    aheadMs: 0,
    nowMs() {
      return system.nowMs() + this.aheadMs;
    },
    monotonicMs: () => system.monotonicMs(),
    sleep: (delayMs, signal) => system.sleep(delayMs, signal),
  };
}

describe("backup", { skip, timeout: 120_000 }, () => {
  let root: string;
  let source: string;
  let clock: ReturnType<typeof movableClock>;
  let memory: MemorySession;
  let warnings: string[];
  const random = createSeededRandom(5);

  beforeEach(async () => {
    root = mkdtempSync(`${tmpdir()}/holdfast-backup-`);
    source = `${root}/source`;
    mkdirSync(source);
    clock = movableClock();
    memory = await createMemorySession(`${root}/state`, clock);
    warnings = [];
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function backup(changes: Partial<BackupOptions> = {}): Promise<BackupResult> {
    const options: BackupOptions = {
      paths: [utf8(source)],
      host: "test",
      tags: [],
      setName: null,
      excludes: [],
      excludeCaches: false,
      excludeIfPresent: [],
      oneFileSystem: false,
      excludeLargerThanBytes: null,
      stdinName: null,
      dryRun: false,
      force: false,
      workerCount: 2,
      preferNative: true,
      ...changes,
    };
    return runBackup(memory.session, options, {
      onProgress: () => {},
      onWarning: (path, reason) => warnings.push(`${new TextDecoder().decode(path)}: ${reason}`),
      onNote: () => {},
    });
  }

  /** Makes what was written so far old enough to be believed. */
  const age = (): void => {
    clock.aheadMs += 60_000;
  };
  const read = (result: BackupResult) => readSnapshot(memory.node, memory.session, asRecordId(result.snapshot?.record as Uint8Array));
  const packCount = (): number =>
    [...memory.node.records.values()].filter((frame) => [RECORD_KINDS.contentPack, RECORD_KINDS.structurePack].includes(parseFrame(frame).kind as 3)).length;
  const contentPackCount = (): number => [...memory.node.records.values()].filter((frame) => parseFrame(frame).kind === RECORD_KINDS.contentPack).length;

  function fill(): void {
    mkdirSync(`${source}/folder/empty`, { recursive: true });
    writeFileSync(`${source}/folder/a`, "alpha");
    writeFileSync(`${source}/folder/b`, "");
    writeFileSync(`${source}/big`, random.bytes(9_000_000));
    writeFileSync(`${source}/zeros`, new Uint8Array(300_000));
    symlinkSync("folder/a", `${source}/link`);
    linkSync(`${source}/folder/a`, `${source}/same`);
  }

  it("keeps every entry and every byte", async () => {
    fill();
    const result = await backup();
    const { entries, contents, snapshot } = await read(result);
    for (const path of ["/folder/a", "/folder/b", "/big", "/zeros", "/same"]) {
      assert.deepEqual(Buffer.compare(contents.get(source + path) as Uint8Array, readFileSync(source + path)), 0, path);
    }
    assert.deepEqual(entries.get(`${source}/link`)?.linkTarget, utf8("folder/a"));
    assert.deepEqual(entries.get(`${source}/same`)?.inode, entries.get(`${source}/folder/a`)?.inode);
    assert.equal(entries.get(`${source}/folder/empty`)?.kind, 2);
    assert.equal(snapshot.totals.files, 5);
    assert.equal(result.files, 5);
    assert.equal(result.failures, 0);
  });

  it("reads nothing and stores nothing when nothing changed", async () => {
    fill();
    age();
    const first = await backup();
    age();
    const contentPacks = contentPackCount();
    const second = await backup();
    assert.equal(first.filesRead, 4);
    assert.equal(second.filesRead, 0);
    assert.ok(second.newObjects <= SHARED_TREES, `${second.newObjects} new objects`);
    assert.equal(contentPackCount(), contentPacks);
    assert.deepEqual((await read(second)).entries.get(source), (await read(first)).entries.get(source));
  });

  it("reads what changed, and only that", async () => {
    fill();
    age();
    await backup();
    writeFileSync(`${source}/folder/b`, "beta");
    age();
    const second = await backup();
    assert.equal(second.filesRead, 1);
    assert.deepEqual((await read(second)).contents.get(`${source}/folder/b`), utf8("beta"));
  });

  it("reads a file again that was written in the clock tick of the previous read", async () => {
    writeFileSync(`${source}/racy`, "one");
    await backup(); // Starts within 2 s of the write: its times prove nothing.
    const second = await backup();
    assert.equal(second.filesRead, 1);
  });

  it("notices a change that hides behind an old modification time", async () => {
    writeFileSync(`${source}/file`, "one");
    utimesSync(`${source}/file`, 1_000, 1_000);
    age();
    await backup();
    writeFileSync(`${source}/file`, "two");
    utimesSync(`${source}/file`, 1_000, 1_000);
    age();
    const second = await backup();
    assert.deepEqual((await read(second)).contents.get(`${source}/file`), utf8("two"));
  });

  it("drops what was deleted and takes what became another kind", async () => {
    fill();
    age();
    await backup();
    rmSync(`${source}/folder`, { recursive: true });
    writeFileSync(`${source}/folder`, "a file now");
    rmSync(`${source}/link`);
    mkdirSync(`${source}/link`);
    age();
    const { entries } = await read(await backup());
    assert.equal(entries.get(`${source}/folder`)?.kind, 1);
    assert.equal(entries.get(`${source}/link`)?.kind, 2);
    assert.equal(entries.has(`${source}/folder/a`), false);
    assert.equal(entries.has(`${source}/same`), true);
  });

  it("keeps the holes of a sparse file", async () => {
    const file = openSync(`${source}/sparse`, "w");
    writeSync(file, utf8("front"), 0, 5, 0);
    writeSync(file, utf8("back"), 0, 4, 20_000_000);
    ftruncateSync(file, 30_000_000);
    closeSync(file);
    const result = await backup();
    const { entries, contents } = await read(result);
    const bytes = contents.get(`${source}/sparse`) as Uint8Array;
    assert.equal(Buffer.compare(bytes, readFileSync(`${source}/sparse`)), 0);
    assert.ok(entries.get(`${source}/sparse`)?.content?.items?.some((item) => item.objectId === null));
  });

  it("stores equal files once", async () => {
    const bytes = random.bytes(2_000_000);
    for (const name of ["x", "y", "z"]) writeFileSync(`${source}/${name}`, bytes);
    const result = await backup();
    assert.ok(result.newPlainBytes < 2_100_000);
  });

  it("sends again what the node lost", async () => {
    fill();
    age();
    await backup();
    for (const [key, frame] of memory.node.records) if (parseFrame(frame).kind === RECORD_KINDS.contentPack) memory.node.records.delete(key);
    writeFileSync(`${source}/new`, "something new");
    age();
    const result = await backup({ force: true });
    assert.equal(Buffer.compare((await read(result)).contents.get(`${source}/big`) as Uint8Array, readFileSync(`${source}/big`)), 0);
  });

  it("needs neither listing nor local index: they are built again", async () => {
    fill();
    age();
    await backup();
    rmSync(`${root}/state/cache`, { recursive: true });
    age();
    const contentPacks = contentPackCount();
    const second = await backup();
    assert.equal(second.filesRead, 4);
    assert.ok(second.newObjects <= SHARED_TREES, `${second.newObjects} new objects`);
    assert.equal(contentPackCount(), contentPacks);
    const rebuilt = await rebuildIndex(memory.session);
    assert.ok(rebuilt.objects > 0);
  });

  it("leaves out what the rules say", async () => {
    fill();
    mkdirSync(`${source}/cache`);
    writeFileSync(`${source}/cache/CACHEDIR.TAG`, "Signature: 8a477f597d28d172789f06886806bc55\n");
    writeFileSync(`${source}/cache/rest`, "x");
    mkdirSync(`${source}/marked`);
    writeFileSync(`${source}/marked/.nobackup`, "");
    writeFileSync(`${source}/marked/rest`, "x");
    const { entries } = await read(
      await backup({ excludes: ["zeros"], excludeCaches: true, excludeIfPresent: [".nobackup"], excludeLargerThanBytes: 1_000_000 }),
    );
    const names = [...entries.keys()].filter((path) => path.startsWith(`${source}/`)).map((path) => path.slice(source.length + 1));
    assert.deepEqual(names.sort(), [
      "cache",
      "cache/CACHEDIR.TAG",
      "folder",
      "folder/a",
      "folder/b",
      "folder/empty",
      "link",
      "marked",
      "marked/.nobackup",
      "same",
    ]);
  });

  it("stores nothing in a dry run and says what it would", async () => {
    fill();
    const before = memory.node.records.size;
    const result = await backup({ dryRun: true });
    assert.equal(result.snapshot, null);
    assert.equal(result.files, 5);
    assert.ok(result.newPlainBytes > 9_000_000);
    assert.equal(memory.node.records.size, before);
    assert.equal(memory.session.journal().snapshots.size, 0);
  });

  it("commits partial snapshots on the way, each of which the next replaces", async () => {
    fill();
    for (let index = 0; index < 20; index++) {
      mkdirSync(`${source}/deep${index}`);
      writeFileSync(`${source}/deep${index}/file`, random.bytes(500_000));
    }
    const result = await backup({ partialIntervalMs: 0, workerCount: 1 });
    const snapshots = [...memory.session.journal().snapshots.values()];
    assert.equal(snapshots.length, 1);
    assert.equal(snapshots[0]?.complete, true);
    assert.ok((result.snapshot?.seq ?? 0) >= 3, "a partial snapshot came before");
    assert.equal((await read(result)).snapshot.totals.files, 25);
  });

  it("gives up cleanly when the node refuses, and the next run goes on from what was durable", async () => {
    fill();
    const { store } = memory.session;
    let puts = 0;
    const broken = {
      ...memory.session,
      store: {
        ...bound(store),
        put: async (...args: Parameters<typeof store.put>) => {
          if (++puts > 1) throw new Error("the line is cut");
          return store.put(...args);
        },
      },
    };
    const whole = memory.session;
    memory = { ...memory, session: broken };
    await assert.rejects(backup(), /the line is cut/);
    memory = { ...memory, session: whole };
    assert.equal(memory.session.journal().snapshots.size, 0);
    const packs = packCount();
    const result = await backup();
    assert.ok(packs >= 1);
    assert.equal(Buffer.compare((await read(result)).contents.get(`${source}/big`) as Uint8Array, readFileSync(`${source}/big`)), 0);
  });

  it("backs up one file, and several sources of which one lies in the other", async () => {
    fill();
    const result = await backup({ paths: [utf8(`${source}/zeros`), utf8(`${source}/folder`), utf8(`${source}/folder/a`)] });
    const { entries } = await read(result);
    const names = [...entries.keys()].filter((path) => path.startsWith(`${source}/`)).map((path) => path.slice(source.length + 1));
    assert.deepEqual(names.sort(), ["folder", "folder/a", "folder/b", "folder/empty", "zeros"]);
  });

  it("refuses when none of the sources is there, and names them", async () => {
    await assert.rejects(backup({ paths: [utf8(`${source}/nothing`), utf8("/no-such-folder/x")] }), (error: Error) => {
      assert.equal((error as Error & { code: string }).code, "missing");
      assert.match(error.message, /source\/nothing \(ENOENT\)/);
      return true;
    });
    assert.equal(memory.session.journal().snapshots.size, 0);
  });

  it("reports a source that is not there and backs up the others", async () => {
    fill();
    const result = await backup({ paths: [utf8(`${source}/folder`), utf8(`${source}/nothing`), utf8("/no-such-folder/x")] });
    assert.equal(result.failures, 2);
    assert.deepEqual(warnings, ["/no-such-folder: ENOENT", `${source}/nothing: ENOENT`]);
    assert.deepEqual((await read(result)).contents.get(`${source}/folder/a`), utf8("alpha"));
  });

  it("keeps names that are not UTF-8", async () => {
    execFileSync("sh", ["-c", `printf x > "${source}/$(printf 'bad\\377name')"`]);
    const { contents } = await read(await backup());
    assert.deepEqual(contents.get(`${source}/${bytesToHex(hexToBytes("626164ff6e616d65") as Uint8Array)}`), utf8("x"));
  });
});

/** The methods of a class instance as properties of their own. */
function bound<Store extends object>(store: Store): Store {
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(store)).filter((name) => name !== "constructor");
  return Object.fromEntries(methods.map((name) => [name, (store as Record<string, (...args: unknown[]) => unknown>)[name]?.bind(store)])) as Store;
}
