import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { createObjectIdHasher, sha256 } from "@holdfast/crypto";
import { PACK_TARGET_BYTES } from "@holdfast/protocol";
import { createSeededRandom, flippedBits, truncations } from "@holdfast/testkit";
import { createZstdCompressor } from "./adapters/zstd-node.ts";
import { CODECS, OBJECT_KINDS, openObject, PACK_CLASSES } from "./object.ts";
import { type Pack, parsePack, storedBytesOf, storedObjectAt } from "./pack.ts";
import { createPackDealer } from "./pack-dealer.ts";
import { createPackWriter, type PackWriter, packBufferBytes } from "./pack-writer.ts";
import { paddedPackBytes, padme } from "./padme.ts";
import { SAMPLE_ID_KEY } from "./testing/samples.ts";

const SEED = 44;
const random = createSeededRandom(SEED);
const hashObject = createObjectIdHasher(SAMPLE_ID_KEY);

function createWriter(objectsMax = 100): PackWriter {
  return createPackWriter(PACK_CLASSES.content, new Uint8Array(new SharedArrayBuffer(packBufferBytes(objectsMax))), objectsMax);
}

/** Appends raw chunks; their ids. */
function append(writer: PackWriter, ...chunks: readonly Uint8Array[]): string[] {
  return chunks.map((chunk) => {
    const objectId = hashObject(OBJECT_KINDS.chunk, chunk);
    writer.append(objectId, OBJECT_KINDS.chunk, CODECS.raw, chunk, chunk.length);
    return bytesToHex(objectId);
  });
}

function objectsOf(pack: Pack) {
  return Array.from({ length: pack.objectCount }, (_, index) => storedObjectAt(pack.directory, index));
}

function idsOf(pack: Pack): string[] {
  return objectsOf(pack).map((object) => bytesToHex(object.objectId));
}

describe(`packs (seed ${SEED})`, () => {
  it("give back every object, raw and compressed, from shared memory", async () => {
    const zstd = await createZstdCompressor();
    const writer = createWriter();
    const chunks = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? random.bytes(1 + random.below(20_000)) : new Uint8Array(500 + index)));
    for (const chunk of chunks) {
      const compressed = zstd.compress(chunk);
      writer.append(hashObject(1, chunk), 1, compressed === null ? CODECS.raw : CODECS.zstd, compressed ?? chunk, chunk.length);
    }
    const closed = writer.close();
    const pack = parsePack(PACK_CLASSES.content, closed.plaintext);
    assert.equal(closed.plaintext.length, paddedPackBytes(writer.plainBytes));
    assert.equal(bytesToHex(closed.directory), bytesToHex(pack.directory));
    for (const [index, object] of objectsOf(pack).entries()) {
      assert.deepEqual(new Uint8Array(openObject(object, storedBytesOf(pack, object), hashObject, zstd)), chunks[index]);
    }
  });

  it("leave nothing of the pack before in their padding", () => {
    const writer = createWriter();
    append(writer, new Uint8Array(500_000).fill(255));
    writer.close();
    writer.clear();
    append(writer, random.bytes(100));
    const { plaintext } = writer.close();
    assert.equal(plaintext.length, 65_536);
    assert.ok(plaintext.subarray(4 + 48 + 100).every((byte) => byte === 0));
    parsePack(PACK_CLASSES.content, plaintext);
  });

  it("are full exactly at the target and at the number of objects", () => {
    const writer = createWriter(3);
    append(writer, new Uint8Array(4_000_000));
    const room = PACK_TARGET_BYTES - 4 - 2 * 48 - 4_000_000;
    assert.ok(writer.fits(room));
    assert.ok(!writer.fits(room + 1));
    append(writer, new Uint8Array(1), new Uint8Array(2));
    assert.ok(!writer.fits(0));
  });

  it("hold one object of the longest length alone", () => {
    const writer = createWriter(2);
    assert.ok(writer.fits(8_388_608));
    append(writer, new Uint8Array(8_388_608));
    assert.ok(!writer.fits(0));
    assert.equal(parsePack(PACK_CLASSES.content, writer.close().plaintext).objectCount, 1);
  });

  it("refuse objects of the other class and after closing", () => {
    const writer = createWriter();
    assert.throws(() => writer.append(new Uint8Array(32), OBJECT_KINDS.tree, CODECS.raw, new Uint8Array(1), 1), { name: "Fault", code: "format" });
    append(writer, new Uint8Array(1));
    writer.close();
    assert.throws(() => append(writer, new Uint8Array(1)), { name: "AssertionFailure" });
  });

  it("with a flipped bit in head or directory, or cut short, are refused or do not open", async () => {
    const zstd = await createZstdCompressor();
    const writer = createWriter();
    append(writer, random.bytes(10), random.bytes(20));
    const whole = writer.close().plaintext.slice();
    const used = 4 + 2 * 48 + 30;
    for (const { name, bytes } of flippedBits(whole.subarray(0, used))) {
      const damaged = whole.slice();
      damaged.set(bytes);
      const open = () => {
        const pack = parsePack(PACK_CLASSES.content, damaged);
        for (const object of objectsOf(pack)) openObject(object, storedBytesOf(pack, object), hashObject, zstd);
      };
      assert.throws(open, { name: "Fault" }, name);
    }
    for (const { name, bytes } of truncations(whole.subarray(0, 300))) assert.throws(() => parsePack(PACK_CLASSES.content, bytes), { name: "Fault" }, name);
  });
});

describe("pack dealer", () => {
  function deal(writers: readonly [PackWriter, ...PackWriter[]], chunks: readonly Uint8Array[]) {
    const packs: string[][] = [];
    const dealer = createPackDealer(writers, random, (closed) => packs.push(idsOf(parsePack(PACK_CLASSES.content, closed.plaintext))));
    for (const chunk of chunks) dealer.add(hashObject(1, chunk), 1, CODECS.raw, chunk, chunk.length);
    const closedBefore = packs.length;
    dealer.flush();
    assert.equal(dealer.openObjectCount, 0);
    return { packs, closedBefore };
  }

  it("puts every object into exactly one pack", () => {
    const chunks = Array.from({ length: 60 }, () => random.bytes(600_000 + random.below(100_000)));
    const { packs } = deal([createWriter(), createWriter()], chunks);
    assert.deepEqual(packs.flat().sort(), chunks.map((chunk) => bytesToHex(hashObject(1, chunk))).sort());
    assert.ok(packs.length >= 5 && packs.length <= 7, `${packs.length} packs`);
  });

  it("does not keep neighbours together", () => {
    const chunks = Array.from({ length: 26 }, () => random.bytes(600_000));
    const ids = chunks.map((chunk) => bytesToHex(hashObject(1, chunk)));
    const { packs } = deal([createWriter(), createWriter()], chunks);
    const places = (packs[0] as string[]).map((id) => ids.indexOf(id));
    assert.ok(places.some((place, index) => index > 0 && place !== (places[index - 1] as number) + 1));
  });

  it("puts what is left into one pack when it fits, else into two", () => {
    const small = Array.from({ length: 20 }, () => random.bytes(100));
    assert.deepEqual(
      deal([createWriter(), createWriter()], small).packs.map((ids) => ids.length),
      [20],
    );
    const large = Array.from({ length: 8 }, () => random.bytes(1_200_000));
    const { packs, closedBefore } = deal([createWriter(), createWriter()], large);
    assert.equal(packs.flat().length, 8);
    assert.ok(packs.length - closedBefore <= 2 && packs.length >= 2);
  });

  it("closes nothing when nothing was added", () => {
    assert.deepEqual(deal([createWriter(), createWriter()], []).packs, []);
  });
});

describe("padmé", () => {
  it("never shrinks, never grows by more than 12 %, and keeps what it gave", () => {
    for (let round = 0; round < 5_000; round++) {
      const byteCount = 2 + random.below(33_554_431);
      const padded = padme(byteCount);
      assert.ok(padded >= byteCount && padded <= byteCount * 1.12, `${byteCount}`);
      assert.equal(padme(padded), padded);
    }
  });
});

it("sha256 of a view on shared memory equals that of a copy", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(100_000));
  shared.set(random.bytes(100_000));
  assert.equal(bytesToHex(sha256(shared)), bytesToHex(sha256(shared.slice())));
});
