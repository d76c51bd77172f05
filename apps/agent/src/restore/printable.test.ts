import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { printable } from "./printable.ts";

describe("printable", () => {
  it("leaves plain text alone", () => {
    for (const text of ["file.txt", "häuser/寿司 🍣", "a b"]) assert.equal(printable(utf8(text)), text);
  });

  it("escapes what could command a terminal or turn the direction of text", () => {
    assert.equal(printable(utf8("\x1b[2Jx\ny\x7f")), "\\x1b[2Jx\\x0ay\\x7f");
    assert.equal(printable(utf8("a\u202eb")), "a\\xe2\\x80\\xaeb");
    assert.equal(printable(utf8("\u009b31m")), "\\xc2\\x9b31m");
  });

  it("escapes bytes that are not UTF-8 and keeps the characters around them", () => {
    assert.equal(printable(Uint8Array.of(0xc3, 0xa4, 0xff, 0x61, 0xe2, 0x82)), "ä\\xffa\\xe2\\x82");
  });

  it("gives different names different texts", () => {
    assert.notEqual(printable(utf8("\\x1b")), printable(Uint8Array.of(0x1b)));
  });
});
