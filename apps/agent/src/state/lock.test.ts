import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { isFault } from "@holdfast/base";
import { createNodeDisk, createSystemRandom } from "@holdfast/base/node";
import { type Processes, takeLock } from "./lock.ts";
import { createProcesses } from "./process-node.ts";
import { type StatePaths, statePaths } from "./state-paths.ts";

const disk = createNodeDisk();
let folder: string;
let count = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-lock-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function freshPaths(): StatePaths {
  return statePaths(join(folder, `state-${count++}`));
}

function take(paths: StatePaths, processes: Processes, command = "backup"): Disposable {
  return takeLock(paths, { disk, random: createSystemRandom(), processes, nowMs: 1_760_000_000_000, command });
}

/** Process `pid` among others that are alive, each begun at boot. */
function processesOf(pid: number, alive: readonly number[], start: string | null = "boot"): Processes {
  return { pid, startOf: (other) => (alive.includes(other) ? start : null), isAlive: (other) => alive.includes(other) };
}

describe("lock", () => {
  it("is held by one, says by whom, and is free after its release", () => {
    const paths = freshPaths();
    const held = take(paths, processesOf(10, [10, 11]));
    assert.throws(
      () => take(paths, processesOf(11, [10, 11]), "status"),
      (error) => isFault(error, "busy") && /holdfast backup, process 10, since 2025-/.test(error.message),
    );
    held[Symbol.dispose]();
    take(paths, processesOf(11, [11]))[Symbol.dispose]();
    assert.deepEqual(disk.list(paths.root), []);
  });

  it("of a process that has ended is taken over", () => {
    const paths = freshPaths();
    take(paths, processesOf(10, [10]));
    using _lock = take(paths, processesOf(11, [11]));
    assert.throws(() => take(paths, processesOf(12, [11, 12])), { code: "busy" });
  });

  it("of a process whose id another one has now is taken over", () => {
    const paths = freshPaths();
    take(paths, processesOf(10, [10], "earlier"));
    take(paths, processesOf(11, [10, 11], "later"))[Symbol.dispose]();
  });

  it("with our own id is taken over when it was another run, and not when it is this one", () => {
    const paths = freshPaths();
    take(paths, processesOf(1, [1], "before the restart"));
    using _lock = take(paths, processesOf(1, [1], "after the restart"));
    assert.throws(() => take(paths, processesOf(1, [1], "after the restart")), { code: "busy" });
  });

  it("that was left half-made is taken over", () => {
    const paths = freshPaths();
    disk.makeFolder(paths.lock, 0o700);
    take(paths, processesOf(10, [10]))[Symbol.dispose]();
  });

  it("is not released by one that was taken over from", () => {
    const paths = freshPaths();
    const first = take(paths, processesOf(10, [10]));
    using _second = take(paths, processesOf(11, [11]));
    first[Symbol.dispose]();
    assert.throws(() => take(paths, processesOf(12, [11, 12])), { code: "busy" });
  });

  it("tells this process from one that has ended", () => {
    const processes = createProcesses();
    const script = join(folder, "nothing.mjs");
    writeFileSync(script, "");
    const ended = spawnSync(process.execPath, [script]).pid;
    assert.equal(processes.isAlive(processes.pid), true);
    assert.equal(processes.isAlive(ended), false);
    assert.equal(processes.startOf(processes.pid), processes.startOf(processes.pid));
  });
});
