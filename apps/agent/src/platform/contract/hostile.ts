/** What happens when the tree changes under an adapter's feet, or was built to lead it astray. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { EntryStats } from "../entry-stats.ts";
import type { FolderHandle, Platform } from "../platform.ts";
import { faultWith, inFolder, namesIn, putFile, SKIP_UNLESS_ROOT, statOf } from "./fixture.ts";

export function hostileContract(name: string, create: () => Platform): void {
  describe(`Platform against hostile trees: ${name}`, () => {
    it("a file that became a link is not read", () =>
      inFolder(create, ({ platform, folder, path }) => {
        writeFileSync(join(path, "secret"), "secret");
        symlinkSync(join(path, "secret"), join(path, "file"));
        const target = new Uint8Array(new ArrayBuffer(16));
        assert.throws(() => platform.openFileAt(folder, utf8("file")), { name: "Fault", code: "conflict" });
        assert.throws(() => platform.readSmallFileAt(folder, utf8("file"), target, new EntryStats(1), 0), faultWith("ELOOP"));
        assert.deepEqual(target, new Uint8Array(16));
      }));

    it("links that lead in a circle are entries like others", () =>
      inFolder(create, (fixture) => {
        const { platform, folder, path } = fixture;
        symlinkSync("b", join(path, "a"));
        symlinkSync("a", join(path, "b"));
        assert.equal(namesIn(platform, folder).length, 2);
        assert.equal(statOf(fixture, utf8("a")).kind, "symlink");
        assert.throws(() => platform.openFolderAt(folder, utf8("a")), { name: "Fault", code: "conflict" });
        assert.throws(() => platform.openFolder(utf8(join(path, "a"))), faultWith("ELOOP"));
      }));

    it("a link in the place of a folder is not entered, neither to read nor to restore", () =>
      inFolder(create, ({ platform, folder, path }) => {
        mkdirSync(join(path, "outside"));
        symlinkSync(join(path, "outside"), join(path, "inside"));
        assert.throws(() => platform.openFolderAt(folder, utf8("inside")), { name: "Fault", code: "conflict" });
        assert.throws(() => platform.createFileAt(folder, utf8("inside"), 0o644), faultWith("EEXIST"));
      }));

    it("an open folder that is swapped for a link leads nowhere else", () =>
      inFolder(create, (fixture) => {
        const { platform, folder, path } = fixture;
        mkdirSync(join(path, "outside"));
        mkdirSync(join(path, "inside"));
        const inside = platform.openFolderAt(folder, utf8("inside"));
        renameSync(join(path, "inside"), join(path, "moved"));
        symlinkSync(join(path, "outside"), join(path, "inside"));
        try {
          putFile({ ...fixture, folder: inside }, utf8("file"), utf8("x"));
          assert.ok(existsSync(join(path, "moved", "file")), "the handle names the folder, not the path");
        } catch (error) {
          assert.ok(faultWith("ESTALE")(error), "or the adapter sees the swap");
        }
        assert.equal(existsSync(join(path, "outside", "file")), false);
        platform.closeFolder(inside);
      }));

    it("removing and changing a link leaves what it points to alone", { skip: SKIP_UNLESS_ROOT }, () =>
      inFolder(create, (fixture) => {
        const { platform, folder, path } = fixture;
        putFile(fixture, utf8("file"), utf8("x"), 0o644);
        const before = statOf(fixture, utf8("file"));
        platform.symlinkAt(utf8("file"), folder, utf8("link"));
        platform.setOwnerAt(folder, utf8("link"), 99, 99);
        platform.setMtimeAt(folder, utf8("link"), 1000, 0);
        platform.removeAt(folder, utf8("link"));
        assert.deepEqual(statOf(fixture, utf8("file")), before);
        assert.equal(readFileSync(join(path, "file"), "utf8"), "x");
      }),
    );

    it("a pipe or a folder in the place of a file is refused at once", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        makePipe(fixture.path, platform, folder);
        platform.makeFolderAt(folder, utf8("folder"), 0o755);
        const target = new Uint8Array(new ArrayBuffer(16));
        for (const each of ["pipe", "folder"].map(utf8)) {
          assert.throws(() => platform.openFileAt(folder, each), { name: "Fault", code: "conflict" });
          assert.throws(() => platform.readSmallFileAt(folder, each, target, new EntryStats(1), 0), { name: "Fault", code: "conflict" });
        }
      }));

    it("a device in the place of a file is refused, though it could be read", { skip: SKIP_UNLESS_ROOT }, () =>
      inFolder(create, ({ platform, folder, path }) => {
        assert.equal(spawnSync("mknod", [join(path, "zeros"), "c", "1", "5"]).status, 0); // As /dev/zero.
        const target = new Uint8Array(new ArrayBuffer(16));
        assert.throws(() => platform.openFileAt(folder, utf8("zeros")), { name: "Fault", code: "conflict" });
        assert.throws(() => platform.readSmallFileAt(folder, utf8("zeros"), target, new EntryStats(1), 0), { name: "Fault", code: "conflict" });
      }),
    );

    it("entries deeper than one path can name are saved, restored and removed, or fault", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const LEVEL_COUNT = 60;
        const level = utf8("d".repeat(100));
        const opened: FolderHandle[] = [folder];
        const descend = (): void => {
          for (let depth = 0; depth < LEVEL_COUNT; depth++) {
            const parent = opened.at(-1) as FolderHandle;
            platform.makeFolderAt(parent, level, 0o755);
            opened.push(platform.openFolderAt(parent, level));
          }
        };
        if (platform.capabilities.deepPaths !== null) {
          assert.throws(descend, faultWith("ENAMETOOLONG"));
          for (const each of opened.slice(1)) platform.closeFolder(each);
          return;
        }
        descend();
        const deepest = opened.at(-1) as FolderHandle;
        putFile({ ...fixture, folder: deepest }, utf8("file"), utf8("deep"));
        const path = utf8(`${fixture.path}/${`${"d".repeat(100)}/`.repeat(LEVEL_COUNT)}`);
        const again = platform.openFolder(path);
        assert.deepEqual(namesIn(platform, again), [utf8("file")]);
        platform.closeFolder(again);
        platform.removeAt(deepest, utf8("file"));
        for (let depth = LEVEL_COUNT; depth > 0; depth--) {
          platform.closeFolder(opened[depth] as FolderHandle);
          platform.removeFolderAt(opened[depth - 1] as FolderHandle, level);
        }
        assert.deepEqual(namesIn(platform, folder), []);
      }));

    it("a handle that was closed faults", () =>
      inFolder(create, ({ platform, folder, path }) => {
        mkdirSync(join(path, "sub"));
        const sub = platform.openFolderAt(folder, utf8("sub"));
        platform.closeFolder(sub);
        assert.throws(() => platform.closeFolder(sub), faultWith("EBADF"));
      }));

    it("a folder that is removed while open faults or is empty", () =>
      inFolder(create, ({ platform, folder, path }) => {
        mkdirSync(join(path, "sub"));
        const sub = platform.openFolderAt(folder, utf8("sub"));
        rmSync(join(path, "sub"), { recursive: true });
        try {
          assert.deepEqual(namesIn(platform, sub), []);
        } catch (error) {
          assert.ok(faultWith("ENOENT", "ESTALE")(error));
        }
        platform.closeFolder(sub);
      }));
  });
}

/** A pipe called `pipe`: by the adapter where it can, else by the system's own tool. */
function makePipe(path: string, platform: Platform, folder: FolderHandle): void {
  if (platform.capabilities.specialFiles === null) {
    platform.makeSpecialAt(folder, utf8("pipe"), { kind: "fifo", mode: 0o600, rdevMajor: 0, rdevMinor: 0 });
    return;
  }
  assert.equal(spawnSync("mkfifo", [join(path, "pipe")]).status, 0);
}
