import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { projectOf, short } from "../testing/projects.ts";
import { checkCycles, checkImports } from "./imports.ts";
import { checkStorageNode } from "./storage-node.ts";

describe("who may import whom", () => {
  it("a lower package may be imported, types and values alike", () => {
    const project = projectOf({
      "packages/vault/src/tree.ts": 'import { ONE } from "@holdfast/base";\nimport type { wrap } from "@holdfast/crypto";\nexport const x = ONE;\n',
    });
    assert.deepEqual(checkImports(project), []);
  });

  it("an upward import is refused, in each of its spellings", () => {
    const spellings = [
      'import "@holdfast/vault";',
      'import type { cut } from "@holdfast/vault";',
      'export * from "@holdfast/vault";',
      'const x = await import("@holdfast/vault");',
      'type X = import("@holdfast/vault").X;',
    ];
    for (const spelling of spellings) {
      const problems = checkImports(projectOf({ "packages/base/src/up.ts": `${spelling}\n` }));
      assert.deepEqual(short(problems), ["packages/base/src/up.ts:1 @holdfast/vault: base may not import it"], spelling);
    }
  });

  it("a name in a comment or a text is no import", () => {
    const project = projectOf({ "packages/base/src/words.ts": '// import "@holdfast/vault";\nexport const text = \'import "@holdfast/vault"\';\n' });
    assert.deepEqual(checkImports(project), []);
  });

  it("an entry of a package can be allowed without the package", () => {
    const problems = checkImports(
      projectOf({ "packages/pki/src/a.ts": 'import "@holdfast/crypto/hash";\nimport "@holdfast/crypto";\n', "packages/pki/package.json": "{}" }),
    );
    assert.deepEqual(short(problems), ["packages/pki/src/a.ts:2 @holdfast/crypto: pki may not import it, only @holdfast/crypto/hash"]);
  });

  it("apps do not import each other, nor by a path out of their folder", () => {
    const problems = checkImports(projectOf({ "apps/storage-node/src/a.ts": 'import "@holdfast/agent";\nimport "../../agent/src/index.ts";\n' }));
    assert.deepEqual(short(problems), [
      "apps/storage-node/src/a.ts:1 @holdfast/agent: storage-node may not import it",
      "apps/storage-node/src/a.ts:2 ../../agent/src/index.ts: leaves its package; import @holdfast/agent",
    ]);
  });

  it("the testkit is for tests only", () => {
    const problems = checkImports(
      projectOf({ "packages/vault/src/a.test.ts": 'import "@holdfast/testkit";\n', "packages/vault/src/a.ts": 'import "@holdfast/testkit";\n' }),
    );
    assert.deepEqual(short(problems), ["packages/vault/src/a.ts:1 @holdfast/testkit: vault may not import it"]);
  });

  it("a file or an entry that is not there is refused", () => {
    const problems = checkImports(projectOf({ "packages/vault/src/a.ts": 'import "./gone.ts";\nimport "./index";\nimport "@holdfast/crypto/gone";\n' }));
    assert.deepEqual(
      problems.map((problem) => problem.line),
      [1, 2, 3],
    );
  });
});

describe("cycles", () => {
  it("two files that need each other at run time are reported once", () => {
    const project = projectOf({ "packages/base/src/a.ts": 'import "./b.ts";\n', "packages/base/src/b.ts": 'import "./a.ts";\n' });
    assert.deepEqual(short(checkCycles(project)), [
      "packages/base/src/a.ts:1 cycle: packages/base/src/a.ts -> packages/base/src/b.ts -> packages/base/src/a.ts",
    ]);
  });

  it("types may refer to each other", () => {
    const project = projectOf({
      "packages/base/src/a.ts": 'import type { B } from "./b.ts";\nexport type A = B;\n',
      "packages/base/src/b.ts": 'import type { A } from "./a.ts";\nexport type B = A;\n',
    });
    assert.deepEqual(checkCycles(project), []);
  });
});

describe("what the storage node reaches", () => {
  it("the files of keys are found through other files and packages", () => {
    const project = projectOf({
      "apps/storage-node/src/main.ts": 'import "./routes.ts";\n',
      "apps/storage-node/src/routes.ts": 'import type { sha256 } from "@holdfast/crypto";\n',
    });
    assert.deepEqual(short(checkStorageNode(project)), [
      "apps/storage-node/src/main.ts:1 reaches packages/crypto/src/key.ts: apps/storage-node/src/main.ts -> apps/storage-node/src/routes.ts -> packages/crypto/src/index.ts -> packages/crypto/src/key.ts",
    ]);
  });

  it("a worker that is started by its address counts as reached", () => {
    const project = projectOf({
      "apps/storage-node/src/main.ts": 'new Worker(new URL("./worker.ts", import.meta.url));\n',
      "apps/storage-node/src/worker.ts": 'import "@holdfast/vault";\n',
    });
    assert.equal(checkStorageNode(project).length, 1);
  });

  it("a worker that is named by a text counts as reached, a type from its file is no cycle", () => {
    const main =
      'import type { Calls } from "./store-worker.ts";\nconst start = (file: string): Calls => new Worker(new URL(file, import.meta.url));\nstart("./store-worker.ts");\n';
    const worker = 'import "@holdfast/vault";\nexport type Calls = Worker;\n';
    const project = projectOf({ "apps/storage-node/src/main.ts": main, "apps/storage-node/src/store-worker.ts": worker });
    assert.equal(checkStorageNode(project).length, 1);
    const typesOnly = projectOf({
      "packages/base/src/a.ts": 'import type { B } from "./b-worker.ts";\nexport type A = B;\n',
      "packages/base/src/b-worker.ts": 'import "./a.ts";\nexport type B = 1;\n',
    });
    assert.deepEqual(checkCycles(typesOnly), []);
  });

  it("the entry for hashes alone reaches no key", () => {
    const project = projectOf({ "apps/storage-node/src/main.ts": 'import "@holdfast/crypto/hash";\n' });
    assert.deepEqual(checkStorageNode(project), []);
  });
});
