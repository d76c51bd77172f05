/** Our CBOR against `cbor-x`, an implementation that we did not write: each reads what the other wrote. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSeededRandom } from "@holdfast/testkit";
import { decodeCanonical, decodeMessage, encodeCanonical, encodeMessage } from "./codec.ts";

// Its native string reader fails under Bun on short texts already, and on long ones ends the process (docs/decisions/0010).
process.env.CBOR_NATIVE_ACCELERATION_DISABLED = "true";
const { Decoder, Encoder } = await import("cbor-x");

const OPTIONS = { useRecords: false, structuredClone: false, tagUint8Array: false, variableMapSize: true, mapsAsObjects: true };
const encoder = new Encoder(OPTIONS);
const decoder = new Decoder(OPTIONS);
const CASES = 100;

describe("codec beside cbor-x", () => {
  const random = createSeededRandom(8);
  const below = (end: number): number => ((random.bytes(1)[0] as number) * end) >> 8;

  /** A message of what messages hold. Integers stay below 2^31: above, `cbor-x` writes floats. */
  function message(depth: number): Record<string, unknown> {
    const value = (): unknown => {
      const kind = below(depth > 0 ? 7 : 5);
      if (kind === 0) return below(256) * 8_388_607;
      if (kind === 1) return "täxt ✓ ".repeat(below(9));
      if (kind === 2) return new Uint8Array(random.bytes(below(250)));
      if (kind === 3) return below(2) === 0;
      if (kind === 4) return null;
      if (kind === 5) return Array.from({ length: below(6) }, () => message(depth - 1));
      return message(depth - 1);
    };
    return Object.fromEntries(Array.from({ length: below(9) }, (_, index) => [`field${index}`, value()]));
  }

  /** Plain bytes: `cbor-x` gives Buffers, ours are views. */
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return [...value];
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]));
  };

  it("reads the messages that cbor-x writes", () => {
    for (let index = 0; index < CASES; index++) {
      const wanted = message(2);
      assert.deepEqual(plain(decodeMessage(new Uint8Array(encoder.encode(wanted)))), plain(wanted));
    }
  });

  it("writes messages that cbor-x reads", () => {
    for (let index = 0; index < CASES; index++) {
      const wanted = message(2);
      assert.deepEqual(plain(decoder.decode(encodeMessage(wanted))), plain(wanted));
    }
  });

  it("writes and reads canonical arrays as cbor-x does, where that is canonical", () => {
    for (let index = 0; index < CASES; index++) {
      const wanted = [below(256) * 8_388_607, "x".repeat(below(40)), new Uint8Array(random.bytes(below(200))), [true, null, -1 - below(200)]];
      const bytes = encodeCanonical(wanted);
      assert.deepEqual(new Uint8Array(encoder.encode(wanted)), new Uint8Array(bytes));
      assert.deepEqual(plain(decodeCanonical(bytes)), plain(wanted));
    }
  });
});
