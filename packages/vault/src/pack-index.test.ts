import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { asSigningSeed, createSigner, createVerifier, deviceIdOf } from "@holdfast/crypto";
import { asVaultId, type RecordId } from "@holdfast/protocol";
import { createSeededRandom, damages } from "@holdfast/testkit";
import { createIndexBuilder } from "./index-builder.ts";
import { CODECS, OBJECT_KINDS, PACK_CLASSES } from "./object.ts";
import { storedObjectAt } from "./pack.ts";
import {
  fencedEntries,
  findInIndex,
  findInRun,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  indexEntryAt,
  indexPackAt,
  type PackIndex,
  parseIndex,
  parseIndexHeader,
  verifyIndex,
} from "./pack-index.ts";
import { createPackWriter, packBufferBytes } from "./pack-writer.ts";

const SEED = 45;
const random = createSeededRandom(SEED);
const vaultId = asVaultId(random.bytes(16));
const signer = createSigner(asSigningSeed(random.bytes(32)));
const verifier = createVerifier(signer.publicKey);
const CONTENT = PACK_CLASSES.content;

function directoryOf(ids: readonly Uint8Array[]) {
  const writer = createPackWriter(CONTENT, new Uint8Array(packBufferBytes(Math.max(1, ids.length))), Math.max(1, ids.length));
  for (const [index, id] of ids.entries()) writer.append(id, OBJECT_KINDS.chunk, CODECS.raw, random.bytes(1 + (index % 7)), 1 + (index % 7));
  const { plaintext, directory } = writer.close();
  return { plainBytes: plaintext.length, directory: directory.slice() };
}

function build(packs: readonly (readonly Uint8Array[])[]): PackIndex {
  const builder = createIndexBuilder(CONTENT);
  for (const [ordinal, ids] of packs.entries())
    builder.add({ recordId: new Uint8Array(32).fill(ordinal) as RecordId, frameBytes: 100 + ordinal, ...directoryOf(ids) });
  return parseIndex(CONTENT, builder.build(vaultId, deviceIdOf(signer.publicKey), signer));
}

const anyIds = (count: number): Uint8Array[] => Array.from({ length: count }, () => random.bytes(32));

describe(`pack indexes (seed ${SEED})`, () => {
  it("find every object of every pack and nothing else", () => {
    const packs = [anyIds(1), anyIds(700), anyIds(2_000)];
    const index = build(packs);
    assert.equal(index.entryCount, 2_701);
    for (const [ordinal, ids] of packs.entries()) {
      for (const [place, id] of ids.entries()) {
        const entry = indexEntryAt(index, findInIndex(index, id));
        assert.equal(bytesToHex(entry.objectId), bytesToHex(id));
        assert.deepEqual([entry.packOrdinal, entry.storedBytes], [ordinal, 1 + (place % 7)]);
      }
    }
    for (const id of anyIds(500)) assert.equal(findInIndex(index, id), -1);
    assert.equal(bytesToHex(indexPackAt(index, 2).recordId), "02".repeat(32));
    assert.equal(indexPackAt(index, 2).frameBytes, 102);
  });

  it("hold the places that the packs' directories say", () => {
    const ids = anyIds(20);
    const index = build([ids]);
    const { directory } = directoryOf(ids);
    for (let place = 0; place < 20; place++) {
      const { objectId, offset } = storedObjectAt(directory, place);
      assert.equal(indexEntryAt(index, findInIndex(index, objectId)).offset, offset);
    }
  });

  it("name an object once that lies in two packs", () => {
    const [shared, other] = anyIds(2) as [Uint8Array, Uint8Array];
    const index = build([[shared], [other, shared]]);
    assert.equal(index.entryCount, 2);
    assert.equal(indexEntryAt(index, findInIndex(index, shared)).packOrdinal, 0);
  });

  it("sort ids that share their first bytes", () => {
    const ids = Array.from({ length: 400 }, () => {
      const id = random.bytes(32).fill(9, 0, 20);
      return id;
    });
    const index = build([ids]);
    for (const id of ids) assert.notEqual(findInIndex(index, id), -1);
  });

  it("can be read in ranges by header and fences", () => {
    for (const ids of [anyIds(3_000), Array.from({ length: 900 }, () => random.bytes(32).fill(7, 0, 9)), []]) {
      const index = build(ids.length === 0 ? [] : [ids]);
      const layout = parseIndexHeader(CONTENT, index.plaintext.subarray(0, INDEX_HEADER_BYTES));
      const fences = index.plaintext.subarray(layout.fencesOffset, layout.entriesOffset);
      for (const id of [...ids, ...anyIds(100), new Uint8Array(32), new Uint8Array(32).fill(255)]) {
        const { first, end } = fencedEntries(layout, fences, id);
        const run = index.plaintext.subarray(layout.entriesOffset + first * INDEX_ENTRY_BYTES, layout.entriesOffset + end * INDEX_ENTRY_BYTES);
        const at = findInIndex(index, id);
        assert.deepEqual(findInRun(run, id), at === -1 ? null : indexEntryAt(index, at));
        if (ids.length === 3_000) assert.ok(end - first <= 512);
      }
    }
  });

  it("with any damage are refused or not signed", () => {
    const { plaintext } = build([anyIds(2)]);
    assert.ok(verifyIndex(parseIndex(CONTENT, plaintext), vaultId, verifier));
    for (const { name, bytes } of damages(plaintext)) {
      let index: PackIndex;
      try {
        index = parseIndex(CONTENT, bytes);
      } catch (error) {
        assert.equal((error as Error).name, "Fault", name);
        continue;
      }
      assert.ok(!verifyIndex(index, vaultId, verifier), name);
    }
  });

  it("are due at 64 packs or 8 MiB", () => {
    const builder = createIndexBuilder(CONTENT);
    const pack = { recordId: new Uint8Array(32) as RecordId, frameBytes: 1, ...directoryOf(anyIds(1)) };
    for (let count = 0; count < 63; count++) builder.add(pack);
    assert.ok(!builder.isDue);
    builder.add(pack);
    assert.ok(builder.isDue);
    assert.equal(builder.recordIds().length, 64);
    builder.clear();
    assert.deepEqual([builder.packCount, builder.entryCount], [0, 0]);
    const large = { ...pack, directory: new Uint8Array(48 * 16_384) };
    for (let count = 0; count < 9; count++) builder.add(large);
    assert.ok(!builder.isDue);
    builder.add(large);
    assert.ok(builder.isDue);
  });
});
