import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, concatBytes, equalBytes } from "@holdfast/base";
import { createCountingRandom } from "../testing/scripted-random.ts";
import { fromHex, readWycheproof } from "../testing/vector-files.ts";
import { createAes256Gcm } from "./aes-256-gcm.ts";
import { nodeAesGcm } from "./aes-node.ts";
import { webAesGcm } from "./aes-web.ts";
import { suiteById } from "./registry.ts";
import { openStream, sealStream } from "./stream.ts";
import { asInputKey, type Suite } from "./suite.ts";

const KEY = asInputKey(Uint8Array.from({ length: 32 }, (_, index) => index + 1));
const OTHER_KEY = asInputKey(new Uint8Array(32).fill(5));
const CONTEXT = Uint8Array.of(7, 7, 7);
const NOT_AUTHENTIC = { name: "Fault", code: "integrity", message: "sealed: does not authenticate" };
const EDGES = [0, 1, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 1_200_000];

/** The contract of suite 1, over each adapter. */
function suiteContract(name: string, suite: Suite): void {
  const seal = (plaintext: Uint8Array | readonly Uint8Array[]) => suite.seal(createCountingRandom(), KEY, CONTEXT, plaintext);

  describe(`suite 1: ${name}`, () => {
    it("opens what it sealed, at every edge of segments and batches", async () => {
      for (const byteCount of EDGES) {
        const plaintext = pattern(byteCount);
        const sealed = await seal(plaintext);
        assert.equal(sealed.length, suite.sealedBytes(byteCount));
        assert.equal(suite.plainBytes(sealed.length), byteCount);
        assert.ok(equalBytes(await suite.open(KEY, CONTEXT, sealed), plaintext), `${byteCount} bytes`);
      }
    });

    it("seals parts as if they were joined", async () => {
      const plaintext = pattern(50_000);
      const whole = await seal(plaintext);
      for (const cuts of [
        [0, 50_000],
        [1, 16_384],
        [100, 200, 16_384, 16_385, 40_000],
        [16_384, 32_768, 49_152],
      ]) {
        const parts = [0, ...cuts].map((start, index) => plaintext.subarray(start, cuts[index] ?? plaintext.length));
        assert.ok(equalBytes(await seal(parts), whole), `cut at ${cuts}`);
      }
      assert.ok(equalBytes(await seal([]), await seal(new Uint8Array(0))));
    });

    it("writes into shared memory at an offset, and touches nothing else there", async () => {
      const plaintext = pattern(20_000);
      const shared = new Uint8Array(new SharedArrayBuffer(20_000)); // Plaintext in shared memory as well.
      shared.set(plaintext);
      const out = new Uint8Array(new SharedArrayBuffer(21_000)).fill(0xee);
      const sealed = await suite.seal(createCountingRandom(), KEY, CONTEXT, [shared.subarray(0, 3), shared.subarray(3)], out, 14);
      assert.equal(sealed.buffer, out.buffer);
      assert.equal(sealed.byteOffset, 14);
      assert.ok(equalBytes(sealed, await seal(plaintext)));
      assert.ok(out.subarray(0, 14).every((byte) => byte === 0xee));
      assert.ok(out.subarray(14 + sealed.length).every((byte) => byte === 0xee));
      assert.ok(equalBytes(await suite.open(KEY, CONTEXT, sealed), plaintext));
      await assert.rejects(suite.seal(createCountingRandom(), KEY, CONTEXT, plaintext, out, 1_000), { name: "AssertionFailure" });
    });

    it("draws a fresh salt for every sealing", async () => {
      const random = createCountingRandom();
      const first = await suite.seal(random, KEY, CONTEXT, pattern(10));
      const second = await suite.seal(random, KEY, CONTEXT, pattern(10));
      assert.ok(!equalBytes(first.subarray(56), second.subarray(56)));
    });

    it("any flipped bit, and any other length, is one and the same fault", async () => {
      const sealed = await seal(pattern(20));
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const flipped = sealed.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        await assert.rejects(suite.open(KEY, CONTEXT, flipped), NOT_AUTHENTIC, `bit ${bit}`);
      }
      for (let length = 0; length < sealed.length; length++)
        await assert.rejects(suite.open(KEY, CONTEXT, sealed.subarray(0, length)), NOT_AUTHENTIC, `${length} bytes`);
      await assert.rejects(suite.open(KEY, CONTEXT, concatBytes(sealed, Uint8Array.of(0))), NOT_AUTHENTIC);
    });

    it("another key or context is the same fault", async () => {
      const sealed = await seal(pattern(20));
      await assert.rejects(suite.open(OTHER_KEY, CONTEXT, sealed), NOT_AUTHENTIC);
      for (const context of [Uint8Array.of(7, 7), Uint8Array.of(7, 7, 7, 0), Uint8Array.of(7, 7, 8), new Uint8Array(0)]) {
        await assert.rejects(suite.open(KEY, context, sealed), NOT_AUTHENTIC);
      }
    });

    it("segments that are cut, exchanged, doubled or left out are the same fault", async () => {
      const sealed = await seal(pattern(40_000));
      const header = sealed.subarray(0, 56);
      const [first, second, last] = [sealed.subarray(56, 16_456), sealed.subarray(16_456, 32_856), sealed.subarray(32_856)] as const;
      for (const parts of [
        [first, second],
        [first],
        [second, first, last],
        [first, first, second, last],
        [second, last],
        [first, last],
        [last],
        [first, second, last, last],
        [],
      ]) {
        await assert.rejects(suite.open(KEY, CONTEXT, concatBytes(header, ...parts)), NOT_AUTHENTIC);
      }
    });

    it("lengths that no text has are known before a key is touched", () => {
      for (const length of [0, 55, 56, 71, 56 + 16_400, 56 + 16_400 + 15, 56 + 2 * 16_400]) assert.equal(suite.plainBytes(length), null, `${length}`);
      assert.deepEqual(
        [72, 73, 56 + 16_399, 56 + 16_416, 56 + 16_417].map((length) => suite.plainBytes(length)),
        [0, 1, 16_383, 16_384, 16_385],
      );
      assert.equal(suite.plainBytes(suite.sealedBytes(2 ** 52 - 1)), 2 ** 52 - 1);
      assert.throws(() => suite.sealedBytes(2 ** 52), { name: "AssertionFailure" });
    });

    it("opens ranges through their spans", async () => {
      for (const total of [1, 16_384, 50_000, 65_536]) {
        const plaintext = pattern(total);
        const sealed = await seal(plaintext);
        const opener = suite.createOpener(KEY, CONTEXT, sealed.subarray(0, suite.headerBytes));
        for (const [start, end] of [
          [0, 1],
          [0, total],
          [total - 1, total],
          [Math.floor(total / 2), Math.floor(total / 2) + 1],
          [Math.floor(total / 3), Math.ceil(total * 0.9)],
        ] as const) {
          const span = suite.span(total, start, end);
          const opened = await opener.openSegments(span.firstSegment, sealed.subarray(span.sealedStart, span.sealedEnd), span.lastIncluded);
          assert.ok(
            equalBytes(opened.subarray(span.skipBytes, span.skipBytes + end - start), plaintext.subarray(start, end)),
            `${start} to ${end} of ${total}`,
          );
        }
      }
      assert.throws(() => suite.span(10, 3, 3), { name: "AssertionFailure" });
      assert.throws(() => suite.span(10, 3, 11), { name: "AssertionFailure" });
    });

    it("a run of segments in another place, or passed off as the end, is the same fault", async () => {
      const sealed = await seal(pattern(40_000));
      const opener = suite.createOpener(KEY, CONTEXT, sealed.subarray(0, 56));
      const first = sealed.subarray(56, 56 + 16_400);
      assert.ok(equalBytes(await opener.openSegments(0, first, false), pattern(16_384)));
      await assert.rejects(opener.openSegments(1, first, false), NOT_AUTHENTIC);
      await assert.rejects(opener.openSegments(2 ** 32, first, false), NOT_AUTHENTIC); // Bits over 32 count.
      await assert.rejects(opener.openSegments(2 ** 38, first, false), NOT_AUTHENTIC);
      await assert.rejects(opener.openSegments(0, first, true), NOT_AUTHENTIC); // Full, so not the last.
      await assert.rejects(opener.openSegments(0, first.subarray(1), false), NOT_AUTHENTIC);
      await assert.rejects(opener.openSegments(2, sealed.subarray(56 + 2 * 16_400), false), NOT_AUTHENTIC);
      assert.throws(() => suite.createOpener(OTHER_KEY, CONTEXT, sealed.subarray(0, 56)), NOT_AUTHENTIC);
      assert.throws(() => suite.createOpener(KEY, CONTEXT, sealed.subarray(0, 55)), NOT_AUTHENTIC);
    });

    it("streams give the bytes of one sealing, in pieces of any length", async () => {
      for (const total of [0, 16_384, 40_000, 1_200_000]) {
        const plaintext = pattern(total);
        const whole = await seal(plaintext);
        for (const pieceBytes of [997, 16_384, 5_000_000]) {
          const sealed = await joined(sealStream(suite, createCountingRandom(), KEY, CONTEXT, pieces(plaintext, pieceBytes)));
          assert.ok(equalBytes(sealed, whole), `${total} bytes in pieces of ${pieceBytes}`);
          assert.ok(equalBytes(await joined(openStream(suite, KEY, CONTEXT, pieces(sealed, pieceBytes))), plaintext));
        }
      }
    });

    it("a stream that ends early is the same fault, wherever it ends", async () => {
      const sealed = await seal(pattern(20_000));
      for (const length of [0, 10, 56, 60, 56 + 16_400, 56 + 16_410, sealed.length - 1]) {
        await assert.rejects(joined(openStream(suite, KEY, CONTEXT, pieces(sealed.subarray(0, length), 1_000))), NOT_AUTHENTIC, `${length}`);
      }
    });

    it("a sealer refuses short segments before the last, and anything after it", async () => {
      const sealer = suite.createSealer(createCountingRandom(), KEY, CONTEXT);
      await assert.rejects(sealer.sealSegments(pattern(5), false), { name: "AssertionFailure" });
      await sealer.sealSegments(pattern(5), true);
      await assert.rejects(sealer.sealSegments(pattern(16_384), false), { name: "AssertionFailure" });
    });
  });
}

suiteContract("node adapter", createAes256Gcm(nodeAesGcm));
suiteContract("web adapter", createAes256Gcm(webAesGcm));

describe("suites", () => {
  it("synchronous calls give the same bytes, and are null where the adapter has only promises", async () => {
    const suite = createAes256Gcm(nodeAesGcm);
    const sealed = suite.sealSync?.(createCountingRandom(), KEY, CONTEXT, pattern(40_000));
    assert.ok(sealed !== undefined && suite.openSync !== null);
    assert.ok(equalBytes(sealed, await createAes256Gcm(webAesGcm).seal(createCountingRandom(), KEY, CONTEXT, pattern(40_000))));
    assert.ok(equalBytes(suite.openSync(KEY, CONTEXT, sealed), pattern(40_000)));
    assert.throws(() => suite.openSync?.(KEY, CONTEXT, sealed.subarray(1)), NOT_AUTHENTIC);
    assert.equal(createAes256Gcm(webAesGcm).sealSync, null);
    assert.equal(createAes256Gcm(webAesGcm).openSync, null);
  });

  it("are found by id; reserved ids are a version fault, others a format fault", () => {
    assert.equal(suiteById(1).name, "aes-256-gcm");
    for (const id of [2, 3]) assert.throws(() => suiteById(id), { code: "version" });
    for (const id of [0, 4, -1, 1.5, 256]) assert.throws(() => suiteById(id), { code: "format" });
  });

  it("an input key has 32 bytes", () => {
    for (const length of [0, 16, 31, 33, 64]) assert.throws(() => asInputKey(new Uint8Array(length)), { code: "format" });
  });

  it("an adapter writes nothing when the tag is wrong", async () => {
    for (const aes of [nodeAesGcm, webAesGcm]) {
      const key = await aes.importKey(new Uint8Array(32));
      const sealed = new Uint8Array(26);
      await key.seal(new Uint8Array(12), [pattern(10)], sealed, 0);
      const out = new Uint8Array(10);
      assert.equal(await key.open(new Uint8Array(12), sealed, out, 0), true);
      assert.deepEqual(out, pattern(10));
      sealed[25] = (sealed[25] as number) ^ 1;
      assert.equal(await key.open(new Uint8Array(12), sealed, out.fill(0xee), 0), false);
      assert.ok(out.every((byte) => byte === 0xee));
    }
  });

  const groups = readWycheproof("aes_gcm");
  it("both adapters agree with Wycheproof on AES-256-GCM", { skip: groups === null && "../shared/vectors is absent" }, async () => {
    let count = 0;
    for (const group of groups ?? []) {
      if (group.keySize !== 256 || group.ivSize !== 96 || group.tagSize !== 128) continue;
      for (const test of group.tests.filter((one: { aad: string }) => one.aad === "")) {
        for (const aes of [nodeAesGcm, webAesGcm]) {
          const key = await aes.importKey(fromHex(test.key));
          const plaintext = fromHex(test.msg);
          const sealed = fromHex(test.ct + test.tag);
          const opened = new Uint8Array(plaintext.length).fill(0xee);
          assert.equal(await key.open(fromHex(test.iv), sealed, opened, 0), test.result === "valid", `tcId ${test.tcId}`);
          assert.deepEqual(opened, test.result === "valid" ? plaintext : opened.slice().fill(0xee), `tcId ${test.tcId}`);
          const out = new Uint8Array(sealed.length);
          await key.seal(fromHex(test.iv), [plaintext], out, 0);
          assert.equal(equalBytes(out, sealed), test.result === "valid", `tcId ${test.tcId}`);
        }
        count++;
      }
    }
    assert.ok(count >= 40, `${count} tests`);
  });
});

function pattern(byteCount: number): Bytes {
  const bytes = new Uint8Array(byteCount);
  for (let index = 0; index < byteCount; index++) bytes[index] = (index * 31 + (index >> 8)) & 0xff;
  return bytes;
}

async function* pieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) yield bytes.subarray(offset, offset + pieceBytes);
}

async function joined(source: AsyncIterable<Uint8Array>): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return concatBytes(...parts);
}
