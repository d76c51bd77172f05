/** What a hostile snapshot, target or disk can do to a restore: nothing outside the target, nothing half-written in it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isFault, utf8 } from "@holdfast/base";
import { CborWriter, type Entry, FILE_KINDS, OBJECT_KINDS, writeEntry } from "@holdfast/vault";
import { loadPlatform } from "../platform/index.ts";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { FolderChain } from "./folder-chain.ts";
import { restoreSnapshot } from "./restore.ts";
import type { RestoreOptions } from "./restore-options.ts";

/** Threads start from sources here, which the oldest Node cannot run. */
const RUNS_SOURCES = "Bun" in globalThis || "Deno" in globalThis || Boolean((process.features as { typescript?: unknown }).typescript);
const THREAD_COUNT = RUNS_SOURCES ? 2 : 0;
const EVENTS = { onProgress: () => {}, onWarning: () => {}, onFailure: () => {} };

const restore = (vault: VaultBuilder, target: string, options: Partial<RestoreOptions> = {}) =>
  restoreSnapshot(vault.session(), "latest", { target, workers: 0, ...options }, EVENTS);

async function inFolder(use: (path: string, vault: VaultBuilder) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), "hostile-"));
  try {
    await use(path, await VaultBuilder.create());
  } finally {
    spawnSync("rm", ["-rf", path]); // Paths may be longer than what every runtime's own removal takes.
  }
}

/** A tree with entries as bytes, whatever their names: what the builder would refuse. */
function rawTree(vault: VaultBuilder, entries: readonly Uint8Array[]) {
  const writer = new CborWriter(4_096);
  writer.map(2);
  writer.uint(1);
  writer.uint(0);
  writer.uint(2);
  writer.array(entries.length);
  for (const entry of entries) writer.raw(entry);
  return vault.put(OBJECT_KINDS.tree, writer.bytes.slice(0, writer.length));
}

/** CBOR of `entry` with its name replaced by one of the same length. */
function renamed(entry: Entry, name: Uint8Array): Uint8Array {
  assert.equal(entry.name.length, name.length);
  const writer = new CborWriter(4_096);
  writeEntry(writer, entry);
  const encoded = writer.bytes.slice(0, writer.length);
  encoded.set(name, 3); // Map head, key 1, head of the byte string.
  return encoded;
}

describe("restore of hostile snapshots", () => {
  for (const name of ["..", ".", "a/b", "/xy", "a\0b"]) {
    it(`refuses a folder with an entry named ${JSON.stringify(name)}, and restores those beside it`, () =>
      inFolder(async (path, vault) => {
        const evil = renamed(vault.file("x".repeat(name.length), [utf8("evil")]), utf8(name));
        const folder = vault.entry("evil", { kind: FILE_KINDS.folder, subtree: rawTree(vault, [evil]) });
        await vault.commit([folder, vault.file("good", [utf8("good")])]);
        const target = join(path, "target");
        const result = await restore(vault, target);
        assert.deepEqual(
          result.failures.map((failure) => failure.path),
          ["evil"],
        );
        assert.deepEqual(readdirSync(path), ["target"]);
        assert.deepEqual(readdirSync(join(target, "evil")), []);
        assert.equal(readFileSync(join(target, "good"), "utf8"), "good");
      }));
  }

  it("does not write through a link that the same snapshot makes", () =>
    inFolder(async (path, vault) => {
      const outside = join(path, "outside");
      mkdirSync(outside);
      const link = vault.entry("door", { kind: FILE_KINDS.symlink, linkTarget: utf8(outside) });
      const folder = vault.folder("door", [vault.file("planted", [utf8("evil")])]);
      // The same name twice in one node, and over two nodes of one folder.
      const writer = new CborWriter(4_096);
      const encode = (entry: Entry): Uint8Array => {
        writeEntry(writer, entry);
        const encoded = writer.bytes.slice(0, writer.length);
        writer.length = 0;
        return encoded;
      };
      const twice = vault.entry("twice", { kind: FILE_KINDS.folder, subtree: rawTree(vault, [encode(link), encode(folder)]) });
      const nodes = [rawTree(vault, [encode(link)]), rawTree(vault, [encode(folder)])];
      writer.map(2);
      writer.uint(1);
      writer.uint(1);
      writer.uint(2);
      writer.array(2);
      for (const [index, node] of nodes.entries()) {
        writer.array(2);
        writer.byteString(utf8(index === 0 ? "door" : "doos"));
        writer.byteString(node);
      }
      const split = vault.entry("split", { kind: FILE_KINDS.folder, subtree: vault.put(OBJECT_KINDS.tree, writer.bytes.slice(0, writer.length)) });
      await vault.commit([twice, split, vault.file("good", [utf8("good")])]);
      const result = await restore(vault, join(path, "target"));
      assert.deepEqual(
        result.failures.map((failure) => failure.path),
        ["split", "twice"],
      );
      assert.deepEqual(readdirSync(outside), []);
      assert.equal(readFileSync(join(path, "target", "good"), "utf8"), "good");
    }));

  it("does not write through a link that waits in the target", () =>
    inFolder(async (path, vault) => {
      await vault.commit([
        vault.folder("folder", [vault.file("file", [utf8("new")])]),
        vault.file("plain", [utf8("new")]),
        vault.file("parts", [utf8("n"), utf8("ew")]),
      ]);
      const prepare = (name: string): { target: string; outside: string } => {
        const [target, outside] = [join(path, name), join(path, `${name} outside`)];
        mkdirSync(target);
        mkdirSync(outside);
        for (const file of ["file", "plain", "parts"]) writeFileSync(join(outside, file), "mine");
        symlinkSync(outside, join(target, "folder"));
        symlinkSync(join(outside, "plain"), join(target, "plain"));
        symlinkSync(join(outside, "parts"), join(target, "parts"));
        return { target, outside };
      };
      for (const overwrite of ["never", "if-changed", "always"] as const) {
        const { target, outside } = prepare(overwrite);
        const result = await restore(vault, target, { overwrite });
        for (const file of ["file", "plain", "parts"]) assert.equal(readFileSync(join(outside, file), "utf8"), "mine", `${overwrite} ${file}`);
        assert.equal(readdirSync(outside).length, 3);
        assert.equal(result.exitCode, overwrite === "never" ? 3 : 0);
        if (overwrite !== "never") assert.equal(readFileSync(join(target, "folder", "file"), "utf8"), "new");
      }
    }));

  it("reads links and lists of another kind than they claim to be as damage", () =>
    inFolder(async (path, vault) => {
      const chunk = vault.put(OBJECT_KINDS.chunk, utf8("not a tree"));
      const list = vault.entry("list", { sizeBytes: 10, content: { items: null, listId: vault.put(OBJECT_KINDS.tree, utf8("no list")) } });
      await vault.commit([
        vault.entry("folder", { kind: FILE_KINDS.folder, subtree: chunk }),
        list,
        vault.entry("link", { kind: FILE_KINDS.symlink }),
        vault.file("good", [utf8("x")]),
      ]);
      const result = await restore(vault, path);
      assert.deepEqual(result.failures.map((failure) => failure.path).sort(), ["folder", "link", "list"]);
      assert.deepEqual(readdirSync(path).sort(), ["folder", "good"]);
    }));

  it("gives up a file that is longer than the disk can say, and goes on", () =>
    inFolder(async (path, vault) => {
      await vault.commit([vault.file("endless", [Number.MAX_SAFE_INTEGER]), vault.file("good", [utf8("x")])]);
      const result = await restore(vault, path);
      assert.deepEqual(
        result.failures.map((failure) => failure.path),
        ["endless"],
      );
      assert.deepEqual(readdirSync(path), ["good"]);
    }));

  it("refuses a target that was swapped for another folder", () =>
    inFolder(async (path) => {
      const { platform } = loadPlatform({ preferNative: true });
      assert.throws(() => new FolderChain(platform, { path: utf8(path), inode: 1n, devMajor: 0, devMinor: 0 }), { name: "Fault", code: "conflict" });
    }));

  it("goes as deep as the format allows paths to be long", () =>
    inFolder(async (path, vault) => {
      const DEPTH = 100;
      let entry = vault.file("file", [utf8("deep")]);
      for (let depth = 0; depth < DEPTH; depth++) entry = vault.folder("d".repeat(60), [entry]);
      await vault.commit([entry]);
      const { platform, fallbackReason } = loadPlatform({ preferNative: true });
      const result = await restore(vault, path);
      if (fallbackReason !== null) return assert.equal(result.exitCode, 3);
      assert.deepEqual(result.failures, []);
      const folder = platform.openFolder(utf8(`${path}/${`${"d".repeat(60)}/`.repeat(DEPTH)}`));
      const target = new Uint8Array(new ArrayBuffer(4));
      const file = platform.openFileAt(folder, utf8("file"));
      platform.readAt(file, target, 0);
      assert.deepEqual(target, utf8("deep"));
      platform.closeFile(file);
      platform.closeFolder(folder);
    }));
});

describe("restore onto a full disk", () => {
  const mounted = tryMount();
  it("stops, says how much is missing, leaves nothing half-written, and goes on later", { skip: mounted }, () =>
    inFolder(async (path, vault) => {
      assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", path]).status, 0);
      try {
        const content = (seed: number, byteCount: number) =>
          Uint8Array.from({ length: byteCount }, (_, index) => (Math.imul(index + seed, 2_654_435_761) >>> 13) & 0xff);
        const files = Array.from({ length: 8 }, (_, number) =>
          vault.file(`file ${number}`, number % 2 === 0 ? [content(number, 600_000)] : [content(number, 300_000), content(number + 50, 300_000)]),
        );
        await vault.commit(files, { totals: { files: 8, folders: 0, others: 0, plainBytes: 4_800_000 } });
        const fault = await restore(vault, join(path, "target"), { workers: THREAD_COUNT }).then(
          () => null,
          (error: unknown) => error,
        );
        assert.ok(isFault(fault, "transport"), String(fault));
        assert.equal(fault.detail.errno, "ENOSPC");
        const missing = fault.detail.missingBytes as number;
        assert.ok(missing > 1_000_000 && missing < 4_800_000, `missing ${missing}`);
        const done = readdirSync(join(path, "target"));
        for (const name of done) assert.equal(statSync(join(path, "target", name)).size, 600_000, name);
        assert.equal(spawnSync("mount", ["-o", "remount,size=16m", path]).status, 0);
        const result = await restore(vault, join(path, "target"), { overwrite: "if-changed", verify: true });
        assert.deepEqual(result.failures, []);
        assert.equal(result.kept, done.length);
        assert.equal(readdirSync(join(path, "target")).length, 8);
      } finally {
        spawnSync("umount", [path]);
      }
    }),
  );
});

/** Why a small file system cannot be had, or `false`. */
function tryMount(): string | false {
  if (process.geteuid?.() !== 0) return "NOT RUN: needs root";
  const path = mkdtempSync(join(tmpdir(), "mount-"));
  const isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path]).status === 0;
  if (isMounted) spawnSync("umount", [path]);
  rmSync(path, { recursive: true, force: true });
  return isMounted ? false : "NOT RUN: may not mount";
}
