import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isOneSequence } from "./der.ts";
import { encodePem, parseOnePem, parsePem } from "./pem.ts";

const LIMITS = { textBytesMax: 4096, blockCountMax: 2 };
const ONE = Uint8Array.from({ length: 100 }, (_, index) => index);

describe("pem", () => {
  it("reads back what it writes, for every length around a line", () => {
    for (let byteCount = 1; byteCount <= 100; byteCount++) {
      const pem = encodePem("CERTIFICATE", ONE.subarray(0, byteCount));
      assert.ok(pem.split("\n").every((line) => line.length <= 64));
      assert.deepEqual(parseOnePem("CERTIFICATE", pem, 4096), ONE.slice(0, byteCount));
    }
  });

  it("reads blocks in order, with Windows line ends and without a final newline", () => {
    const two = encodePem("CERTIFICATE", ONE) + encodePem("CERTIFICATE", ONE.subarray(0, 3));
    for (const text of [two, two.replaceAll("\n", "\r\n"), `\n${two.trimEnd()}`]) {
      assert.deepEqual(parsePem("CERTIFICATE", text, LIMITS), [ONE, ONE.slice(0, 3)]);
    }
    assert.deepEqual(parsePem("CERTIFICATE", " \n", LIMITS), []);
  });

  it("refuses what is not exactly that", () => {
    const pem = encodePem("CERTIFICATE", ONE);
    const bad = [
      "garbage",
      `${pem}garbage`,
      `garbage${pem}`,
      pem.replace("END CERTIFICATE", "END PRIVATE KEY"),
      pem.replaceAll("CERTIFICATE", "CRL"),
      pem.replace("AAEC", "AA-C"),
      pem.slice(0, -10),
      "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
      "-----BEGIN CERTIFICATE-----\n=\n-----END CERTIFICATE-----\n",
      pem + pem + pem,
      " ".repeat(4097),
    ];
    for (const text of bad) assert.throws(() => parsePem("CERTIFICATE", text, LIMITS), { name: "Fault", code: "format" }, text);
    assert.throws(() => parseOnePem("CERTIFICATE", "", 4096), { name: "Fault", code: "format" });
    assert.throws(() => parseOnePem("CERTIFICATE", pem + pem, 4096), { name: "Fault", code: "format" });
  });
});

describe("isOneSequence", () => {
  it("takes a sequence that fills its bytes, and nothing else", () => {
    const long = new Uint8Array(4 + 300);
    long.set([0x30, 0x82, 0x01, 0x2c]);
    for (const bytes of [Uint8Array.of(0x30, 0), Uint8Array.of(0x30, 1, 9), long]) assert.equal(isOneSequence(bytes), true);
    for (const bytes of [[], [0x30], [0x31, 0], [0x30, 1], [0x30, 0, 0], [0x30, 0x80, 0, 0], [0x30, 0x84, 0, 0], [0x30, 0xff, 1]]) {
      assert.equal(isOneSequence(Uint8Array.from(bytes)), false, String(bytes));
    }
  });
});
