import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { AssertionFailure, type Bytes, bytesToHex, concatBytes, type FaultCode, hexToBytes, isFault, utf8 } from "@holdfast/base";
import { createSeededRandom } from "@holdfast/testkit";
import { type Canonical, decodeCanonical, decodeMessage, encodeCanonical, encodeMessage, readHead } from "./codec.ts";

interface Example {
  readonly diagnostic: string;
  readonly hex: string;
  readonly allowed: boolean;
  readonly value?: unknown;
}

const hex = (text: string): Bytes => hexToBytes(text.replaceAll(" ", "")) as Bytes;
const refuses = (bytes: Uint8Array, code: FaultCode, what?: string): void =>
  assert.throws(
    () => decodeCanonical(bytes),
    (error) => isFault(error, code),
    `${what ?? bytesToHex(bytes.subarray(0, 40))}: want ${code}`,
  );

describe("canonical CBOR", () => {
  const { examples } = JSON.parse(readFileSync(new URL("../vectors/rfc8949-appendix-a.json", import.meta.url), "utf8")) as { examples: Example[] };

  it("decodes and re-encodes the examples of RFC 8949 that are allowed, and refuses the others", () => {
    assert.equal(examples.length, 81);
    assert.equal(examples.filter((example) => example.allowed).length, 32);
    for (const { diagnostic, hex: text, allowed, value } of examples) {
      if (!allowed) {
        refuses(hex(text), "format", diagnostic);
        continue;
      }
      const decoded = decodeCanonical(hex(text));
      assert.deepEqual(decoded, fromJson(value), diagnostic);
      assert.equal(bytesToHex(encodeCanonical(decoded as Canonical)), text, diagnostic);
    }
  });

  it("refuses integers and lengths that are not in shortest form", () => {
    for (const text of [
      "1817",
      "190018",
      "1900ff",
      "1a0000ffff",
      "1b00000000ffffffff",
      "3817",
      "390018",
      "5800",
      "5801ff",
      "590001ff",
      "7801 61",
      "9801 00",
      "980000",
      "b800",
      "b801 00 00",
    ])
      refuses(hex(text), "format");
  });

  it("holds integers up to 2^53 - 1 of either sign and no further", () => {
    for (const value of [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0, 4_294_967_295, 4_294_967_296])
      assert.equal(decodeCanonical(encodeCanonical(value)), value);
    assert.equal(bytesToHex(encodeCanonical(Number.MAX_SAFE_INTEGER)), "1b001fffffffffffff");
    assert.equal(bytesToHex(encodeCanonical(-Number.MAX_SAFE_INTEGER)), "3b001ffffffffffffe");
    for (const text of ["1b0020000000000000", "1b0020000000000001", "1bffffffffffffffff", "3b001fffffffffffff", "3b0020000000000000", "3bffffffffffffffff"])
      refuses(hex(text), "format");
  });

  it("refuses map keys that come twice, out of order, or are not unsigned integers", () => {
    for (const text of ["a2 01 00 01 00", "a2 02 00 01 00", "a2 1818 00 17 00", "a1 20 00", "a1 41 01 00", "a1 80 00", "a1 f4 00", "a1 6161 00"])
      refuses(hex(text), "format");
    assert.deepEqual(
      decodeCanonical(hex("a2 17 00 1818 00")),
      new Map([
        [23, 0],
        [24, 0],
      ]),
    );
  });

  it("writes map keys in order, however the map was made", () => {
    const map = new Map([
      [300, 1],
      [24, 2],
      [1, 3],
      [70_000, 4],
    ]);
    assert.equal(bytesToHex(encodeCanonical(map)), "a4010318180219012c011a0001117004");
  });

  it("refuses bytes before, after and in place of an item", () => {
    for (const text of ["", "00 00", "f6 f6", "80 00", "ff", "1c", "1d", "1e", "1f", "dc", "fc", "f8 14", "f8 20"]) refuses(hex(text), "format");
  });

  it("refuses every truncation", () => {
    const whole = encodeCanonical(
      new Map<number, Canonical>([
        [1, [1_000, "text", Uint8Array.of(1, 2, 3)]],
        [2, new Map([[1, -70_000]])],
        [3, null],
      ]),
    );
    decodeCanonical(whole);
    for (let length = 0; length < whole.length; length++) refuses(whole.subarray(0, length), "format");
  });

  it("refuses declared lengths that the bytes do not hold, before it takes memory", () => {
    for (const text of [
      "9a ffffffff",
      "9b 0000000100000000",
      "ba ffffffff",
      "bb 0000000100000000",
      "5b 0020000000000000",
      "5b 001fffffffffffff",
      "9b 001fffffffffffff",
      "bb 001fffffffffffff",
      "7a ffffffff",
      "5a 7fffffff",
    ]) {
      refuses(hex(text), "format");
    }
  });

  it("takes 16 levels and refuses more, however many", () => {
    const nested = (head: number[], levels: number): Bytes =>
      Uint8Array.from({ length: levels * head.length + 1 }, (_, index) => (index < levels * head.length ? (head[index % head.length] as number) : 0));
    for (const head of [[0x81], [0xa1, 0x00]]) {
      decodeCanonical(nested(head, 16));
      for (const levels of [17, 20_000, 500_000]) refuses(nested(head, levels), "limit", `${levels} levels`);
    }
    refuses(new Uint8Array(20_000).fill(0x9f), "format");
    refuses(new Uint8Array(20_000).fill(0xc1), "format");
  });

  it("refuses text that is not UTF-8", () => {
    for (const text of ["61 ff", "61 80", "62 c3 28", "63 ed a0 80", "62 c0 80", "64 f4 90 80 80", "61 c3"]) refuses(hex(text), "format");
  });

  it("keeps texts as they are: byte-order mark, zero byte, __proto__", () => {
    for (const text of ["\ufeff", "\ufeffa", "a\ufeff", "\0", "__proto__", "constructor", `\ufeff${"x".repeat(300)}`]) {
      const encoded = encodeCanonical(text);
      assert.deepEqual(encoded.subarray(-utf8(text).length), utf8(text));
      assert.equal(decodeCanonical(encoded), text);
    }
  });

  it("decodes byte strings to plain arrays of their own", () => {
    const source = hex("83 43 010203 40 44 0a0b0c0d");
    const [first, empty] = decodeCanonical(source) as Uint8Array[];
    source.fill(0);
    assert.deepEqual(first, Uint8Array.of(1, 2, 3));
    assert.equal(Object.getPrototypeOf(first), Uint8Array.prototype);
    assert.equal(empty?.length, 0);
  });

  it("encodes into memory of its own", () => {
    const first = encodeCanonical([1, 2, 3]);
    const copy = first.slice();
    encodeCanonical([9, 9, 9]);
    assert.deepEqual(first, copy);
    for (const byteCount of [3, 100, 5_000, 100_000]) {
      for (const bytes of [encodeCanonical([new Uint8Array(byteCount), "text", 1]), encodeMessage({ bytes: new Uint8Array(byteCount), text: "text" })]) {
        assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
        assert.equal(bytes.byteLength, bytes.buffer.byteLength);
      }
    }
  });

  it("asserts that it writes nothing that it would not read", () => {
    let deep: Canonical = 0;
    for (let level = 0; level < 17; level++) deep = [deep];
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -(2 ** 53), deep, new Map([["a", 1]]) as never, new Map([[-1, 1]])]) {
      assert.throws(() => encodeCanonical(value), AssertionFailure);
    }
  });

  it("reads only what re-encodes to the same bytes, whatever bytes come", () => {
    const random = createSeededRandom(8949);
    const seeds = [
      encodeCanonical([1, "ab", Uint8Array.of(1, 2), null, true]),
      encodeCanonical(
        new Map<number, Canonical>([
          [1, 500],
          [2, [-1, 24]],
          [30, "ü"],
        ]),
      ),
    ];
    let accepted = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = round % 2 === 0 ? random.bytes(1 + random.below(6)) : (random.pick(seeds).slice() as Bytes);
      bytes[random.below(bytes.length)] = random.below(256);
      let value: unknown;
      try {
        value = decodeCanonical(bytes);
      } catch (error) {
        assert.ok(isFault(error, "format") || isFault(error, "limit"), `${bytesToHex(bytes)}: ${String(error)}`);
        continue;
      }
      accepted++;
      assert.equal(bytesToHex(encodeCanonical(value as Canonical)), bytesToHex(bytes));
    }
    assert.ok(accepted > 1_000, `only ${accepted} accepted: the test proves little`);
  });

  it("reads heads with their offset", () => {
    assert.deepEqual(readHead(hex("ff 19 0100"), 1), { major: 0, value: 256, next: 4 });
    assert.throws(
      () => readHead(hex("19 01"), 0),
      (error) => isFault(error, "format"),
    );
  });
});

describe("messages", () => {
  const refusesMessage = (bytes: Uint8Array, code: FaultCode): void =>
    assert.throws(
      () => decodeMessage(bytes),
      (error) => isFault(error, code),
      bytesToHex(bytes.subarray(0, 40)),
    );

  it("decode what they encode", () => {
    const message = {
      text: "ü",
      bytes: Uint8Array.of(1, 2),
      time: 1_760_000_000_000,
      big: Number.MAX_SAFE_INTEGER,
      negative: -5,
      fraction: -1.25,
      list: [1, { a: null }],
      yes: true,
    };
    const decoded = decodeMessage(encodeMessage(message)) as typeof message;
    assert.deepEqual({ ...decoded, bytes: new Uint8Array(decoded.bytes) }, message);
    const long = { text: "y".repeat(70_000), bytes: createSeededRandom(1).bytes(70_000) };
    const decodedLong = decodeMessage(encodeMessage(long)) as typeof long;
    assert.equal(decodedLong.text, long.text);
    assert.deepEqual(new Uint8Array(decodedLong.bytes), long.bytes);
  });

  it("are encoded into memory of their own", () => {
    const first = encodeMessage({ a: 1 });
    const copy = first.slice();
    encodeMessage({ a: 2 });
    assert.deepEqual(first, copy);
  });

  it("are refused with tags, indefinite lengths, keys that are no texts, wrong UTF-8 and simple values", () => {
    for (const text of [
      "c1 00",
      "a1 6161 c0 60",
      "9f ff",
      "bf ff",
      "5f ff",
      "a1 01 00",
      "a1 41 61 00",
      "61 ff",
      "f0",
      "f7",
      "f8 20",
      "f9 3c00",
      "1817",
      "",
      "00 00",
      "a1",
      "a1 6161",
      "d9dfff 80",
      "d8 40 41 00",
      "c2 41 01",
      "a2 6161 00 6161 01",
    ])
      refusesMessage(hex(text), "format");
  });

  it("are refused before memory is taken for declared lengths", () => {
    for (const text of ["9a ffffffff", "9b 0020000000000000", "5b 0020000000000000", "5a 7fffffff", "ba ffffffff", "7a ffffffff"])
      refusesMessage(hex(text), "format");
  });

  it("are refused when they are nested too deep or too long", () => {
    for (const levels of [17, 20_000, 1_000_000]) refusesMessage(concatBytes(new Uint8Array(levels).fill(0x81), Uint8Array.of(0)), "limit");
    assert.throws(
      () => decodeMessage(new Uint8Array(11), 10),
      (error) => isFault(error, "limit"),
    );
  });

  it("cannot reach a prototype by a key", () => {
    refusesMessage(concatBytes(hex("a1 69"), utf8("__proto__"), hex("a1 67"), utf8("isAdmin"), hex("f5")), "format");
    const decoded = decodeMessage(concatBytes(hex("a1 68"), utf8("toString"), hex("f5"))) as Record<string, unknown>;
    assert.equal(Object.hasOwn(decoded, "toString"), true);
  });

  it("leave out fields that are undefined", () => {
    assert.equal(bytesToHex(encodeMessage({ a: undefined, b: 1 })), "a1616201");
  });
});

/** The value that the JSON of the vectors stands for. */
function fromJson(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(fromJson);
  if (json === null || typeof json !== "object") return json;
  if ("bytes" in json) return hex(json.bytes as string);
  return new Map((json as { map: [number, unknown][] }).map.map(([key, value]) => [key, fromJson(value)]));
}
