import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Disk, isFault, utf8, utf8ToText } from "@holdfast/base";
import { createFaultDisk, type FaultDisk, PowerLoss } from "./fault-disk.ts";

const readText = (disk: Disk, path: string): string | null => {
  const bytes = disk.readFile(path, 1_000);
  return bytes === null ? null : utf8ToText(bytes);
};

function diskWithFolder(): FaultDisk {
  const disk = createFaultDisk(1_000);
  disk.makeFolder("/a", 0o700);
  disk.writeFile("/a/one", utf8("1"), 0o600);
  return disk;
}

describe("fault disk", () => {
  it("keeps files, folders, modes and order as a disk does", () => {
    const disk = diskWithFolder();
    disk.appendFile("/a/log", utf8("x"), 0o640);
    disk.appendFile("/a/log", utf8("y"), 0o600);
    assert.equal(readText(disk, "/a/log"), "xy");
    assert.deepEqual(disk.list("/a"), ["log", "one"]);
    assert.deepEqual(disk.stat("/a/log"), { kind: "file", sizeBytes: 2, mode: 0o640, uid: 0 });
    assert.equal(disk.list("/b"), null);
    assert.equal(disk.stat("/b"), null);
    assert.equal(disk.readFile("/b", 1), null);
    disk.rename("/a", "/b");
    assert.deepEqual(disk.list("/b"), ["log", "one"]);
    disk.remove("/b");
    assert.deepEqual(disk.list("/"), []);
    assert.throws(
      () => disk.writeFile("/b/one", utf8("1"), 0o600),
      (error) => isFault(error, "missing"),
    );
  });

  it("refuses a file over the reader's limit", () => {
    const disk = diskWithFolder();
    disk.writeFile("/a/two", utf8("22"), 0o600);
    assert.throws(
      () => disk.readFile("/a/two", 1),
      (error) => isFault(error, "limit"),
    );
  });

  it("fails the chosen call and no other", () => {
    const disk = diskWithFolder();
    disk.failAt(1, "error");
    disk.writeFile("/a/two", utf8("2"), 0o600);
    assert.throws(
      () => disk.writeFile("/a/two", utf8("3"), 0o600),
      (error) => isFault(error, "transport") && error.detail.errno === "EIO",
    );
    assert.equal(readText(disk, "/a/two"), "2");
  });

  it("is full when its capacity is used, and room returns", () => {
    const disk = diskWithFolder();
    assert.equal(disk.freeBytes("/"), 999);
    disk.writeFile("/a/big", new Uint8Array(999), 0o600);
    assert.throws(
      () => disk.appendFile("/a/one", utf8("2"), 0o600),
      (error) => isFault(error, "transport") && error.detail.errno === "ENOSPC",
    );
    disk.remove("/a/big");
    disk.appendFile("/a/one", utf8("2"), 0o600);
    assert.equal(readText(disk, "/a/one"), "12");
  });

  it("loses power before, after or within a write, and is dead from then on", () => {
    for (const [kind, want] of [
      ["power-before", "1"],
      ["power-after", "2"],
      ["power-torn", "1"],
    ] as const) {
      const disk = diskWithFolder();
      disk.failAt(0, kind);
      assert.throws(() => disk.writeFile("/a/one", utf8("2"), 0o600), PowerLoss);
      assert.throws(() => disk.list("/a"), PowerLoss);
      const [state] = [...disk.crashStates()] as [FaultDisk];
      assert.equal(readText(state, "/a/one"), want, kind);
    }
  });

  it("tears an append in the middle", () => {
    const disk = diskWithFolder();
    disk.failAt(0, "power-torn");
    assert.throws(() => disk.appendFile("/a/one", utf8("2345"), 0o600), PowerLoss);
    const [state] = [...disk.crashStates()] as [FaultDisk];
    assert.equal(readText(state, "/a/one"), "123");
  });

  it("brings back every subset of the changes that nothing synced", () => {
    const disk = diskWithFolder();
    disk.rename("/a/one", "/a/two");
    disk.makeFolder("/b", 0o700);
    const states = [...disk.crashStates()].map((state) => `${state.list("/")} ${state.list("/a")}`);
    assert.deepEqual(states, ["a one", "a two", "a,b one", "a,b two"]);
    disk.writeFile("/a/three", utf8("3"), 0o600);
    assert.deepEqual(
      [...disk.crashStates()].map((state) => `${state.list("/a")}`),
      ["three,two"],
      "a durable write syncs its folder and those above",
    );
  });
});
