/** Restores of small vaults into temporary folders: what comes back is what was put in, and nothing else is touched. */
import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { FILE_KINDS } from "@holdfast/vault";
import { EntryStats, loadPlatform } from "../platform/index.ts";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { OPEN_FILES_MAX } from "./file-maker.ts";
import { restoreSnapshot } from "./restore.ts";
import type { RestoreOptions, RestoreResult } from "./restore-options.ts";

const IS_ROOT = process.geteuid?.() === 0;
const { platform, fallbackReason } = loadPlatform({ preferNative: true });
const UNLESS_NATIVE: string | false = fallbackReason === null ? false : `NOT RUN: ${fallbackReason}`;
const UNLESS_ROOT: string | false = IS_ROOT ? UNLESS_NATIVE : "NOT RUN: needs root";
/** Threads start from sources here, which the oldest Node cannot run; the built agent brings its own entry. */
const RUNS_SOURCES = "Bun" in globalThis || "Deno" in globalThis || Boolean((process.features as { typescript?: unknown }).typescript);
const UNLESS_SOURCES: string | false = RUNS_SOURCES ? false : "NOT RUN: this runtime starts no threads from sources";
const THREAD_COUNTS = [0, 2];

interface Outcome extends RestoreResult {
  readonly warnings: readonly string[];
}

async function restore(vault: VaultBuilder, target: string, options: Partial<RestoreOptions> = {}, spec = "latest"): Promise<Outcome> {
  const warnings: string[] = [];
  const events = { onProgress: () => {}, onWarning: (path: string, reason: string) => warnings.push(`${path}: ${reason}`), onFailure: () => {} };
  const result = await restoreSnapshot(vault.session(), spec, { target, workers: 0, ...options }, events);
  return { ...result, warnings };
}

/** Runs `use` with a fresh folder, which is removed again, and a fresh vault. */
async function inFolder(use: (path: string, vault: VaultBuilder) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), "restore-"));
  try {
    await use(path, await VaultBuilder.create());
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** Bytes that do not compress and differ by `seed`. */
function noise(byteCount: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(byteCount);
  let state = seed + 1;
  for (let index = 0; index < byteCount; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}

function statOf(folder: string, name: Uint8Array) {
  const stats = new EntryStats(1);
  const handle = platform.openFolder(utf8(folder));
  platform.statAt(handle, name, stats, 0);
  platform.closeFolder(handle);
  return stats.entry(0);
}

for (const workers of THREAD_COUNTS) {
  describe(`restoreSnapshot with ${workers} threads`, () => {
    const skip = workers > 0 && UNLESS_SOURCES;
    it("gives back content, modes, times and links", { skip }, () =>
      inFolder(async (path, vault) => {
        const parts = [noise(300_000, 1), utf8("tail")];
        const text = utf8("text ".repeat(1000));
        await vault.commit([
          vault.folder("data", [
            vault.file("big", parts, { mode: 0o640 }),
            vault.file("text", [text], { mode: 0o4644 & 0o777 }),
            vault.file("same text", [text]),
            vault.file("empty", [], { mode: 0o600 }),
            vault.folder("sub", [vault.file("deep", [utf8("x")]), vault.folder("nothing in it", [])], { mode: 0o1755 }),
            vault.entry("link", { kind: FILE_KINDS.symlink, mode: 0o777, linkTarget: utf8("../big") }),
          ]),
        ]);
        const target = join(path, "made", "target");
        const result = await restore(vault, target, { workers, verify: true });
        assert.deepEqual(result.failures, []);
        assert.equal(result.exitCode, 0);
        assert.deepEqual([result.files, result.folders, result.others], [5, 3, 1]);
        assert.deepEqual(readdirSync(target), ["data"]);
        const data = join(target, "data");
        assert.deepEqual(readdirSync(data).sort(), ["big", "empty", "link", "same text", "sub", "text"]);
        assert.deepEqual(new Uint8Array(readFileSync(join(data, "big"))), new Uint8Array([...(parts[0] as Uint8Array), ...(parts[1] as Uint8Array)]));
        assert.equal(readFileSync(join(data, "text"), "utf8"), "text ".repeat(1000));
        assert.equal(readFileSync(join(data, "same text"), "utf8"), "text ".repeat(1000));
        assert.equal(readFileSync(join(data, "empty")).length, 0);
        assert.equal(readFileSync(join(data, "sub", "deep"), "utf8"), "x");
        assert.equal(readlinkSync(join(data, "link")), "../big");
        const modes = ["big", "text", "empty", "sub", "."].map((name) => statSync(join(data, name)).mode & 0o7777);
        assert.deepEqual(modes, [0o640, 0o644, 0o600, 0o1755, 0o755]);
        for (const name of ["big", "text", "empty", "sub", "link"]) {
          const { mtimeSec, mtimeNs } = statOf(data, utf8(name));
          assert.equal(mtimeSec, 1_600_000_000, name);
          if (UNLESS_NATIVE === false) assert.equal(mtimeNs, 123_456_789, name);
        }
      }),
    );

    it("keeps holes as holes", { skip }, () =>
      inFolder(async (path, vault) => {
        const HOLE = 8 * 1024 * 1024;
        await vault.commit([vault.file("holes", [HOLE, utf8("middle"), HOLE]), vault.file("nothing", [HOLE])]);
        const result = await restore(vault, path, { workers, verify: true });
        assert.deepEqual(result.failures, []);
        const stat = statSync(join(path, "holes"));
        assert.equal(stat.size, 2 * HOLE + 6);
        assert.ok(stat.blocks * 512 < 1024 * 1024, `takes ${stat.blocks} blocks`);
        assert.equal(
          readFileSync(join(path, "holes"))
            .subarray(HOLE, HOLE + 6)
            .toString(),
          "middle",
        );
        assert.equal(statSync(join(path, "nothing")).size, HOLE);
      }),
    );

    it("makes one file of all names of a file, with one set of attributes", { skip }, () =>
      inFolder(async (path, vault) => {
        const inode = { fileSystem: 0, inode: 77 };
        const xattrs = [{ name: utf8("user.note"), value: utf8("kept") }];
        const content = [noise(400_000, 5)];
        await vault.commit([
          vault.folder("a", [vault.file("first", content, { inode, xattrs })]),
          vault.folder("b", [vault.file("second", content, { inode, xattrs }), vault.file("third", content, { inode, xattrs })]),
          vault.file("other file system", content, { inode: { fileSystem: 1, inode: 77 } }),
        ]);
        const result = await restore(vault, path, { workers });
        assert.deepEqual(result.failures, []);
        const inodes = ["a/first", "b/second", "b/third", "other file system"].map((name) => statSync(join(path, name)).ino);
        assert.equal(new Set(inodes.slice(0, 3)).size, 1);
        assert.notEqual(inodes[3], inodes[0]);
        assert.equal(statSync(join(path, "b/third")).nlink, 3);
        assert.deepEqual(new Uint8Array(readFileSync(join(path, "b/second"))), content[0]);
        if (UNLESS_NATIVE !== false) return;
        const folder = platform.openFolder(utf8(join(path, "b")));
        assert.deepEqual(platform.xattrsAt(folder, utf8("third")), xattrs);
        platform.closeFolder(folder);
        assert.equal(statOf(join(path, "b"), utf8("third")).mtimeNs, 123_456_789);
      }),
    );

    it("restores more files of many parts than may be open at once", { skip }, () =>
      inFolder(async (path, vault) => {
        const COUNT = OPEN_FILES_MAX * 2 + 10;
        const contents = Array.from({ length: COUNT }, (_, number) => [noise(200, number), noise(300, number + COUNT)]);
        // All first parts in one pack, all second parts in another: every file is begun before any can end.
        for (const half of [0, 1]) {
          for (const parts of contents) vault.put(1, parts[half] as Uint8Array);
          vault.closePack();
        }
        await vault.commit(contents.map((parts, number) => vault.file(`file ${number}`, parts)));
        const result = await restore(vault, path, { workers });
        assert.deepEqual(result.failures, []);
        assert.equal(result.files, COUNT);
        for (const [number, parts] of contents.entries()) {
          const whole = new Uint8Array(500);
          whole.set(parts[0] as Uint8Array);
          whole.set(parts[1] as Uint8Array, 200);
          assert.deepEqual(new Uint8Array(readFileSync(join(path, `file ${number}`))), whole);
        }
        assert.equal(readdirSync(path).length, COUNT);
      }),
    );

    it("reports what lies in a damaged pack and restores all the rest", { skip }, () =>
      inFolder(async (path, vault) => {
        const good = vault.file("good", [noise(1000, 1)]);
        vault.closePack();
        const bad = vault.file("bad", [noise(1000, 2)]);
        const half = vault.file("half", [noise(1000, 1), noise(1001, 3)]);
        await vault.commit([good, bad, half, vault.folder("folder", [vault.file("good too", [noise(1000, 1)])])]);
        vault.damage(vault.contentPacks[1] as NonNullable<(typeof vault.contentPacks)[0]>);
        const result = await restore(vault, path, { workers });
        assert.equal(result.exitCode, 3);
        assert.deepEqual(result.failures.map((failure) => failure.path).sort(), ["bad", "half"]);
        assert.deepEqual(readdirSync(path).sort(), ["folder", "good"]);
        assert.deepEqual(new Uint8Array(readFileSync(join(path, "folder", "good too"))), noise(1000, 1));
      }),
    );
  });
}

describe("restoreSnapshot", () => {
  it("writes through the fallback adapter what it can, and warns of the rest", () =>
    inFolder(async (path, vault) => {
      await vault.commit([
        vault.file("file", [noise(300_000, 1), noise(10, 2)], { xattrs: [{ name: utf8("user.note"), value: utf8("lost") }] }),
        vault.entry("pipe", { kind: FILE_KINDS.fifo }),
        vault.file("second", [utf8("2")]),
      ]);
      const result = await restore(vault, path, { preferNative: false, verify: true });
      assert.deepEqual(readdirSync(path).sort(), ["file", "second"]);
      assert.deepEqual(
        result.failures.map((failure) => failure.path),
        ["pipe"],
      );
      assert.equal(result.warnings.length, 1);
      assert.equal(statSync(join(path, "file")).size, 300_010);
    }));

  it("keeps names that are not UTF-8, pipes and old times", { skip: UNLESS_NATIVE }, () =>
    inFolder(async (path, vault) => {
      const name = Uint8Array.of(0x66, 0xff, 0x0a);
      const modified = { seconds: -5, nanoseconds: 7 };
      await vault.commit([
        vault.folder(name, [vault.file(name, [utf8("x")], { modified })], { modified }),
        vault.entry("pipe", { kind: FILE_KINDS.fifo, mode: 0o620, modified }),
      ]);
      const result = await restore(vault, path);
      assert.deepEqual(result.failures, []);
      const folder = platform.openFolder(new Uint8Array([...utf8(`${path}/`), ...name]));
      const stats = new EntryStats(1);
      platform.statAt(folder, name, stats, 0);
      assert.deepEqual([stats.mtimeSec(0), stats.mtimeNs(0)], [-5, 7]);
      platform.closeFolder(folder);
      assert.deepEqual([statOf(path, name).mtimeSec, statOf(path, name).mtimeNs], [-5, 7]);
      const pipe = statOf(path, utf8("pipe"));
      assert.deepEqual([pipe.kind, pipe.mode, pipe.mtimeSec], ["fifo", 0o620, -5]);
    }),
  );

  it("gives owners back by name where the name is known here, else by number, or not at all", { skip: UNLESS_ROOT }, () =>
    inFolder(async (path, vault) => {
      const owned = { uid: 4242, gid: 4243, user: "root", group: "no such group here" };
      await vault.commit([
        vault.file("file", [utf8("x")], owned),
        vault.folder("folder", [], owned),
        vault.entry("link", { kind: FILE_KINDS.symlink, linkTarget: utf8("x"), ...owned }),
      ]);
      const ownersIn = async (name: string, options: Partial<RestoreOptions>) => {
        const target = join(path, name);
        assert.deepEqual((await restore(vault, target, options)).failures, []);
        return ["file", "folder", "link"].map((each) => lstatSync(join(target, each))).map(({ uid, gid }) => [uid, gid]);
      };
      assert.deepEqual(await ownersIn("names", {}), Array(3).fill([0, 4243]));
      assert.deepEqual(await ownersIn("numbers", { numericOwner: true }), Array(3).fill([4242, 4243]));
      assert.deepEqual(await ownersIn("none", { owner: false }), Array(3).fill([0, process.getegid?.()]));
    }),
  );

  it("refuses devices, setuid and capabilities, unless they are allowed", { skip: UNLESS_ROOT }, () =>
    inFolder(async (path, vault) => {
      const capability = { name: utf8("security.capability"), value: Uint8Array.of(1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) };
      await vault.commit([
        vault.file("program", [utf8("#!")], { mode: 0o6755 }),
        vault.file("capable", [utf8("#!")], { mode: 0o755, xattrs: [capability] }),
        vault.entry("null", { kind: FILE_KINDS.characterDevice, mode: 0o666, device: { major: 1, minor: 3 } }),
        vault.folder("group folder", [], { mode: 0o2775 }),
      ]);
      const first = join(path, "refused");
      const refused = await restore(vault, first);
      assert.deepEqual(readdirSync(first).sort(), ["capable", "group folder", "program"]);
      assert.equal(statSync(join(first, "program")).mode & 0o7777, 0o755);
      assert.equal(statSync(join(first, "group folder")).mode & 0o7777, 0o2775);
      assert.equal(refused.warnings.length, 3);
      assert.equal(refused.exitCode, 0);
      const second = join(path, "allowed");
      const allowed = await restore(vault, second, { allowSetuid: true, allowSpecial: true });
      assert.deepEqual(allowed.warnings, []);
      assert.equal(statSync(join(second, "program")).mode & 0o7777, 0o6755);
      const device = statOf(second, utf8("null"));
      assert.deepEqual([device.kind, device.rdevMajor, device.rdevMinor], ["char-device", 1, 3]);
      const folder = platform.openFolder(utf8(second));
      assert.deepEqual(platform.xattrsAt(folder, utf8("capable")), [capability]);
      platform.closeFolder(folder);
      // Without owners, setuid would be that of whoever restores.
      const third = join(path, "without owners");
      await restore(vault, third, { allowSetuid: true, owner: false });
      assert.equal(statSync(join(third, "program")).mode & 0o7777, 0o755);
    }),
  );

  it("restores the content of the folder behind the colon, or the one file", () =>
    inFolder(async (path, vault) => {
      await vault.commit([
        vault.folder("data", [vault.folder("sub", [vault.file("x", [utf8("1")]), vault.file("y", [utf8("2")])]), vault.file("z", [utf8("3")])]),
      ]);
      const list = async (spec: string): Promise<string[]> => {
        const target = join(path, spec.replaceAll("/", "_"));
        await restore(vault, target, {}, spec);
        return readdirSync(target).sort();
      };
      assert.deepEqual(await list("latest:/data/sub/"), ["x", "y"]);
      assert.deepEqual(await list("latest:data/z"), ["z"]);
      assert.deepEqual(await list("latest:/"), ["data"]);
      await assert.rejects(list("latest:data/nothing"), { name: "Fault", code: "missing" });
      await assert.rejects(list("latest:data/z/more"), { name: "Fault", code: "missing" });
    }));

  it("gives a target that it makes the attributes of the folder behind the colon, and leaves one that was there alone", () =>
    inFolder(async (path, vault) => {
      await vault.commit([vault.folder("data", [vault.file("x", [utf8("1")])], { mode: 0o750, modified: { seconds: 1_000, nanoseconds: 0 } })]);
      await restore(vault, join(path, "made"), {}, "latest:data");
      const made = statSync(join(path, "made"));
      assert.equal(made.mode & 0o7777, 0o750);
      assert.equal(made.mtimeMs, 1_000_000);
      mkdirSync(join(path, "there"), { mode: 0o711 });
      await restore(vault, join(path, "there"), {}, "latest:data");
      assert.equal(statSync(join(path, "there")).mode & 0o7777, 0o711);
    }));

  it("takes what is included and leaves what is excluded, making only folders that are needed", () =>
    inFolder(async (path, vault) => {
      const text = (name: string) => vault.file(name, [utf8(name)]);
      await vault.commit([
        vault.folder("a", [vault.folder("keep", [text("1.txt"), text("2.bin")]), text("3.txt")]),
        vault.folder("b", [vault.folder("c", [text("4.bin")])]),
      ]);
      const list = async (name: string, options: Partial<RestoreOptions>): Promise<string[]> => {
        const target = join(path, name);
        await restore(vault, target, options);
        return (readdirSync(target, { recursive: true }) as string[]).sort();
      };
      assert.deepEqual(await list("included", { include: ["*.txt"] }), ["a", "a/3.txt", "a/keep", "a/keep/1.txt"]);
      assert.deepEqual(await list("folder", { include: ["/a/keep"] }), ["a", "a/keep", "a/keep/1.txt", "a/keep/2.bin"]);
      assert.deepEqual(await list("excluded", { exclude: ["*.bin", "keep/"] }), ["a", "a/3.txt", "b", "b/c"]);
      assert.deepEqual(await list("both", { include: ["/a"], exclude: ["*.bin"] }), ["a", "a/3.txt", "a/keep", "a/keep/1.txt"]);
      assert.equal(Math.floor(statSync(join(path, "included", "a")).mtimeMs), 1_600_000_000_123);
    }));

  it("refuses a target that is not empty, and one that is a file", () =>
    inFolder(async (path, vault) => {
      await vault.commit([vault.file("file", [utf8("new")])]);
      writeFileSync(join(path, "mine"), "mine");
      await assert.rejects(restore(vault, path), { name: "Fault", code: "input", message: /is not empty; say --overwrite/ });
      await assert.rejects(restore(vault, join(path, "mine")), { name: "Fault", code: "input" });
      assert.deepEqual(readdirSync(path), ["mine"]);
    }));

  it("overwrites never, what changed, or always", () =>
    inFolder(async (path, vault) => {
      const time = { modified: { seconds: 1_600_000_000, nanoseconds: 0 } };
      const link = vault.entry("link", { kind: FILE_KINDS.symlink, linkTarget: utf8("new"), ...time });
      await vault.commit([
        vault.file("same", [utf8("new")], time),
        vault.file("other", [utf8("new")], time),
        vault.file("big", [noise(10, 1), noise(10, 2)], time),
        link,
        vault.file("gone", [utf8("new")], time),
      ]);
      const prepare = (name: string): string => {
        const target = join(path, name);
        mkdirSync(target);
        for (const each of ["same", "other", "big", "mine"]) writeFileSync(join(target, each), "old");
        utimesSync(join(target, "same"), 1_600_000_000, 1_600_000_000);
        symlinkSync("old", join(target, "link"));
        return target;
      };
      const contents = (target: string) => ["same", "other", "mine", "gone"].map((each) => readFileSync(join(target, each), "utf8"));
      const never = prepare("never");
      assert.equal((await restore(vault, never, { overwrite: "never" })).kept, 4);
      assert.deepEqual(contents(never), ["old", "old", "old", "new"]);
      assert.equal(readlinkSync(join(never, "link")), "old");
      const changed = prepare("changed");
      assert.equal((await restore(vault, changed, { overwrite: "if-changed" })).kept, 1);
      assert.deepEqual(contents(changed), ["old", "new", "old", "new"]);
      assert.equal(readlinkSync(join(changed, "link")), "new");
      assert.equal(statSync(join(changed, "big")).size, 20);
      const always = prepare("always");
      assert.equal((await restore(vault, always, { overwrite: "always" })).kept, 0);
      assert.deepEqual(contents(always), ["new", "new", "old", "new"]);
      assert.deepEqual(readdirSync(always).sort(), ["big", "gone", "link", "mine", "other", "same"]);
      assert.equal((await restore(vault, always, { overwrite: "if-changed" })).kept, 5);
    }));

  it("replaces names of one file without leaving anything behind", () =>
    inFolder(async (path, vault) => {
      const inode = { fileSystem: 0, inode: 5 };
      await vault.commit([vault.file("a", [utf8("new")], { inode }), vault.file("b", [utf8("new")], { inode })]);
      await restore(vault, path);
      const again = await restore(vault, path, { overwrite: "always" });
      assert.deepEqual(again.failures, []);
      assert.deepEqual(readdirSync(path).sort(), ["a", "b"]);
      assert.equal(statSync(join(path, "a")).ino, statSync(join(path, "b")).ino);
    }));

  it("does not fetch the whole of a pack of which it needs little", () =>
    inFolder(async (path, vault) => {
      const rest = Array.from({ length: 7 }, (_, number) => noise(1_000_000, number));
      await vault.commit([vault.file("little", [noise(5_000, 99)]), vault.file("much", rest)]);
      const part = await restore(vault, join(path, "part"), {}, "latest:little");
      assert.deepEqual(part.failures, []);
      assert.equal(part.fetchedBytes, 1024 * 1024);
      assert.deepEqual(new Uint8Array(readFileSync(join(path, "part", "little"))), noise(5_000, 99));
      const last = await restore(vault, join(path, "last"), {}, "latest:much");
      assert.ok(last.fetchedBytes > 7_000_000);
      assert.equal(statSync(join(path, "last", "much")).size, 7_000_000);
    }));

  it("writes nothing in a dry run, and tells what it would do and could not", () =>
    inFolder(async (path, vault) => {
      const lost = vault.entry("lost", {
        sizeBytes: 3,
        content: { items: [{ objectId: vault.put(1, utf8("abc")).map((byte) => byte ^ 1) as never, plainBytes: 3 }], listId: null },
      });
      await vault.commit([vault.folder("a", [vault.file("file", [utf8("four")])]), lost]);
      const result = await restore(vault, join(path, "target"), { dryRun: true });
      assert.deepEqual([result.files, result.folders, result.bytes, result.exitCode], [1, 1, 4, 3]);
      assert.deepEqual(
        result.failures.map((failure) => failure.path),
        ["lost"],
      );
      assert.equal(existsSync(join(path, "target")), false);
    }));

  it("reports files of which a pack is missing or an object unknown", () =>
    inFolder(async (path, vault) => {
      const gone = vault.file("gone", [noise(100, 1)]);
      vault.closePack();
      const unknown = vault.entry("unknown", { sizeBytes: 3, content: { items: [{ objectId: new Uint8Array(32) as never, plainBytes: 3 }], listId: null } });
      await vault.commit([gone, unknown, vault.file("here", [noise(100, 2)]), vault.entry("unread", { sizeBytes: 9, flags: 4 })]);
      vault.remove(vault.contentPacks[0] as NonNullable<(typeof vault.contentPacks)[0]>);
      const result = await restore(vault, path);
      assert.deepEqual(result.failures.map((failure) => failure.path).sort(), ["gone", "unknown", "unread"]);
      assert.deepEqual(readdirSync(path), ["here"]);
    }));

  it("goes on past a folder whose tree is damaged or gone", () =>
    inFolder(async (path, vault) => {
      const bad = vault.folder("bad", [vault.file("lost", [utf8("x")])]);
      vault.closePack(2);
      await vault.commit([bad, vault.folder("good", [vault.file("kept", [utf8("y")])])]);
      vault.damage(vault.structurePacks[0] as NonNullable<(typeof vault.structurePacks)[0]>);
      const result = await restore(vault, path);
      assert.deepEqual(
        result.failures.map((failure) => failure.path),
        ["bad"],
      );
      assert.equal(result.exitCode, 3);
      assert.equal(readFileSync(join(path, "good", "kept"), "utf8"), "y");
    }));

  it("restores files whose content stands in lists", () =>
    inFolder(async (path, vault) => {
      const parts = Array.from({ length: 700 }, (_, number) => noise(50 + (number % 7), number));
      await vault.commit([vault.file("listed", parts)]);
      const result = await restore(vault, path, { verify: true });
      assert.deepEqual(result.failures, []);
      assert.deepEqual(new Uint8Array(readFileSync(join(path, "listed"))), new Uint8Array(parts.flatMap((part) => [...part])));
    }));

  it("ends at once when it is told to, and removes what is unfinished", () =>
    inFolder(async (path, vault) => {
      await vault.commit(Array.from({ length: 600 }, (_, number) => vault.file(`file ${number}`, [noise(10, number), noise(10, number + 1)])));
      const signal = AbortSignal.abort(new Error("told to"));
      await assert.rejects(restore(vault, path, { signal }), /told to/);
      assert.deepEqual(
        readdirSync(path).filter((name) => name.startsWith(".holdfast-")),
        [],
      );
    }));
});
