import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import type { RecordId } from "@holdfast/protocol";
import { createSeededRandom } from "@holdfast/testkit";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { targetFolder } from "./folder-maker.ts";
import { loadObjectIndex } from "./object-index.ts";
import { isWithoutPack, Plan } from "./plan.ts";

const METADATA = { mode: 0o644, uid: 0, gid: 0, setsOwner: false, mtimeSec: 1, mtimeNs: 0, xattrs: [] };
const FOLDER = targetFolder(true, true, null);

/** A plan over a vault of two packs: one of two objects that fill it, and one that is mostly padding. */
async function twoPacks() {
  const vault = await VaultBuilder.create();
  const random = createSeededRandom(1);
  const ids = [vault.put(1, random.bytes(1_000_000)), vault.put(1, random.bytes(1_000_000))];
  vault.closePack();
  ids.push(vault.put(1, utf8("little")));
  await vault.flush();
  const index = await loadObjectIndex(vault.session(), 0, () => {});
  const places = ids.map((objectId) => index.place(index.find(objectId), objectId));
  return { plan: new Plan(index), places, packs: vault.contentPacks, packOf: (number: number): RecordId => index.pack(number).recordId };
}

describe("Plan", () => {
  it("gives a pack out as soon as all of it is spoken for, the others at the end", async () => {
    const { plan, places, packs, packOf } = await twoPacks();
    const [first, second, little] = places;
    assert.ok(first !== undefined && second !== undefined && little !== undefined);
    assert.equal(plan.addFile(FOLDER, utf8("a"), false, METADATA, little), null);
    assert.equal(plan.addFile(FOLDER, utf8("b"), false, METADATA, first), null);
    const due = plan.addFile(FOLDER, utf8("c"), false, METADATA, second);
    assert.ok(due !== null);
    assert.deepEqual(packOf(due.pack), packs[0]);
    assert.deepEqual([due.fileCount, due.folders.get(FOLDER), due.spans.length], [2, 2, 2]);
    const rest = plan.takeAll();
    assert.deepEqual(
      rest.map(({ pack }) => packOf(pack)),
      [packs[1]],
    );
    assert.deepEqual(plan.takeAll(), []);
  });

  it("gives empty files out in groups", async () => {
    const { plan } = await twoPacks();
    let due = null;
    let count = 0;
    while (due === null) {
      due = plan.addEmpty(FOLDER, utf8(`file ${count}`), false, METADATA);
      count++;
    }
    assert.ok(isWithoutPack(due));
    assert.equal(due.fileCount, count);
  });

  it("gives out the pack that waits longest when too much waits", async () => {
    const { plan, places, packs, packOf } = await twoPacks();
    const [first, , little] = places;
    assert.ok(first !== undefined && little !== undefined);
    assert.equal(plan.addFile(FOLDER, utf8("a"), false, METADATA, first), null);
    const xattrs = [{ name: utf8("user.long"), value: new Uint8Array(64_000) }];
    let due = null;
    // Little by little, of an object so small that the pack is never all spoken for in between.
    for (let count = 0; due === null && count < 1_000; count++) due = plan.addFile(FOLDER, utf8(`file ${count}`), false, { ...METADATA, xattrs }, little);
    assert.ok(due !== null);
    assert.deepEqual(packOf(due.pack), packs[0]);
  });
});
