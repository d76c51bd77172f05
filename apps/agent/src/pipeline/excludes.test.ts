import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { createExcludeRules } from "./excludes.ts";

const matches = (patterns: readonly string[], path: string, isFolder = false): boolean => createExcludeRules(patterns).matches(utf8(path), isFolder);

describe("exclude rules", () => {
  it("leave nothing out without patterns", () => {
    assert.equal(matches([], "/srv/a"), false);
  });

  it("follow gitignore: a name anywhere, a slash anchors, a slash at the end means folders, later rules win", () => {
    assert.equal(matches(["*.tmp"], "/srv/a/b.tmp"), true);
    assert.equal(matches(["/var/cache"], "/var/cache"), true);
    assert.equal(matches(["/var/cache"], "/srv/var/cache"), false);
    assert.equal(matches(["cache/"], "/srv/cache", true), true);
    assert.equal(matches(["cache/"], "/srv/cache", false), false);
    assert.equal(matches(["*.log", "!keep.log"], "/data/keep.log"), false);
    assert.equal(matches(["**/node_modules"], "/a/b/node_modules", true), true);
    assert.equal(matches(["# a comment", "", "x"], "/x"), true);
  });

  it("never leaves out the root itself", () => {
    assert.equal(matches(["*"], "/", true), false);
  });

  it("takes names that are not UTF-8 and names that look like steps", () => {
    const rules = createExcludeRules(["*.tmp"]);
    assert.equal(rules.matches(Uint8Array.of(0x2f, 0xff, 0xfe), false), false);
    assert.equal(rules.matches(utf8("/..a/...b.tmp"), false), true);
  });
});
