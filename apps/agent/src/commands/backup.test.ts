import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Disk, Fault, utf8, utf8ToText } from "@holdfast/base";
import { createFaultDisk } from "@holdfast/testkit";
import { parseConfig } from "../config/config-file.ts";
import type { BackupOptions, BackupResult } from "../pipeline/backup-options.ts";
import { createMemoryProgram, INVITE, type MemoryProgram } from "../testing/memory-program.ts";
import { type BackupCommandOptions, planBackups } from "./backup-plan.ts";

const CONFIG = parseConfig(
  `[defaults]
exclude = ["*.tmp"]
host = "configured"
workers = 3
tags = ["all"]
[[set]]
name = "home"
paths = ["/home"]
exclude = ["/home/*/Trash/"]
[[set]]
name = "etc"
paths = ["/etc"]
host = "from-set"
`,
  "c.toml",
);

function plan(
  options: BackupCommandOptions,
  paths: readonly string[],
  environment: Record<string, string> = {},
  disk: Disk = createFaultDisk(),
): BackupOptions[] {
  return planBackups(options, paths, CONFIG, { disk, environment, currentFolder: "/here", hostName: "web-1" });
}

const pathsOf = ({ paths }: BackupOptions): (string | null)[] => paths.map((path) => utf8ToText(path));

describe("what a backup is asked to do", () => {
  it("is every set of the configuration when nothing is named, and one when it is", () => {
    const plans = plan({}, []);
    assert.deepEqual(
      plans.map(({ setName, host, excludes }) => [setName, host, excludes]),
      [
        ["home", "configured", ["*.tmp", "/home/*/Trash/"]],
        ["etc", "from-set", ["*.tmp"]],
      ],
    );
    assert.deepEqual(plan({ set: "etc" }, []).flatMap(pathsOf), ["/etc"]);
    assert.throws(() => plan({ set: "other" }, []), { code: "input", message: /has no set "other"/ });
  });

  it("has absolute paths without a slash at the end", () => {
    assert.deepEqual(plan({}, ["a/../b/", "/", "/x//y/"]).flatMap(pathsOf), ["/here/b", "/", "/x/y"]);
  });

  it("follows options before environment before configuration", () => {
    const environment = { HOLDFAST_HOST: "from-environment", HOLDFAST_WORKERS: "5", HOLDFAST_TAGS: "b,a" };
    const [given] = plan({ host: "given", workers: "7", tag: ["z", "all"] }, ["/x"], environment);
    assert.deepEqual([given?.host, given?.workerCount, given?.tags], ["given", 7, ["all", "z"]]);
    const [set] = plan({ set: "etc" }, [], environment);
    assert.deepEqual([set?.host, set?.workerCount, set?.tags], ["from-environment", 5, ["a", "all", "b"]]);
    assert.equal(plan({}, ["/x"])[0]?.workerCount, 3);
  });

  it("takes patterns from files, without comments and empty lines", () => {
    const disk = createFaultDisk();
    disk.makeFolder("/here", 0o755);
    disk.writeFile("/here/patterns", utf8("# ours\n\n*.bak\r\n!keep.bak\n"), 0o644);
    assert.deepEqual(plan({ excludeFile: ["patterns"], exclude: ["x"] }, ["/y"], {}, disk)[0]?.excludes, ["*.tmp", "*.bak", "!keep.bak", "x"]);
    assert.throws(() => plan({ excludeFile: ["gone"] }, ["/y"]), { code: "input", message: /\/here\/gone: no such file/ });
  });

  it("refuses what cannot be meant", () => {
    for (const options of [
      { workers: "0" },
      { workers: "x" },
      { excludeLargerThan: "much" },
      { stdinName: "x" },
      { stdin: true, stdinName: "a/b" },
      { host: "" },
      { excludeIfPresent: ["a/b"] },
    ] as const) {
      assert.throws(() => plan(options, "stdin" in options ? [] : ["/x"]), { name: "Fault", code: "input" }, JSON.stringify(options));
    }
    assert.throws(() => plan({ stdin: true }, ["/x"]), { code: "input" });
  });
});

describe("holdfast backup", () => {
  const result: BackupResult = {
    snapshot: null,
    files: 2,
    folders: 1,
    others: 0,
    plainBytes: 10,
    filesRead: 2,
    bytesRead: 10,
    newObjects: 1,
    newPlainBytes: 10,
    newStoredBytes: 9,
    bytesSent: 0,
    failures: 0,
    durationMs: 5,
  };

  async function ready(): Promise<MemoryProgram> {
    const program = createMemoryProgram();
    program.disk.writeFile("/pass", utf8("correct horse"), 0o600);
    await program.run("enroll", INVITE);
    assert.equal((await program.run("init", "--passphrase-file", "/pass", "--recovery-file", "/r")).code, 0);
    return program;
  }

  it("gives 0 when all was saved, 3 when some was not, and the fault's code when it failed", { timeout: 60_000 }, async () => {
    const program = await ready();
    const outcomes: readonly [() => BackupResult, number][] = [
      [() => result, 0],
      [() => ({ ...result, failures: 1 }), 3],
      [
        () => {
          throw new Fault("quota", "account: over its quota");
        },
        8,
      ],
    ];
    for (const [outcome, code] of outcomes) {
      program.operations = { ...program.operations, runBackup: async () => outcome() };
      assert.equal((await program.run("backup", "/x", "--dry-run")).code, code);
      assert.equal(program.disk.stat("/state/lock"), null, "the lock is free again");
    }
  });

  it("says warnings and the summary as JSON, names made safe", { timeout: 60_000 }, async () => {
    const program = await ready();
    program.operations = {
      ...program.operations,
      async runBackup(_session, _options, events) {
        events.onWarning(Uint8Array.of(0x2f, 0xff, 0x1b, 0x41), "permission denied");
        events.onNote("a note");
        return { ...result, failures: 1 };
      },
    };
    const { events, code } = await program.run("backup", "/x", "--json");
    assert.equal(code, 3);
    assert.deepEqual(
      events.map(({ event }) => event),
      ["warning", "note", "summary"],
    );
    assert.equal(events[0]?.["path"], "/\\xff\\x1bA");
    assert.deepEqual([events[2]?.["files"], events[2]?.["failures"]], [2, 1]);
  });
});
