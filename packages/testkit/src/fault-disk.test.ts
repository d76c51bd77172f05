import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Disk, type DiskFile, isFault, utf8, utf8ToText } from "@holdfast/base";
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

  it("reads and writes parts of an open file, under whatever name", () => {
    const disk = diskWithFolder();
    assert.equal(disk.openFile("/a/none"), null);
    using file = disk.makeFile("/a/parts", 0o640, "kept");
    file.writeAt(utf8("234"), 2);
    disk.rename("/a/parts", "/a/renamed");
    file.writeAt(utf8("01"), 0);
    file.truncate(4);
    file.truncate(6);
    assert.equal(file.sizeBytes(), 6);
    assert.equal(readText(disk, "/a/renamed"), "0123\0\0");
    assert.equal(disk.stat("/a/renamed")?.mode, 0o640);
    const target = new Uint8Array(4);
    using reader = disk.openFile("/a/renamed") as DiskFile;
    assert.equal(reader.readAt(target, 3), 3);
    assert.deepEqual(target, utf8("3\0\0\0"));
    assert.equal(reader.readAt(target, 9), 0);
    assert.throws(
      () => reader.truncate(0),
      (error) => isFault(error, "transport"),
    );
    disk.makeFile("/a/renamed", 0o600, "emptied")[Symbol.dispose]();
    assert.equal(readText(disk, "/a/renamed"), "");
  });

  it("refuses to use a closed file", () => {
    const disk = diskWithFolder();
    const file = disk.makeFile("/a/one", 0o600, "kept");
    file[Symbol.dispose]();
    file[Symbol.dispose]();
    for (const use of [() => file.sizeBytes(), () => file.writeAt(utf8("x"), 0), () => file.sync()]) assert.throws(use, { name: "AssertionFailure" });
  });

  it("brings back every subset of the writes into a file that nothing synced, and all that were", () => {
    const disk = diskWithFolder();
    const texts = (): unknown[] => [...disk.crashStates()].map((state) => readText(state, "/a/new"));
    using file = disk.makeFile("/a/new", 0o600, "kept");
    file.writeAt(utf8("ab"), 0);
    file.writeAt(utf8("cd"), 2);
    assert.deepEqual(texts(), ["", "ab", "\0\0cd", "abcd"]);
    file.sync();
    assert.deepEqual(texts(), ["abcd"]);
    file.truncate(1);
    disk.writeFile("/a/other", utf8("x"), 0o600);
    assert.deepEqual(texts(), ["abcd", "a"], "another file's fsync says nothing of this one");
    disk.appendFile("/a/new", utf8("z"), 0o600);
    assert.deepEqual(texts(), ["az"]);
    disk.makeFile("/a/new", 0o600, "emptied")[Symbol.dispose]();
    assert.deepEqual(texts(), ["az", ""]);
  });

  it("keeps what was synced through a rename that was not", () => {
    const disk = diskWithFolder();
    using file = disk.makeFile("/a/new", 0o600, "kept");
    disk.rename("/a/new", "/a/renamed");
    file.writeAt(utf8("x"), 0);
    file.sync();
    const found = [...disk.crashStates()].map((state) => [readText(state, "/a/new"), readText(state, "/a/renamed")]);
    assert.deepEqual(found, [
      ["x", null],
      [null, "x"],
    ]);
  });

  it("fails, fills up and loses power within calls of an open file", () => {
    const disk = diskWithFolder();
    const file = disk.makeFile("/a/one", 0o600, "kept");
    disk.failAt(0, "error");
    assert.throws(
      () => file.sync(),
      (error) => isFault(error, "transport") && error.detail.errno === "EIO",
    );
    assert.throws(
      () => file.writeAt(new Uint8Array(1_001), 0),
      (error) => isFault(error, "transport") && error.detail.errno === "ENOSPC",
    );
    assert.equal(readText(disk, "/a/one"), "1");
    disk.failAt(0, "power-torn");
    assert.throws(() => file.writeAt(utf8("abcd"), 1), PowerLoss);
    assert.throws(() => file.readAt(new Uint8Array(1), 0), PowerLoss);
    file[Symbol.dispose]();
    assert.deepEqual(
      [...disk.crashStates()].map((state) => readText(state, "/a/one")),
      ["1", "1ab"],
    );
    assert.deepEqual(disk.calls.slice(-4), ["sync /a/one", "writeAt /a/one", "readFile /a/one", "writeAt /a/one"]);
  });
});
