import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHostName, toHostName } from "./host-name.ts";

describe("host names", () => {
  it("have one canonical form", () => {
    const forms: [string, string, string][] = [
      ["Example.ORG", "dns", "example.org"],
      ["example.org.", "dns", "example.org"],
      ["localhost", "dns", "localhost"],
      ["a_b-c.example", "dns", "a_b-c.example"],
      ["xn--bcher-kva.example", "dns", "xn--bcher-kva.example"],
      ["192.168.0.1", "ip", "192.168.0.1"],
      ["::1", "ip", "::1"],
      ["[::1]", "ip", "::1"],
      ["2001:0DB8:0:0::0001", "ip", "2001:db8::1"],
    ];
    for (const [text, kind, value] of forms) assert.deepEqual(parseHostName(text), { kind, value }, text);
  });

  it("are not guessed at", () => {
    const long = `${"a".repeat(63)}.`.repeat(4);
    const bad = [
      "",
      ".",
      "*.example.org",
      "a..b",
      "-a.example",
      "a-.example",
      "bücher.example",
      "a b",
      "a/b",
      "a:80",
      "256.1.1.1",
      "1.2.3",
      "0x7f.1",
      "fe80::1%eth0",
      "[a]",
      "::g",
      "1::2::3",
      long,
      "a".repeat(64),
    ];
    for (const text of bad) {
      assert.equal(toHostName(text), null, text);
      assert.throws(() => parseHostName(text), { name: "Fault", code: "input" });
    }
  });
});
