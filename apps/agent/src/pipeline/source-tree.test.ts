import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8, utf8ToText } from "@holdfast/base";
import { createSourceTree, type SourceNode, splitPath } from "./source-tree.ts";

function show(node: SourceNode): unknown {
  return [`${utf8ToText(node.name)}${node.isSource ? "*" : ""}`, ...node.children.map(show)];
}

const tree = (...paths: string[]): unknown => show(createSourceTree(paths.map(utf8)));

describe("source tree", () => {
  it("keeps the folders above a source, in order of names", () => {
    assert.deepEqual(tree("/srv/www", "/etc", "/srv/a"), ["", ["etc*"], ["srv", ["a*"], ["www*"]]]);
  });

  it("takes a path below another one as part of it, whichever comes first", () => {
    assert.deepEqual(tree("/srv", "/srv/www"), ["", ["srv*"]]);
    assert.deepEqual(tree("/srv/www", "/srv"), ["", ["srv*"]]);
  });

  it("takes the root as everything", () => {
    assert.deepEqual(tree("/etc", "/"), ["*"]);
  });

  it("ignores slashes that say nothing", () => {
    assert.deepEqual(tree("//srv///www/"), ["", ["srv", ["www*"]]]);
    assert.deepEqual(splitPath(utf8("/")), []);
  });

  it("refuses a path that is not absolute", () => {
    assert.throws(() => tree("srv"), { name: "Fault", code: "input" });
  });
});
