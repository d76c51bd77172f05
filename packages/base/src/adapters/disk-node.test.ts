import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { utf8 } from "../bytes.ts";
import type { DiskFile } from "../ports.ts";
import { createNodeDisk, type DiskFs } from "./disk-node.ts";

const SKIP_UNLESS_ROOT: string | false =
  process.geteuid?.() === 0 && process.platform === "linux" ? false : "NOT RUN: needs root on Linux to mount a small file system";
const BYTES_MAX = 1024 * 1024;

/** Only these change what a crash leaves on the disk. */
const WRITING_CALLS = [
  "openSync",
  "fchmodSync",
  "writeSync",
  "ftruncateSync",
  "fsyncSync",
  "closeSync",
  "renameSync",
  "mkdirSync",
  "unlinkSync",
  "rmSync",
] as const;

function inFolder(use: (folder: string) => void): void {
  const folder = nodeFs.mkdtempSync(join(tmpdir(), "disk-"));
  try {
    use(folder);
  } finally {
    nodeFs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The real functions, with `before` called in front of each one that writes. */
function watchedFs(before: (call: string, args: readonly unknown[]) => void): DiskFs {
  const watched: Record<string, unknown> = { ...nodeFs };
  for (const call of WRITING_CALLS) {
    const real = watched[call] as (...args: unknown[]) => unknown;
    watched[call] = (...args: unknown[]) => {
      before(call, args);
      return real(...args);
    };
  }
  return watched as unknown as DiskFs;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code });
}

describe("Node disk", () => {
  it("writes, reads, appends, lists, renames and removes", () =>
    inFolder((folder) => {
      const disk = createNodeDisk();
      const path = join(folder, "a", "b", "state");
      disk.makeFolder(join(folder, "a", "b"), 0o700);
      disk.makeFolder(join(folder, "a", "b"), 0o700);
      disk.writeFile(path, utf8("one"), 0o600);
      disk.writeFile(path, utf8("two"), 0o640);
      disk.appendFile(path, utf8(" three"), 0o600);
      assert.deepEqual(disk.readFile(path, BYTES_MAX), utf8("two three"));
      assert.deepEqual({ ...disk.stat(path), uid: 0 }, { kind: "file", sizeBytes: 9, mode: 0o640, uid: 0 });
      disk.appendFile(join(folder, "a", "b", "log"), utf8("x"), 0o666);
      assert.equal(disk.stat(join(folder, "a", "b", "log"))?.mode, 0o666);
      assert.deepEqual(disk.list(join(folder, "a", "b")), ["log", "state"]);
      disk.rename(path, join(folder, "moved"));
      assert.deepEqual(disk.list(folder), ["a", "moved"]);
      disk.remove(join(folder, "a"));
      disk.remove(join(folder, "a"));
      assert.deepEqual(disk.list(folder), ["moved"]);
      assert.equal(disk.stat(folder)?.kind, "folder");
      assert.ok(disk.freeBytes(folder) > 0);
    }));

  it("tells what is absent by null, and what fails by a fault", () =>
    inFolder((folder) => {
      const disk = createNodeDisk();
      const absent = join(folder, "absent");
      assert.equal(disk.readFile(absent, BYTES_MAX), null);
      assert.equal(disk.list(absent), null);
      assert.equal(disk.stat(absent), null);
      assert.throws(() => disk.rename(absent, join(folder, "x")), { name: "Fault", code: "missing" });
      assert.throws(() => disk.writeFile(join(absent, "x"), utf8("x"), 0o600), { name: "Fault", code: "missing" });
      assert.throws(() => disk.freeBytes(absent), { name: "Fault", code: "missing" });
      assert.throws(() => disk.readFile(folder, BYTES_MAX), { name: "Fault" });
      disk.writeFile(join(folder, "file"), utf8("x"), 0o600);
      assert.throws(() => disk.makeFolder(join(folder, "file"), 0o700), { name: "Fault", code: "conflict" });
    }));

  it("reads up to the limit and not a byte beyond", () =>
    inFolder((folder) => {
      const disk = createNodeDisk();
      const path = join(folder, "file");
      disk.writeFile(path, new Uint8Array(100), 0o600);
      assert.equal(disk.readFile(path, 100)?.length, 100);
      assert.throws(() => disk.readFile(path, 99), { name: "Fault", code: "limit" });
    }));

  it("bounds a file whose size is not known beforehand", { skip: process.platform !== "linux" }, () => {
    const disk = createNodeDisk();
    assert.ok((disk.readFile("/proc/self/status", BYTES_MAX)?.length ?? 0) > 100);
    assert.throws(() => disk.readFile("/proc/self/status", 100), { name: "Fault", code: "limit" });
    assert.throws(() => disk.readFile("/dev/zero", 10_000), { name: "Fault", code: "limit" });
  });

  it("writeFile syncs the file before the rename and the folder after it", () =>
    inFolder((folder) => {
      const steps: string[] = [];
      const disk = createNodeDisk(watchedFs((call) => steps.push(call)));
      disk.writeFile(join(folder, "file"), utf8("x"), 0o600);
      assert.deepEqual(steps, ["openSync", "fchmodSync", "writeSync", "fsyncSync", "closeSync", "renameSync", "openSync", "fsyncSync", "closeSync"]);
    }));

  it("writeFile never opens the file itself", () =>
    inFolder((folder) => {
      const opened: unknown[] = [];
      const disk = createNodeDisk(watchedFs((call, args) => void (call === "openSync" && opened.push(args[0]))));
      disk.writeFile(join(folder, "file"), utf8("x"), 0o600);
      assert.match(String(opened[0]), /\/\.file\.[0-9a-f]{16}\.tmp$/);
      assert.deepEqual(opened.slice(1), [folder]);
    }));

  it("a crash before any step leaves the old file or the new one, whole", () =>
    inFolder((folder) => {
      const path = join(folder, "file");
      const OLD = utf8("old content");
      const NEW = utf8("new, longer content");
      const seen = new Set<string>();
      for (let crashStep = 0; ; crashStep++) {
        createNodeDisk().writeFile(path, OLD, 0o600);
        let step = 0;
        // From the crash on nothing reaches the disk any more.
        const disk = createNodeDisk(
          watchedFs(() => {
            if (step++ >= crashStep) throw new Error("crashed");
          }),
        );
        let isFinished = true;
        try {
          disk.writeFile(path, NEW, 0o600);
        } catch {
          isFinished = false;
        }
        const found = createNodeDisk().readFile(path, BYTES_MAX);
        const text = new TextDecoder().decode(found ?? undefined);
        assert.ok(text === "old content" || text === "new, longer content", `step ${crashStep}: ${text}`);
        assert.deepEqual(createNodeDisk().list(folder), ["file"]);
        seen.add(text);
        if (isFinished) break;
      }
      assert.equal(seen.size, 2);
    }));

  it("an I/O error at any step is a transport fault and leaves no temporary file", () =>
    inFolder((folder) => {
      const path = join(folder, "file");
      let faultCount = 0;
      for (let failingStep = 0; ; failingStep++) {
        let step = 0;
        const disk = createNodeDisk(
          watchedFs((call) => {
            // Nothing can be cleared up after a failed close: the file may be open still; it is not part of this promise.
            if (step++ === failingStep && call !== "closeSync") throw systemError("EIO");
          }),
        );
        try {
          disk.writeFile(path, utf8("content"), 0o600);
          if (step <= failingStep) break;
        } catch (error) {
          const { name, code, detail } = error as { name: string; code: string; detail: { errno: string } };
          assert.deepEqual([name, code, detail.errno], ["Fault", "transport", "EIO"]);
          faultCount++;
        }
        assert.ok(
          nodeFs.readdirSync(folder).every((each) => each === "file"),
          `step ${failingStep}: ${nodeFs.readdirSync(folder)}`,
        );
      }
      assert.equal(faultCount, 7);
    }));

  it("a failed append leaves the file as it was", () =>
    inFolder((folder) => {
      const path = join(folder, "log");
      createNodeDisk().appendFile(path, utf8("line 1\n"), 0o600);
      const fs = watchedFs(() => {});
      let writeCount = 0;
      const halfWriting: DiskFs = {
        ...fs,
        writeSync: ((file: number, bytes: Uint8Array, offset: number, byteCount: number) => {
          if (writeCount++ > 0) throw systemError("ENOSPC");
          return nodeFs.writeSync(file, bytes, offset, Math.min(3, byteCount));
        }) as DiskFs["writeSync"],
      };
      assert.throws(() => createNodeDisk(halfWriting).appendFile(path, utf8("line 2\n"), 0o600), { name: "Fault", code: "transport" });
      assert.deepEqual(createNodeDisk().readFile(path, BYTES_MAX), utf8("line 1\n"));
    }));

  it("an open file is read and written at any place, cut and filled up", () =>
    inFolder((folder) => {
      const disk = createNodeDisk();
      const path = join(folder, "file");
      using file = disk.makeFile(path, 0o640, "emptied");
      file.writeAt(utf8("0123456789"), 0);
      file.writeAt(utf8("ab"), 4);
      file.writeAt(utf8("end"), 12);
      assert.equal(file.sizeBytes(), 15);
      const target = new Uint8Array(8);
      assert.equal(file.readAt(target, 2), 8);
      assert.deepEqual(target, utf8("23ab6789"));
      assert.equal(file.readAt(target, 10), 5);
      assert.deepEqual(target.subarray(0, 5), utf8("\0\0end"));
      assert.equal(file.readAt(target, 15), 0);
      assert.equal(file.readAt(target, 1_000), 0);
      file.truncate(3);
      file.truncate(5);
      file.sync();
      assert.deepEqual(disk.readFile(path, BYTES_MAX), utf8("012\0\0"));
      assert.equal(disk.stat(path)?.mode, 0o640);
    }));

  it("makeFile keeps or empties what is there, mode and all; openFile only reads", () =>
    inFolder((folder) => {
      const disk = createNodeDisk();
      const path = join(folder, "file");
      assert.equal(disk.openFile(path), null);
      disk.makeFile(path, 0o666, "kept")[Symbol.dispose]();
      assert.deepEqual(disk.stat(path)?.mode, 0o666, "whatever the umask is");
      disk.appendFile(path, utf8("content"), 0o600);
      disk.makeFile(path, 0o600, "kept")[Symbol.dispose]();
      {
        using file = disk.openFile(path);
        assert.equal(file?.sizeBytes(), 7);
        assert.throws(() => file?.writeAt(utf8("x"), 0), { name: "Fault" });
      }
      disk.makeFile(path, 0o600, "emptied")[Symbol.dispose]();
      assert.equal(disk.stat(path)?.sizeBytes, 0);
      assert.equal(disk.stat(path)?.mode, 0o666);
      assert.throws(() => disk.makeFile(join(folder, "absent", "file"), 0o600, "kept"), { name: "Fault", code: "missing" });
      assert.throws(() => disk.makeFile(folder, 0o600, "kept"), { name: "Fault", code: "input" });
    }));

  it("makeFile makes a new name durable, and syncs nothing for an old one", () =>
    inFolder((folder) => {
      const steps: string[] = [];
      const disk = createNodeDisk(watchedFs((call, args) => steps.push(call === "openSync" ? `openSync ${args[0]}` : call)));
      const path = join(folder, "file");
      disk.makeFile(path, 0o600, "emptied")[Symbol.dispose]();
      assert.deepEqual(steps.splice(0), [`openSync ${path}`, "fchmodSync", `openSync ${folder}`, "fsyncSync", "closeSync", "closeSync"]);
      disk.makeFile(path, 0o600, "kept")[Symbol.dispose]();
      assert.deepEqual(steps, [`openSync ${path}`, "closeSync"]);
    }));

  it("a write that the system takes in pieces is written whole, a read in pieces is read whole", () =>
    inFolder((folder) => {
      const inPieces: DiskFs = {
        ...watchedFs(() => {}),
        writeSync: ((file: number, bytes: Uint8Array, offset: number, byteCount: number, position: number) =>
          nodeFs.writeSync(file, bytes, offset, Math.min(3, byteCount), position)) as DiskFs["writeSync"],
        readSync: ((file: number, bytes: Uint8Array, offset: number, byteCount: number, position: number) =>
          nodeFs.readSync(file, bytes, offset, Math.min(2, byteCount), position)) as DiskFs["readSync"],
      };
      using file = createNodeDisk(inPieces).makeFile(join(folder, "file"), 0o600, "kept");
      file.writeAt(utf8("0123456789"), 5);
      const target = new Uint8Array(7);
      assert.equal(file.readAt(target, 6), 7);
      assert.deepEqual(target, utf8("1234567"));
      assert.equal(file.readAt(target, 12), 3);
    }));

  it("every failure of an open file is a fault that names the call", () =>
    inFolder((folder) => {
      for (const [failing, errno, call, use] of [
        ["openSync", "EIO", "makeFile", null],
        ["fstatSync", "EIO", "sizeBytes", (file: DiskFile) => file.sizeBytes()],
        ["readSync", "EIO", "readAt", (file: DiskFile) => file.readAt(new Uint8Array(1), 0)],
        ["writeSync", "ENOSPC", "writeAt", (file: DiskFile) => file.writeAt(utf8("x"), 0)],
        ["ftruncateSync", "EIO", "truncate", (file: DiskFile) => file.truncate(0)],
        ["fsyncSync", "EIO", "sync", (file: DiskFile) => file.sync()],
      ] as const) {
        const path = join(folder, failing);
        let isBroken = use === null;
        const fs = watchedFs(() => {});
        const real = fs[failing] as (...args: unknown[]) => unknown;
        const breaking = (...args: unknown[]): unknown => {
          if (isBroken) throw systemError(errno);
          return real(...args);
        };
        const disk = createNodeDisk({ ...fs, [failing]: breaking } as DiskFs);
        const run = (): void => {
          using file = disk.makeFile(path, 0o600, "kept");
          isBroken = true;
          use?.(file);
        };
        assert.throws(run, { name: "Fault", code: "transport", detail: { errno, call } }, failing);
      }
    }));

  it("makeFile closes what it opened when it fails on the way", () =>
    inFolder((folder) => {
      for (const failing of ["fchmodSync", "fsyncSync"]) {
        const opened: string[] = [];
        const disk = createNodeDisk(
          watchedFs((call) => {
            if (call === failing) throw systemError("EIO");
            if (call === "openSync" || call === "closeSync") opened.push(call);
          }),
        );
        assert.throws(() => disk.makeFile(join(folder, failing), 0o600, "kept"), { name: "Fault", code: "transport" });
        const isOpening = (call: string): boolean => call === "openSync";
        assert.equal(opened.filter(isOpening).length * 2, opened.length, failing);
      }
    }));

  it("a closed file is used no more, and closed once however often it is disposed", () =>
    inFolder((folder) => {
      let closeCount = 0;
      const disk = createNodeDisk(watchedFs((call) => void (call === "closeSync" && closeCount++)));
      const path = join(folder, "file");
      createNodeDisk().writeFile(path, utf8("x"), 0o600);
      const file = disk.openFile(path) as DiskFile;
      file[Symbol.dispose]();
      file[Symbol.dispose]();
      assert.equal(closeCount, 1);
      assert.throws(() => file.sizeBytes(), { name: "AssertionFailure" });
      assert.throws(() => file.readAt(new Uint8Array(1), 0), { name: "AssertionFailure" });
    }));

  it("a full disk is a transport fault with ENOSPC, and the old file stays", { skip: SKIP_UNLESS_ROOT }, (context) =>
    inFolder((folder) => {
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]);
      if (mounted.status !== 0) {
        context.skip?.("NOT RUN: this machine does not let root mount");
        return;
      }
      try {
        const disk = createNodeDisk();
        const path = join(folder, "file");
        disk.writeFile(path, utf8("old"), 0o600);
        const tooLong = new Uint8Array(BYTES_MAX);
        const full = { name: "Fault", code: "transport", detail: { errno: "ENOSPC", call: "writeFile" } };
        assert.throws(() => disk.writeFile(path, tooLong, 0o600), full);
        assert.deepEqual(disk.readFile(path, BYTES_MAX), utf8("old"));
        assert.deepEqual(nodeFs.readdirSync(folder), ["file"]);
        assert.throws(() => disk.appendFile(path, tooLong, 0o600), { name: "Fault", code: "transport" });
        assert.deepEqual(disk.readFile(path, BYTES_MAX), utf8("old"));
        disk.writeFile(path, utf8("new"), 0o600);
        assert.deepEqual(disk.readFile(path, BYTES_MAX), utf8("new"));
        using file = disk.makeFile(path, 0o600, "kept");
        assert.throws(() => file.writeAt(tooLong, 3), { name: "Fault", code: "transport", detail: { errno: "ENOSPC", call: "writeAt" } });
        file.truncate(3);
        assert.deepEqual(disk.readFile(path, BYTES_MAX), utf8("new"));
      } finally {
        spawnSync("umount", [folder]);
      }
    }),
  );
});
