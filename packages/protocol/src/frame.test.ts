import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AssertionFailure, type Bytes, bytesToHex, concatBytes, type FaultCode, hexToBytes, isFault } from "@holdfast/base";
import { createSeededRandom, damages, testVerifier } from "@holdfast/testkit";
import { decodeCanonical } from "./codec.ts";
import { encodeFrame, encodeFrameHead, FRAME_HEAD_BYTES_MAX, parseFrame, parseFrameHead, parseFrameOf, RECORD_KINDS, type RecordKind } from "./frame.ts";
import { FRAME_BYTES_MAX } from "./limits.ts";

const hex = (text: string): Bytes => hexToBytes(text.replaceAll(" ", "")) as Bytes;
const faultOf = (code: FaultCode) => (error: unknown) => isFault(error, code);
const suiteOf = (kind: RecordKind): number => (kind === RECORD_KINDS.slot || kind === RECORD_KINDS.journalEntry || kind === RECORD_KINDS.receipt ? 0 : 1);

describe("frames", () => {
  it("are the CBOR of their five items", () => {
    const body = createSeededRandom(1).bytes(300);
    const frame = encodeFrame(RECORD_KINDS.contentPack, 1, 70_000, body);
    assert.deepEqual(decodeCanonical(frame), [1, 3, 1, 70_000, body]);
  });

  it("have heads of every length at the edges of epoch and body", () => {
    for (const [epoch, epochBytes] of [
      [0, 1],
      [23, 1],
      [24, 2],
      [255, 2],
      [256, 3],
      [65_535, 3],
      [65_536, 5],
      [0xffffffff, 5],
    ] as const) {
      for (const [bodyBytes, lengthBytes] of [
        [0, 1],
        [23, 1],
        [24, 2],
        [255, 2],
        [256, 3],
        [65_535, 3],
        [65_536, 5],
        [1_048_576, 5],
      ] as const) {
        const head = encodeFrameHead(RECORD_KINDS.snapshot, 1, epoch, bodyBytes);
        assert.equal(head.length, 4 + epochBytes + lengthBytes);
        assert.deepEqual(parseFrameHead(head), { kind: 7, suite: 1, epoch, bodyOffset: head.length, bodyBytes });
        for (let length = 0; length < head.length; length++) assert.equal(parseFrameHead(head.subarray(0, length)), null, `head cut to ${length}`);
      }
    }
  });

  it("parse from a stream byte by byte, at any offset", () => {
    const random = createSeededRandom(2);
    const frames = [
      encodeFrame(1, 1, 0, random.bytes(3)),
      encodeFrame(2, 0, 0, random.bytes(300)),
      encodeFrame(9, 0, 0, new Uint8Array(0)),
      encodeFrame(5, 1, 9_999_999, random.bytes(70_000)),
    ];
    const stream = concatBytes(...frames);
    let offset = 0;
    for (const frame of frames) {
      let known = offset;
      let head = null;
      while (head === null) head = parseFrameHead(stream.subarray(0, ++known), offset);
      assert.ok(known - offset <= FRAME_HEAD_BYTES_MAX);
      const end = offset + head.bodyOffset + head.bodyBytes;
      assert.deepEqual(stream.slice(offset, end), frame);
      offset = end;
    }
    assert.equal(offset, stream.length);
  });

  it("are refused one byte over the limit, and taken at it", () => {
    const bodyBytes = FRAME_BYTES_MAX - 10;
    const whole = encodeFrameHead(RECORD_KINDS.contentPack, 1, 0, bodyBytes);
    assert.equal(whole.length, 10);
    assert.equal(parseFrameHead(whole)?.bodyBytes, bodyBytes);
    assert.throws(() => parseFrameHead(hex("85 01 03 01 00 5a 01fffff7")), faultOf("limit"));
    assert.throws(() => parseFrameHead(hex("85 01 03 01 00 5a ffffffff")), faultOf("limit"));
    assert.throws(() => parseFrameHead(hex("85 01 03 01 00 5b")), faultOf("limit"));
    assert.throws(() => parseFrame(new Uint8Array(FRAME_BYTES_MAX + 1)), faultOf("limit"));
  });

  it("that no reader would take are not written", () => {
    assert.throws(() => encodeFrameHead(RECORD_KINDS.contentPack, 1, 0, FRAME_BYTES_MAX - 9), AssertionFailure);
    assert.throws(() => encodeFrameHead(RECORD_KINDS.contentPack, 1, 2 ** 32, 1), AssertionFailure);
    assert.throws(() => encodeFrameHead(RECORD_KINDS.contentPack, 1, -1, 1), AssertionFailure);
  });

  it("of an unknown version or kind are a version fault, of a suite the kind does not have a format fault", () => {
    for (const text of ["85 02 03 01 00 40", "85 00 03 01 00 40", "85 01 00 01 00 40", "85 01 0a 01 00 40", "85 01 18 01 00 40"])
      assert.throws(() => parseFrame(hex(text)), faultOf("version"), text);
    for (const text of [
      "85 01 03 00 00 40",
      "85 01 03 03 00 40",
      "85 01 01 02 00 40",
      "85 01 02 01 00 40",
      "85 01 08 01 00 40",
      "85 01 09 02 00 40",
      "85 01 07 09 00 40",
    ])
      assert.throws(() => parseFrame(hex(text)), faultOf("format"), text);
    assert.equal(parseFrame(hex("85 01 03 02 00 40")).suite, 2);
  });

  it("with a suite of 0 have epoch 0", () => {
    for (const kind of ["02", "08", "09"]) assert.throws(() => parseFrame(hex(`85 01 ${kind} 00 01 40`)), faultOf("format"));
  });

  it("are refused when the form of a head is wrong", () => {
    for (const text of [
      "",
      "84 01 03 01 00",
      "86 01 03 01 00 40 00",
      "9f 01 03 01 00 40 ff",
      "40",
      "85 01 03 01 20 40",
      "85 01 03 01 00 60",
      "85 01 03 01 00 5f ff",
      "85 01 03 01 00 80",
      "85 01 03 01 1800 40",
      "85 01 03 01 00 5800",
      "85 01 03 01 00 590001 00",
      "85 01 03 01 f6 40",
      "85 01 03 01 00 f6",
    ]) {
      assert.throws(() => parseFrame(hex(text)), faultOf("format"), text);
    }
    assert.throws(() => parseFrame(hex("85 01 03 01 1b 0000000100000000 40")), faultOf("limit"));
  });

  it("are refused with bytes missing or left over", () => {
    const frame = encodeFrame(7, 1, 0, Uint8Array.of(1, 2, 3));
    for (let length = 0; length < frame.length; length++) assert.throws(() => parseFrame(frame.subarray(0, length)), faultOf("format"));
    assert.throws(() => parseFrame(concatBytes(frame, Uint8Array.of(0))), faultOf("format"));
  });

  it("give their body as a view and their kind on demand", () => {
    const frame = encodeFrame(7, 1, 5, Uint8Array.of(1, 2, 3));
    const { body } = parseFrameOf(RECORD_KINDS.snapshot, frame);
    assert.equal(body.buffer, frame.buffer);
    assert.throws(() => parseFrameOf(RECORD_KINDS.config, frame), faultOf("integrity"));
  });

  for (const [name, kind] of Object.entries(RECORD_KINDS)) {
    it(`of kind ${name}: every flipped bit, cut and extension fails to parse or is another frame with another id`, () => {
      const frame = encodeFrame(kind, suiteOf(kind), 0, createSeededRandom(kind).bytes(30));
      const original = parseFrame(frame);
      const id = bytesToHex(testVerifier.sha256(frame));
      for (const damage of damages(frame)) {
        let parsed: ReturnType<typeof parseFrame>;
        try {
          parsed = parseFrame(damage.bytes);
        } catch (error) {
          assert.ok(isFault(error), damage.name);
          continue;
        }
        assert.notDeepEqual({ ...parsed, body: bytesToHex(parsed.body) }, { ...original, body: bytesToHex(original.body) }, damage.name);
        assert.notEqual(bytesToHex(testVerifier.sha256(damage.bytes)), id, damage.name);
      }
    });
  }
});
