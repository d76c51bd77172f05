import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertDefined, hexToBytes } from "@holdfast/base";
import { fingerprintWords } from "./fingerprint-words.ts";

const bytesOf = (hex: string) => assertDefined(hexToBytes(hex), "hex");

/** Test vectors of the reference implementation of BIP-39: github.com/trezor/python-mnemonic, vectors.json. */
const VECTORS: readonly [hex: string, words: string][] = [
  ["00000000000000000000000000000000", "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"],
  ["7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f", "legal winner thank year wave sausage worth useful legal winner thank yellow"],
  ["80808080808080808080808080808080", "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"],
  ["ffffffffffffffffffffffffffffffff", "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"],
  ["9e885d952ad362caeb4efe34a8e91bd2", "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic"],
];

describe("fingerprint words", () => {
  it("are those of the published vectors", () => {
    for (const [hex, words] of VECTORS) assert.equal(fingerprintWords(bytesOf(hex)), words);
  });

  it("of a hash are those of its first half", () => {
    for (const [hex, words] of VECTORS) assert.equal(fingerprintWords(bytesOf(`${hex}00112233445566778899aabbccddeeff`)), words);
  });

  it("change with any bit of the first half", () => {
    const words = fingerprintWords(new Uint8Array(16));
    for (let bit = 0; bit < 128; bit++) {
      const other = new Uint8Array(16);
      other[bit >> 3] = 0x80 >> (bit & 7);
      assert.notEqual(fingerprintWords(other), words, `bit ${bit}`);
    }
  });

  it("are made of nothing but a hash", () => {
    for (const byteCount of [0, 15, 17, 20, 31, 33, 64]) assert.throws(() => fingerprintWords(new Uint8Array(byteCount)), `${byteCount} bytes`);
  });
});
