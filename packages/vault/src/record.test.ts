import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, equalBytes } from "@holdfast/base";
import { asEpochSecret, deriveEpochKeys, sha256 } from "@holdfast/crypto";
import { asVaultId, parseFrame, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import { createSeededRandom, damages } from "@holdfast/testkit";
import { createRecordOpener, createRecordSealer, RANGE_FRONT_BYTES, type SealedKind } from "./record.ts";

const random = createSeededRandom(48);
const vaultId = asVaultId(random.bytes(16));
const keysByEpoch = [0, 300].map((epoch) => deriveEpochKeys(asEpochSecret(random.bytes(32)), vaultId, epoch));
const [keys, keysOf300] = keysByEpoch as [(typeof keysByEpoch)[0], (typeof keysByEpoch)[0]];
const opener = createRecordOpener(vaultId, (epoch) => keysByEpoch.find((candidate) => candidate.epoch === epoch) ?? null);
const sealer = createRecordSealer(vaultId, keys, random);
const KINDS: readonly SealedKind[] = [
  RECORD_KINDS.config,
  RECORD_KINDS.contentPack,
  RECORD_KINDS.structurePack,
  RECORD_KINDS.contentIndex,
  RECORD_KINDS.structureIndex,
  RECORD_KINDS.snapshot,
];
const INTEGRITY = { name: "Fault", code: "integrity" };

describe("records", () => {
  it("of every kind and epoch open again and have the id of their frame", async () => {
    for (const kind of KINDS) {
      for (const epochKeys of [keys, keysOf300]) {
        for (const byteCount of [0, 1, 20, 300, 16_384, 70_000]) {
          const plaintext = random.bytes(byteCount);
          const epochSealer = createRecordSealer(vaultId, epochKeys, random);
          const { recordId, frame } = await epochSealer.seal(kind, plaintext);
          assert.equal(bytesToHex(recordId), bytesToHex(sha256(frame)));
          assert.deepEqual([parseFrame(frame).kind, parseFrame(frame).epoch, parseFrame(frame).suite], [kind, epochKeys.epoch, 1]);
          assert.ok(equalBytes(await opener.open(kind, frame, recordId), plaintext));
        }
      }
    }
    assert.equal(sealer.frameBytes(300), (await sealer.seal(1, random.bytes(300))).frame.length);
  });

  it("are written whole into the front of a shared slot, with a promise and without", async () => {
    const slot = new Uint8Array(new SharedArrayBuffer(100_000)).fill(7);
    const plaintext = random.bytes(50_000);
    const { recordId, frame } = await sealer.seal(RECORD_KINDS.contentPack, plaintext, slot);
    assert.ok(frame.buffer === slot.buffer && frame.byteOffset === 0 && slot[frame.length] === 7);
    assert.ok(equalBytes(await opener.open(RECORD_KINDS.contentPack, frame, recordId), plaintext));
    if (sealer.sealSync === null || opener.openSync === null) return;
    const sync = sealer.sealSync(RECORD_KINDS.contentPack, plaintext, slot);
    assert.equal(bytesToHex(sync.recordId), bytesToHex(sha256(slot.slice(0, sync.frame.length))));
    assert.ok(equalBytes(opener.openSync(RECORD_KINDS.contentPack, sync.frame, sync.recordId), plaintext));
  });

  it("of one kind never open as another", async () => {
    for (const kind of KINDS) {
      const { frame } = await sealer.seal(kind, random.bytes(30));
      for (const other of KINDS) {
        if (other === kind) continue;
        await assert.rejects(opener.open(other, frame), INTEGRITY);
        const renamed = frame.slice();
        renamed[2] = other;
        await assert.rejects(opener.open(other, renamed), INTEGRITY);
      }
    }
  });

  it("do not open under another vault, another epoch, another id, or without keys", async () => {
    const { frame } = await sealer.seal(7, random.bytes(30));
    const otherVault = createRecordOpener(asVaultId(random.bytes(16)), () => keys);
    await assert.rejects(otherVault.open(7, frame), INTEGRITY);
    const sameKeysForAll = createRecordOpener(vaultId, () => keys);
    const moved = frame.slice();
    moved[4] = 1;
    await assert.rejects(sameKeysForAll.open(7, moved), INTEGRITY);
    await assert.rejects(opener.open(7, moved), { name: "Fault", code: "missing" });
    await assert.rejects(opener.open(7, frame, random.bytes(32) as RecordId), INTEGRITY);
  });

  it("with any damage are refused", async () => {
    const { frame } = await sealer.seal(7, random.bytes(25));
    for (const { name, bytes } of damages(frame)) await assert.rejects(opener.open(7, bytes), { name: "Fault" }, name);
  });

  it("open in ranges, and damaged ranges do not", async () => {
    const plaintext = random.bytes(100_000);
    const { frame } = await sealer.seal(RECORD_KINDS.contentPack, plaintext);
    const range = opener.startRange(RECORD_KINDS.contentPack, frame.subarray(0, RANGE_FRONT_BYTES));
    assert.equal(range.plainBytes, plaintext.length);
    for (let round = 0; round < 40; round++) {
      const start = random.below(99_999);
      const end = start + 1 + random.below(Math.min(40_000, 100_000 - start));
      const span = range.frameSpan(start, end);
      const fetched = frame.slice(span.start, span.end);
      assert.ok(equalBytes(await range.open(start, end, fetched), plaintext.subarray(start, end)));
      const at = random.below(fetched.length);
      fetched[at] = (fetched[at] as number) ^ 1;
      await assert.rejects(range.open(start, end, fetched), INTEGRITY);
      await assert.rejects(range.open(start, end, frame.subarray(span.start, span.end - 1)), INTEGRITY);
    }
    assert.throws(() => opener.startRange(RECORD_KINDS.contentPack, frame.subarray(0, 20)), { name: "Fault" });
    assert.throws(() => opener.startRange(RECORD_KINDS.structurePack, frame.subarray(0, RANGE_FRONT_BYTES)), INTEGRITY);
  });

  it("that are not sealed anew differ from each other", async () => {
    const plaintext = random.bytes(10);
    assert.notEqual(bytesToHex((await sealer.seal(7, plaintext)).recordId), bytesToHex((await sealer.seal(7, plaintext)).recordId));
  });
});
