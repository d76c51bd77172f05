/** Runs every file in packages/vault/vectors: each operation turns the input into what `expect` must equal, or throws the fault it names. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, Fault, u32, utf8 } from "@holdfast/base";
import { asSigningPublicKey, createObjectIdHasher, createVerifier, type ObjectIdKey, sha256 } from "@holdfast/crypto";
import { asRecordId, asVaultId, decodeCanonical, type ObjectId } from "@holdfast/protocol";
import { createZstdCompressor } from "./adapters/zstd-node.ts";
import { createCutter, createGear, findCut } from "./chunker.ts";
import { checkConfig, encodeConfig } from "./config.ts";
import { createContentBuilder, parseList } from "./content.ts";
import { needsOf, recordSetOf } from "./needs.ts";
import { openObject } from "./object.ts";
import { parsePack, storedObjectAt } from "./pack.ts";
import { indexEntryAt, indexPackAt, parseIndex, verifyIndex } from "./pack-index.ts";
import { padme } from "./padme.ts";
import { encodeSnapshot, lineOf, parseSnapshot } from "./snapshot.ts";
import { createObjectKeeper, numberedId, sampleEntry } from "./testing/samples.ts";
import { fromHex, readVectors, type Vector } from "./testing/vector-files.ts";
import { createFolderBuilder, parseTree, splitHash, splitSeedOf } from "./tree.ts";

type Result = Record<string, unknown>;
type Operation = (input: Vector["input"]) => Result | Promise<Result>;

const OPERATIONS: Readonly<Record<string, Operation>> = {
  gear: ({ chunkerKey }) => ({ gear: bytesToHex(Uint8Array.from([...createGear(fromHex(chunkerKey))].flatMap((word) => [...u32(word >>> 0)]))) }),
  cuts({ chunkerKey, generator, seed, byteCount }) {
    const gear = createGear(fromHex(chunkerKey));
    const data = generator === "zeros" ? new Uint8Array(byteCount) : hashedStream(seed, byteCount);
    const lengths: number[] = [];
    for (let at = 0; at < data.length; at += lengths.at(-1) as number) lengths.push(findCut(data, at, data.length, gear) - at);
    const streamed: number[] = [];
    const cutter = createCutter(gear);
    for (let at = 0; at < data.length; at += 100_003) cutter.push(data, at, Math.min(data.length, at + 100_003), (length) => streamed.push(length));
    const last = cutter.finish();
    assert.deepEqual(last === 0 ? streamed : [...streamed, last], lengths);
    return { lengths, sha256: bytesToHex(sha256(data)) };
  },
  padme: ({ lengths }) => ({ padded: lengths.map(padme) }),
  "split-hash": ({ chunkerKey, names }) => ({ hashes: names.map((name: string) => splitHash(fromHex(name), splitSeedOf(fromHex(chunkerKey)))) }),
  "tree-parse"(input) {
    const plaintext = input.plaintext === undefined ? longTree(input) : fromHex(input.plaintext);
    const node = parseTree(plaintext);
    if (node.entries === null) return { level: node.level, names: node.children.map((child) => bytesToHex(child.firstName)), fields: [] };
    const keeper = createObjectKeeper();
    const builder = createFolderBuilder(0, keeper.emit);
    for (const entry of node.entries) builder.add(entry);
    assert.equal(bytesToHex(keeper.load(builder.finish())), bytesToHex(plaintext));
    return { level: 0, names: node.entries.map((entry) => bytesToHex(entry.name)), fields: fieldCounts(plaintext) };
  },
  folder({ chunkerKey, objectIdKey, names, count, xattrBytes }) {
    const keeper = createObjectKeeper(fromHex(objectIdKey) as ObjectIdKey);
    const builder = createFolderBuilder(splitSeedOf(fromHex(chunkerKey)), keeper.emit);
    const xattrs = xattrBytes > 0 ? [{ name: utf8("user.x"), value: new Uint8Array(xattrBytes) }] : [];
    for (let number = 0; number < count; number++) {
      const content = number === 0 ? null : { items: [{ objectId: numberedId(number), plainBytes: number }], listId: null };
      builder.add(sampleEntry(printed(names, number), { sizeBytes: number, content, xattrs }));
    }
    const root = builder.finish();
    return { root: bytesToHex(root), nodeCount: keeper.count, levelCount: parseTree(keeper.load(root)).level + 1 };
  },
  "list-parse"({ plaintext }) {
    const node = parseList(fromHex(plaintext));
    return { level: node.level, lengths: (node.items ?? node.children).map((item) => item.plainBytes) };
  },
  list({ objectIdKey, count }) {
    const keeper = createObjectKeeper(fromHex(objectIdKey) as ObjectIdKey);
    const builder = createContentBuilder(keeper.emit);
    for (let index = 0; index < count; index++) {
      if (index % 100 === 99) builder.addHole(4096 * (index + 1));
      else builder.addChunk(numberedId(index), 262_144 + index);
    }
    const { listId } = builder.finish();
    assert.ok(listId !== null);
    return { root: bytesToHex(listId), listCount: keeper.count, levelCount: parseList(keeper.load(listId)).level + 1 };
  },
  async object({ objectIdKey, kind, codec, plainBytes, objectId, stored }) {
    const bytes = fromHex(stored);
    const entry = { objectId: fromHex(objectId) as ObjectId, kind, codec, offset: 52, storedBytes: bytes.length, plainBytes };
    return { plaintext: bytesToHex(openObject(entry, bytes, createObjectIdHasher(fromHex(objectIdKey) as ObjectIdKey), await createZstdCompressor())) };
  },
  "pack-parse"(input) {
    const body = fromHex(input.plaintext);
    const plaintext = new Uint8Array(body.length + input.zeroBytesAfter);
    plaintext.set(body);
    const pack = parsePack(input.class, plaintext);
    const objects = Array.from({ length: pack.objectCount }, (_, index) => storedObjectAt(pack.directory, index));
    return { objects: objects.map((object) => [bytesToHex(object.objectId), object.offset, object.storedBytes]) };
  },
  "index-parse"(input) {
    const index = parseIndex(input.class, fromHex(input.plaintext));
    const packs = Array.from({ length: index.packCount }, (_, ordinal) => indexPackAt(index, ordinal));
    const entries = Array.from({ length: index.entryCount }, (_, at) => indexEntryAt(index, at));
    return {
      packs: packs.map((pack) => [bytesToHex(pack.recordId), pack.frameBytes, pack.plainBytes]),
      entries: entries.map((entry) => [
        bytesToHex(entry.objectId),
        entry.packOrdinal,
        entry.offset,
        entry.storedBytes,
        entry.plainBytes,
        entry.codec,
        entry.kind,
      ]),
      isSigned: verifyIndex(index, asVaultId(fromHex(input.vaultId)), createVerifier(asSigningPublicKey(fromHex(input.deviceKey)))),
    };
  },
  "snapshot-parse"({ plaintext }) {
    const snapshot = parseSnapshot(fromHex(plaintext));
    assert.equal(bytesToHex(encodeSnapshot(snapshot)), plaintext);
    const { host, tags, failureCount, isPartial, setName } = snapshot;
    return { host, tags, failureCount, isPartial, setName };
  },
  line: ({ objectIdKey, host, paths, setName }) => ({
    line: bytesToHex(lineOf(fromHex(objectIdKey) as ObjectIdKey, { host, paths: paths.map(fromHex), setName })),
  }),
  needs({ ids, base }) {
    const entryId = asRecordId(new Uint8Array(32));
    const { needs } = needsOf(recordSetOf(ids.map(fromHex)), base === null ? null : { entryId, set: recordSetOf(base.map(fromHex)) });
    assert.equal(needs.base, base === null ? null : entryId);
    return { count: needs.count, additions: bytesToHex(needs.additionsDigest), drops: bytesToHex(needs.dropsDigest) };
  },
  config({ plaintext }) {
    checkConfig(fromHex(plaintext));
    return { isWritten: bytesToHex(encodeConfig()) === plaintext };
  },
};

describe("vectors of the vault", () => {
  const vectors = readVectors();
  it("cover every operation", () => {
    assert.deepEqual([...new Set(vectors.map((vector) => vector.operation))].sort(), Object.keys(OPERATIONS).sort());
  });
  for (const { operation, name, input, expect } of vectors) {
    it(name, async () => {
      const run = OPERATIONS[operation];
      assert.ok(run !== undefined, `no operation ${operation}`);
      if (expect.fault === undefined) {
        assert.deepEqual(await run(input), expect);
        return;
      }
      await assert.rejects(
        async () => run(input),
        (error) => error instanceof Fault && error.code === expect.fault,
      );
    });
  }
});

/** SHA-256 of seed and counter, joined. */
function hashedStream(seed: string, byteCount: number): Uint8Array {
  const stream = new Uint8Array(Math.ceil(byteCount / 32) * 32);
  for (let counter = 0; counter * 32 < byteCount; counter++) stream.set(sha256(utf8(seed), u32(counter)), counter * 32);
  return stream.subarray(0, byteCount);
}

/** `format` with its one `%0Nd` filled in. */
function printed(format: string, number: number): string {
  return format.replace(/%0(\d)d/, (_, width: string) => String(number).padStart(Number(width), "0"));
}

/** A node as its writer never makes it: longer than the limit. */
function longTree({ count, byteCount }: { count: number; byteCount: number }): Uint8Array {
  const keeper = createObjectKeeper();
  const parts: Uint8Array[] = [];
  for (let number = 0; number < count; number++) {
    const builder = createFolderBuilder(0, keeper.emit);
    builder.add(sampleEntry(String(number).padStart(5, "0"), { xattrs: [{ name: utf8("user.x"), value: new Uint8Array(1000) }] }));
    parts.push(keeper.load(builder.finish()).subarray(5));
  }
  const plaintext = new Uint8Array(7 + parts.reduce((sum, part) => sum + part.length, 0));
  plaintext.set([0xa2, 1, 0, 2, 0x99, count >> 8, count & 255]);
  let at = 7;
  for (const part of parts) {
    plaintext.set(part, at);
    at += part.length;
  }
  assert.equal(plaintext.length, byteCount);
  return plaintext;
}

/** Number of fields of each entry of a node, by the general decoder. */
function fieldCounts(plaintext: Uint8Array): number[] {
  const node = decodeCanonical(plaintext) as Map<number, Map<number, unknown>[]>;
  return (node.get(2) as Map<number, unknown>[]).map((entry) => entry.size);
}
