import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { Disk } from "@holdfast/base";
import { createNodeDisk } from "@holdfast/base/node";
import type { RecordId } from "@holdfast/protocol";
import { createFaultDisk, PowerLoss } from "@holdfast/testkit";
import { OBJECT_NEW, PACK_CLASSES } from "@holdfast/vault";
import { LocalIndex } from "./local-index.ts";

const id = (byte: number): RecordId => new Uint8Array(32).fill(byte) as RecordId;

/** A pack of two objects whose ids are `byte` and `byte + 1`. */
function pack(byte: number) {
  const directory = new Uint8Array(96);
  directory.fill(byte, 0, 32);
  directory.fill(byte + 1, 48, 80);
  return { recordId: id(byte), packClass: PACK_CLASSES.content, frameBytes: 70_000 + byte, plainBytes: 65_536, directory };
}

describe("local index", () => {
  const disk = createNodeDisk();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(`${tmpdir()}/holdfast-index-`);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const log = (): string => `${folder}/index-0.log`;

  function fill(): void {
    using index = LocalIndex.open(disk, folder, 0);
    index.addPack(pack(10));
    index.addPack(pack(20));
    index.addIndex(id(99), [id(10), id(20)]);
    index.addPack(pack(30));
  }

  it("knows after opening what was added before", () => {
    fill();
    using index = LocalIndex.open(disk, folder, 0);
    assert.equal(index.wasEmpty, false);
    assert.deepEqual(
      index.packs.map((known) => known.frameBytes),
      [70_010, 70_020, 70_030],
    );
    assert.deepEqual(index.packs[0]?.indexRecord, id(99));
    assert.deepEqual(
      index.unindexed().map((known) => known.recordId),
      [id(30)],
    );
    const table = index.table(10);
    assert.equal(table.find(id(21)), 1);
    assert.equal(table.find(id(31)), 2);
    assert.equal(table.find(id(40)), OBJECT_NEW);
  });

  it("adds a pack once", () => {
    fill();
    using index = LocalIndex.open(disk, folder, 0);
    index.addPack(pack(10));
    assert.equal(index.packs.length, 3);
  });

  it("cuts off a torn tail wherever it is torn, and goes on", () => {
    fill();
    const whole = readFileSync(log());
    for (let length = whole.length - 1; length >= 0; length -= 7) {
      writeFileSync(log(), whole);
      truncateSync(log(), length);
      using index = LocalIndex.open(disk, folder, 0);
      assert.ok(index.packs.length <= 3);
      assert.ok(statSync(log()).size <= length);
      index.addPack(pack(50));
      using again = LocalIndex.open(disk, folder, 0);
      assert.equal(again.packs.length, index.packs.length);
    }
  });

  it("ends at a damaged block", () => {
    fill();
    const damaged = readFileSync(log());
    damaged[60] = (damaged[60] as number) ^ 1; // Within the first block.
    writeFileSync(log(), damaged);
    using index = LocalIndex.open(disk, folder, 0);
    assert.equal(index.packs.length, 0);
  });

  it("leaves out packs that are gone, and forgets an index that is gone", () => {
    fill();
    using index = LocalIndex.open(disk, folder, 0).without([id(20), id(99)]);
    assert.deepEqual(
      index.packs.map((known) => [known.recordId[0], known.indexRecord]),
      [
        [10, null],
        [30, null],
      ],
    );
    assert.equal(index.table(10).find(id(20)), OBJECT_NEW);
  });

  it("knows after a power loss at any call what an index had named, and nothing that was never added", () => {
    const steps = (disk: Disk, reached: (packCount: number) => void): void => {
      using index = LocalIndex.open(disk, "/index", 0);
      index.addPack(pack(10));
      index.addIndex(id(98), [id(10)]);
      reached(1);
      index.addPack(pack(20));
      index.addPack(pack(30));
      index.addIndex(id(99), [id(20), id(30)]);
      reached(3);
    };
    const whole = createFaultDisk();
    steps(whole, () => {});
    for (const kind of ["power-before", "power-torn", "power-after"] as const) {
      for (let call = 0; call < whole.callCount; call++) {
        const faulty = createFaultDisk();
        faulty.failAt(call, kind);
        let promised = 0;
        // A call that only reads goes through when power goes after it.
        try {
          steps(faulty, (packCount) => {
            promised = packCount;
          });
        } catch (error) {
          assert.ok(error instanceof PowerLoss);
        }
        for (const state of faulty.crashStates()) {
          using index = LocalIndex.open(state, "/index", 0);
          assert.ok(index.packs.length >= promised, `${kind} at call ${call}: ${index.packs.length} of ${promised}`);
          for (const [ordinal, known] of index.packs.entries()) {
            const want = pack((ordinal + 1) * 10);
            assert.deepEqual(known.recordId, want.recordId);
            assert.deepEqual(index.directory(known), want.directory);
            if (ordinal < promised) assert.deepEqual(known.indexRecord, ordinal === 0 ? id(98) : id(99));
          }
        }
      }
    }
  });

  it("leaves the old log when the shorter one cannot be put into place", () => {
    const faulty = createFaultDisk();
    using index = LocalIndex.open(faulty, "/index", 0);
    index.addPack(pack(10));
    index.addPack(pack(20));
    index.sync();
    const before = faulty.callCount;
    index.without([id(10)])[Symbol.dispose]();
    const renameAt = faulty.calls.slice(before).findIndex((call) => call.startsWith("rename "));
    assert.ok(renameAt > 0);

    const other = createFaultDisk();
    const old = LocalIndex.open(other, "/index", 0);
    old.addPack(pack(10));
    old.addPack(pack(20));
    old.sync();
    other.failAt(renameAt, "error");
    assert.throws(() => old.without([id(10)]), { name: "Fault", code: "transport" });
    old[Symbol.dispose]();
    using again = LocalIndex.open(other, "/index", 0);
    assert.equal(again.packs.length, 2);
  });
});
