import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createProject } from "../project.ts";
import { manifestText, projectOf, short } from "../testing/projects.ts";
import { checkHygiene } from "./hygiene.ts";
import { checkLength } from "./length.ts";
import { checkLinks } from "./links.ts";
import { checkManifests } from "./manifests.ts";
import { checkWords } from "./words.ts";

const fileOf = (path: string, text: string) => createProject(new Map([[path, text]]));

describe("banned words", () => {
  const accepted = [
    "id BLOB NOT NULL",
    'dataType: () => "blob"',
    'import { blob } from "drizzle-orm/sqlite-core";',
    "// restic prune took longer",
    '.alias("prune")',
  ];
  for (const line of accepted) it(`accepts ${line}`, () => assert.deepEqual(checkWords(fileOf("packages/base/src/a.txt.md", line)), []));

  const refused = ["const blobId = 1;", "function prunePacks() {}", "pruning old packs", "writes a blob"];
  for (const line of refused) it(`refuses ${line}`, () => assert.equal(checkWords(fileOf("docs/page.md", `\n${line}`))[0]?.line, 2));
});

describe("length", () => {
  const longFunction = (lineCount: number) => `export function long() {\n${"  go();\n".repeat(lineCount - 2)}}\n`;

  it("a function of 70 lines fits, one of 71 does not", () => {
    assert.deepEqual(checkLength(fileOf("packages/base/src/a.ts", longFunction(70))), []);
    assert.deepEqual(short(checkLength(fileOf("packages/base/src/a.ts", longFunction(71)))), ["packages/base/src/a.ts:1 long: 71 lines, at most 70"]);
  });

  it("a file of 400 lines fits, one of 401 does not", () => {
    assert.deepEqual(checkLength(fileOf("packages/base/src/a.ts", "go();\n".repeat(400))), []);
    assert.deepEqual(short(checkLength(fileOf("packages/base/src/a.ts", "go();\n".repeat(401)))), ["packages/base/src/a.ts:1 file: 401 lines, at most 400"]);
  });

  it("tests and migrations may be longer", () => {
    for (const path of ["packages/base/src/a.test.ts", "apps/storage-node/src/migrations/one.ts"])
      assert.deepEqual(checkLength(fileOf(path, longFunction(500))), []);
  });
});

describe("hygiene", () => {
  // Put together here, so that this file holds none of what it refuses.
  const refused = [
    `see ${["", "work", "main", "x"].join("/")}`,
    "cd /home/someone/x",
    `https://${["registry", "npmjs", "org"].join(".")}/x`,
    "// TODO: later",
    '"resolved": "https://x/y.tgz"',
    "facts: ../facts/runtime.md",
  ];
  for (const line of refused) it(`refuses ${line}`, () => assert.equal(checkHygiene(fileOf("docs/a.md", line)).length, 1));

  const accepted = ["TODO(#12): later", "apps/work/main", '"resolved": "packages/base"', "/var/lib/holdfast"];
  for (const line of accepted) it(`accepts ${line}`, () => assert.deepEqual(checkHygiene(fileOf("docs/a.md", line)), []));

  it("a test alone, and a test switched off without a word, are refused", () => {
    const text =
      'it.only("a", () => {});\nit.skip("b", () => {});\n// Needs a terminal.\nit.skip("c", () => {});\nit("d", { skip: true }, () => {});\nit("e", { skip: "no such runtime" }, () => {});\n';
    const problems = checkHygiene(fileOf("packages/base/src/a.test.ts", text));
    assert.deepEqual(
      problems.map((problem) => problem.line),
      [1, 2, 5],
    );
  });
});

describe("manifests", () => {
  it("a range of versions and a package that is not declared are refused", () => {
    const manifest = manifestText("vault", { ".": "./src/index.ts" }, { zod: "^4.6.7" });
    const project = projectOf({
      "packages/vault/package.json": manifest,
      "packages/vault/src/a.ts": 'import "zod";\nimport "@holdfast/base";\nimport "node:fs";\n',
    });
    assert.deepEqual(short(checkManifests(project)), [
      "packages/vault/package.json:1 zod: want an exact version, got ^4.6.7",
      "packages/vault/package.json:1 @holdfast/base: imported by packages/vault/src/a.ts but not declared",
    ]);
  });

  it("a lock that npm ci would refuse is refused", () => {
    const packages = { "node_modules/t": { optionalDependencies: { "@t/a": "1.0.0", "@t/b": "1.0.0" } }, "node_modules/@t/a": {} };
    const problems = checkManifests(projectOf({ "package-lock.json": JSON.stringify({ packages }) }));
    assert.deepEqual(short(problems), ["package-lock.json:1 @t/b: wanted by node_modules/t, but has no entry; run npm run lock"]);
  });

  it("a workspace whose tests turbo would pass over is refused", () => {
    const problems = checkManifests(projectOf({ "packages/vault/package.json": '{ "scripts": { "types": "tsc -p ." } }' }));
    assert.deepEqual(short(problems), ['packages/vault/package.json:1 scripts: test, want "node ../../integration/tools/test-runner.mjs --here"']);
  });
});

describe("links", () => {
  it("only links to files that are not there are reported", () => {
    const project = fileOf("docs/a.md", "[one](b.md#part) [two](../README.md) [three](https://example.org/x) [four](gone.md)");
    const problems = checkLinks(project, (path) => ["docs/b.md", "README.md"].includes(path));
    assert.deepEqual(short(problems), ["docs/a.md:1 gone.md: there is no such file"]);
  });
});
