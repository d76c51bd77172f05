import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { createSeededRandom } from "@holdfast/testkit";
import { type ClientHelloOptions, encodeClientHello, encodeSsl2ClientHello } from "./client-hello.ts";

const hexOf = (options: Omit<ClientHelloOptions, "random">): string => bytesToHex(encodeClientHello({ ...options, random: createSeededRandom(1) }));
const randomHex = (...counts: number[]): string[] => {
  const random = createSeededRandom(1);
  return counts.map((count) => bytesToHex(random.bytes(count)));
};

describe("a client hello", () => {
  it("of SSL 3 has no extension, and every length fits", () => {
    const [random] = randomHex(32);
    assert.equal(hexOf({ wireVersion: 0x0300, suites: [0x0004, 0x000a] }), `160300002f0100002b0300${random}0000040004000a0100`);
  });

  it("of TLS 1.3 names version 1.3 and a key of X25519, and carries a session id", () => {
    const [key] = randomHex(32); // Drawn first, as the extensions are.
    const hex = hexOf({ wireVersion: 0x0304, suites: [0x1301] });
    assert.match(hex, /^160301....01......0303.{64}20.{64}000213010100/);
    assert.ok(hex.includes("002b0003020304"));
    assert.ok(hex.endsWith(`0033002600240 01d0020${key}`.replace(" ", "")));
  });

  it("names the server only by a DNS name", () => {
    const suites = [0xc02f];
    const name = (serverName: string): boolean => hexOf({ wireVersion: 0x0303, suites, serverName }).includes(bytesToHex(new TextEncoder().encode(serverName)));
    assert.deepEqual(
      ["backup.example.org", "localhost", "127.0.0.1", "::1", "a b", ""].map((text) => text !== "" && name(text)),
      [true, true, false, false, false, false],
    );
  });

  it("is one record with lengths that add up, in every version", () => {
    for (const wireVersion of [0x0300, 0x0301, 0x0302, 0x0303, 0x0304]) {
      const bytes = encodeClientHello({
        wireVersion,
        suites: Array.from({ length: 300 }, (_, code) => code),
        serverName: "a.example",
        random: createSeededRandom(2),
      });
      const view = new DataView(bytes.buffer);
      assert.deepEqual([view.getUint16(3), view.getUint16(7)], [bytes.length - 5, bytes.length - 9]);
    }
  });

  it("refuses no suites, too many, and versions that are none", () => {
    const refused = { name: "Fault", code: "input" };
    for (const suites of [[], Array.from({ length: 2049 }, () => 1)]) assert.throws(() => hexOf({ wireVersion: 0x0303, suites }), refused);
    for (const wireVersion of [0x0002, 0x0305]) assert.throws(() => hexOf({ wireVersion, suites: [1] }), refused);
  });

  it("of SSL 2 follows the old draft", () => {
    const [challenge] = randomHex(16);
    const suites = "0100800200800300800400800500800600400700c0";
    assert.equal(bytesToHex(encodeSsl2ClientHello(createSeededRandom(1))), `802e010002001500000010${suites}${challenge}`);
  });
});
