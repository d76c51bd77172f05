import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, utf8 } from "@holdfast/base";
import type { ObjectId, RecordId } from "@holdfast/protocol";
import { testId, testKey } from "@holdfast/testkit";
import { createIndexBuilder, DIRECTORY_ENTRY_BYTES, PACK_CLASSES, type PackIndex, parseIndex } from "@holdfast/vault";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { loadObjectIndex, ObjectIndex } from "./object-index.ts";

const DEVICE = testKey(2);

/** An index of one pack, named by `pack`, with these objects one after the other. */
function indexOf(pack: string, objectIds: readonly Uint8Array[], by = DEVICE): PackIndex {
  const directory = new Uint8Array(objectIds.length * DIRECTORY_ENTRY_BYTES);
  const view = new DataView(directory.buffer);
  const start = 4 + directory.length;
  for (const [place, objectId] of objectIds.entries()) {
    const at = place * DIRECTORY_ENTRY_BYTES;
    directory.set(objectId, at);
    directory[at + 32] = 1;
    view.setUint32(at + 36, start + place * 10);
    view.setUint32(at + 40, 10);
    view.setUint32(at + 44, 10);
  }
  const builder = createIndexBuilder(PACK_CLASSES.content);
  builder.add({ recordId: testId(pack) as unknown as RecordId, frameBytes: 2_000_000, plainBytes: 1_900_000, directory });
  return parseIndex(PACK_CLASSES.content, builder.build(testKey(1).vaultId, by.deviceId, by));
}

const id = (name: string): ObjectId => testId(name) as unknown as ObjectId;

/** Record id of the pack that holds the object. */
function packOf(index: ObjectIndex, objectId: ObjectId): Uint8Array {
  return index.pack(index.place(index.find(objectId), objectId).pack).recordId;
}

describe("ObjectIndex", () => {
  it("finds what was added, over many growths, and nothing else", () => {
    const index = new ObjectIndex();
    const ids = Array.from({ length: 30_000 }, (_, number) => id(`object ${number}`));
    for (let start = 0; start < ids.length; start += 15_000) index.add(indexOf(`pack ${start}`, ids.slice(start, start + 15_000)), true);
    assert.equal(index.objectCount, 30_000);
    assert.equal(index.packCount, 2);
    for (const [number, objectId] of ids.entries()) {
      const place = index.place(index.find(objectId), objectId);
      assert.deepEqual([place.offset, place.storedBytes, place.plainBytes, place.codec, place.kind], [4 + 15_000 * 48 + (number % 15_000) * 10, 10, 10, 0, 1]);
    }
    assert.equal(index.find(id("nothing")), -1);
  });

  it("lets the newest index win, and a trusted one over any other", () => {
    const index = new ObjectIndex();
    index.add(indexOf("old", [id("a"), id("b")]), true);
    index.add(indexOf("new", [id("a")]), true);
    index.add(indexOf("untrusted", [id("a"), id("b"), id("c")]), false);
    assert.deepEqual(packOf(index, id("a")), testId("new"));
    assert.deepEqual(packOf(index, id("b")), testId("old"));
    assert.deepEqual(packOf(index, id("c")), testId("untrusted"));
    index.add(indexOf("late", [id("c")]), true);
    assert.deepEqual(packOf(index, id("c")), testId("late"));
  });
});

describe("loadObjectIndex", () => {
  const load = async (vault: VaultBuilder) => {
    const damaged: string[] = [];
    const index = await loadObjectIndex(vault.session(), 0, (_, fault: Fault) => damaged.push(fault.code));
    return { index, damaged };
  };

  it("reads all pages and leaves out what was swept", async () => {
    const vault = await VaultBuilder.create();
    for (let run = 0; run < 5; run++) await vault.commit([vault.file(`file ${run}`, [utf8(`content ${run}`)])]);
    assert.equal((await load(vault)).index.objectCount, 10);
    vault.node.sweep([vault.indexes[0] as RecordId, vault.indexes[1] as RecordId]);
    const { index, damaged } = await load(vault);
    assert.equal(index.objectCount, 8);
    assert.deepEqual(damaged, []);
  });

  it("goes on past an index that is damaged or gone, and tells", async () => {
    const vault = await VaultBuilder.create();
    for (let run = 0; run < 3; run++) await vault.commit([vault.file(`file ${run}`, [utf8(`content ${run}`)])]);
    vault.damage(vault.indexes[0] as RecordId);
    vault.remove(vault.indexes[2] as RecordId);
    const { index, damaged } = await load(vault);
    assert.deepEqual(damaged, ["integrity", "missing"]);
    assert.equal(index.objectCount, 4);
  });

  it("does not take trouble with the connection for damage", async () => {
    const vault = await VaultBuilder.create();
    await vault.commit([vault.file("file", [utf8("content")])]);
    const session = vault.session();
    const store = { ...session.store, changes: session.store.changes.bind(session.store), get: () => Promise.reject(new Fault("transport", "network: gone")) };
    await assert.rejects(
      loadObjectIndex({ ...session, store }, 0, () => {}),
      { name: "Fault", code: "transport" },
    );
  });

  it("does not trust a device whose entries are bad", async () => {
    const vault = await VaultBuilder.create();
    await vault.commit([vault.file("file", [utf8("content")])]);
    const objectId = vault.put(1, utf8("content"));
    const session = vault.session();
    vault.journal.append({ kind: 3, device: vault.device.deviceId, badSince: 0 });
    const index = await loadObjectIndex(session, 0, () => {});
    const before = packOf(index, objectId);
    index.add(indexOf("another", [objectId]), false);
    assert.notDeepEqual(packOf(index, objectId), before, "an untrusted entry gives way to the newest");
  });
});
