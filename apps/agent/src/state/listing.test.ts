import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, it } from "node:test";
import { type Disk, utf8 } from "@holdfast/base";
import { createNodeDisk } from "@holdfast/base/node";
import { createFaultDisk, type FaultDisk, PowerLoss } from "@holdfast/testkit";
import { ListingReader, ListingWriter, ROW } from "./listing.ts";

const IDENTITY = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const words = Uint32Array.from({ length: 10 }, (_, index) => 0xfffffff0 + index);

/** A folder with one entry that has `idCount` ids, larger than a window when that is large. */
function writeListing(disk: Disk, path: string, idCount: number): void {
  const writer = new ListingWriter(disk, path, 1234.5, 7);
  writer.enter(utf8("folder"), words, 0, IDENTITY, new Uint8Array(0));
  writer.entry(utf8("file"), words, 0, IDENTITY, 0o100644, utf8("encoded"), new Uint8Array(idCount * 32).fill(9));
  writer.ids(new Uint8Array(64).fill(8));
  writer.leave();
  writer.nodes(new Uint8Array(32).fill(7));
  writer.close();
}

describe("listing", () => {
  const disk = createNodeDisk();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(`${tmpdir()}/holdfast-listing-`);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(idCount: number): string {
    const path = `${folder}/listing`;
    writeListing(disk, path, idCount);
    return path;
  }

  it("gives back what was written, in order", () => {
    for (const idCount of [0, 1, 4_096, 20_000]) {
      using reader = ListingReader.open(disk, write(idCount)) as ListingReader;
      assert.equal(reader.startedMs, 1234.5);
      assert.equal(reader.epoch, 7);
      reader.next();
      assert.equal(reader.type, ROW.enter);
      assert.deepEqual(reader.name, utf8("folder"));
      reader.next();
      assert.equal(reader.type, ROW.entry);
      assert.deepEqual(reader.identity, words);
      assert.equal(reader.modeWord, 0o100644);
      assert.deepEqual(reader.encoded, utf8("encoded"));
      assert.equal(reader.ids.length, idCount * 32);
      reader.next();
      assert.equal(reader.type, ROW.ids);
      assert.equal(reader.ids.length, 64);
      reader.next();
      assert.equal(reader.type, ROW.leave);
      reader.next();
      assert.equal(reader.type, ROW.nodes);
      reader.next();
      assert.equal(reader.type, ROW.end);
    }
  });

  it("skips a folder whole", () => {
    using reader = ListingReader.open(disk, write(3)) as ListingReader;
    reader.next();
    reader.skipFolder();
    assert.equal(reader.type, ROW.leave);
    reader.next();
    assert.equal(reader.type, ROW.nodes);
  });

  it("is no listing when a byte differs, at every place, or when it is cut", () => {
    const path = write(1);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = new Uint8Array(whole);
      damaged[at] = (damaged[at] as number) ^ 1;
      writeFileSync(path, damaged);
      assert.equal(ListingReader.open(disk, path), null, `byte ${at}`);
    }
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      assert.equal(ListingReader.open(disk, path), null, `length ${length}`);
    }
  });

  it("is no listing when there is no file", () => {
    assert.equal(ListingReader.open(disk, `${folder}/nothing`), null);
  });

  it("is no listing when it cannot be read", () => {
    const faulty = createFaultDisk();
    writeListing(faulty, "/listing", 1);
    faulty.failAt(0, "error");
    assert.equal(ListingReader.open(faulty, "/listing"), null, "opening fails");
    faulty.failAt(2, "error");
    assert.equal(ListingReader.open(faulty, "/listing"), null, "reading fails");
    ListingReader.open(faulty, "/listing")?.[Symbol.dispose]();
  });

  it("says so when the disk fails or fills up while it is written", () => {
    for (const kind of ["error", "space"] as const) {
      const calls = callsOfWriting();
      for (let index = 0; index < calls; index++) {
        const faulty = createFaultDisk();
        faulty.failAt(index, kind);
        assert.throws(() => writeListing(faulty, "/listing", 20_000), { name: "Fault", code: "transport" }, `call ${index}`);
        assert.equal(isWholeOrNone(faulty, "/listing"), true, `call ${index}`);
      }
    }
  });

  it("is whole or none after a power loss at any call", () => {
    const calls = callsOfWriting();
    for (const kind of ["power-before", "power-torn", "power-after"] as const) {
      for (let index = 0; index < calls; index++) {
        const faulty = createFaultDisk();
        faulty.failAt(index, kind);
        assert.throws(() => writeListing(faulty, "/listing", 20_000), PowerLoss);
        for (const state of faulty.crashStates()) assert.equal(isWholeOrNone(state, "/listing"), true, `${kind} at call ${index}`);
      }
    }
  });

  it("leaves the old one or the new one, whole, when power goes while it is put into place", () => {
    const faulty = createFaultDisk();
    writeListing(faulty, "/listing", 1);
    writeListing(faulty, "/listing.new", 2);
    faulty.rename("/listing.new", "/listing");
    const idCounts = [...faulty.crashStates()].map((state) => {
      using reader = ListingReader.open(state, "/listing") as ListingReader;
      reader.next();
      reader.next();
      return reader.ids.length / 32;
    });
    assert.deepEqual(idCounts, [1, 2]);
  });
});

/** Calls on the disk that one listing takes. */
function callsOfWriting(): number {
  const disk = createFaultDisk();
  writeListing(disk, "/listing", 20_000);
  return disk.callCount;
}

/** A listing that is there reads to its end. */
function isWholeOrNone(disk: FaultDisk, path: string): boolean {
  using reader = ListingReader.open(disk, path);
  if (reader === null) return true;
  const types: number[] = [];
  do {
    reader.next();
    types.push(reader.type);
  } while (reader.type !== ROW.end);
  return types.length === 6;
}
