import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, utf8 } from "@holdfast/base";
import { createSeededRandom } from "@holdfast/testkit";
import { createZstdCompressor } from "./adapters/zstd-node.ts";
import { checkFrame, createCompressor } from "./zstd.ts";

const random = createSeededRandom(42);
const TEXT = utf8("the quick brown fox jumps over the lazy dog. ".repeat(30_000));

/** Text of words in random order: shrinks, and not to next to nothing. */
function wordSalad(byteCount: number): Uint8Array {
  const words = Array.from({ length: 4_096 }, () => random.bytes(3).join(""));
  const picks = new Uint16Array(random.bytes(byteCount).buffer);
  return utf8(Array.from(picks, (pick) => words[pick % words.length]).join(" ")).slice(0, byteCount);
}

/** The shortest frame of `plainBytes` equal bytes: RFC 8878, one segment, one RLE block. */
function rleFrame(plainBytes: number): Uint8Array {
  const frame = new Uint8Array(13);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 0xfd2fb528, true);
  view.setUint8(4, 0xa0); // Single segment, four bytes of content size.
  view.setUint32(5, plainBytes, true);
  view.setUint32(9, 0b011 | (plainBytes << 3), true); // Last block, RLE; its byte is 0.
  return frame;
}

describe("zstd of this runtime", () => {
  it("makes one frame of what compresses to more than a buffer of the library", async () => {
    const zstd = await createZstdCompressor();
    for (const byteCount of [60_000, 1_000_000, 4_000_000]) {
      const salad = wordSalad(byteCount);
      const frame = zstd.compress(salad);
      assert.ok(frame !== null && frame.length > byteCount / 50, "is compressed, not stored raw");
      assert.deepEqual(new Uint8Array(zstd.decompress(frame, byteCount)), salad);
    }
  });

  it("stores raw what a library wrote in a form that readers refuse", () => {
    const twoFrames = (bytes: Uint8Array): Uint8Array => new Uint8Array([...rleFrame(bytes.length), ...rleFrame(0)]);
    const compressor = createCompressor({ compress: twoFrames, decompress: () => assert.fail("not called") });
    assert.equal(compressor.compress(new Uint8Array(1_000)), null);
    const honest = createCompressor({ compress: (bytes) => rleFrame(bytes.length), decompress: () => assert.fail("not called") });
    assert.deepEqual(honest.compress(new Uint8Array(1_000)), rleFrame(1_000));
  });

  it("gives back what it compressed, in one frame that says its size", async () => {
    const zstd = await createZstdCompressor();
    for (const byteCount of [64, 300, 70_000, TEXT.length]) {
      const frame = zstd.compress(TEXT.subarray(0, byteCount));
      assert.ok(frame !== null && frame.length < byteCount);
      checkFrame(frame, byteCount);
      assert.deepEqual(new Uint8Array(zstd.decompress(frame, byteCount)), TEXT.slice(0, byteCount));
    }
  });

  it("compresses out of shared memory", async () => {
    const zstd = await createZstdCompressor();
    const shared = new Uint8Array(new SharedArrayBuffer(5_000));
    const frame = zstd.compress(shared);
    assert.ok(frame !== null);
    assert.equal(zstd.decompress(frame, 5_000).length, 5_000);
  });

  it("says null for what does not shrink", async () => {
    const zstd = await createZstdCompressor();
    for (const byteCount of [0, 1, 5_000, 1_000_000]) assert.equal(zstd.compress(random.bytes(byteCount)), null);
  });

  it("refuses a frame of another length than the caller wants, and every cut of it", async () => {
    const zstd = await createZstdCompressor();
    const frame = zstd.compress(TEXT.subarray(0, 5_000)) as Uint8Array;
    assert.throws(() => zstd.decompress(frame, 4_999), { name: "Fault", code: "format" });
    assert.throws(() => zstd.decompress(frame, 5_001), { name: "Fault", code: "format" });
    for (let length = 0; length < frame.length; length++)
      assert.throws(() => zstd.decompress(frame.slice(0, length), 5_000), { name: "Fault", code: "format" });
  });

  it("never throws anything but a fault on damaged frames", async () => {
    const zstd = await createZstdCompressor();
    const frame = zstd.compress(TEXT.subarray(0, 2_000)) as Uint8Array;
    for (let round = 0; round < 500; round++) {
      const damaged = frame.slice();
      damaged[random.below(damaged.length)] = random.below(256);
      try {
        assert.equal(zstd.decompress(damaged, 2_000).length, 2_000);
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "format");
      }
    }
  });
});

describe("probe of long objects", () => {
  const counting = () => {
    const lengths: number[] = [];
    const compressor = createCompressor({
      compress(bytes) {
        lengths.push(bytes.length);
        return bytes.every((byte) => byte === 0) ? rleFrame(bytes.length) : bytes;
      },
      decompress: () => assert.fail("not called"),
    });
    return { lengths, compressor };
  };

  it("leaves an object alone whose pieces do not shrink", () => {
    const { lengths, compressor } = counting();
    assert.equal(compressor.compress(random.bytes(300_000)), null);
    assert.deepEqual(lengths, [16_384]);
  });

  it("compresses the whole when they do, and short objects without asking", () => {
    const { lengths, compressor } = counting();
    assert.equal(compressor.compress(new Uint8Array(300_000))?.length, 13);
    assert.equal(compressor.compress(random.bytes(200_000)), null);
    assert.deepEqual(lengths, [16_384, 300_000, 200_000]);
  });
});
