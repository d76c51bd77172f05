import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createProject } from "../project.ts";
import { checkEnvironment } from "./environment.ts";

const problemsOf = (path: string, text: string) => checkEnvironment(createProject(new Map([[path, text]])));

describe("environment", () => {
  const hidden = [
    "export const now = Date.now();",
    "export const now = new Date();",
    "export const now = globalThis.performance.now();",
    "export const chance = Math.random();",
    "crypto.getRandomValues(bytes);",
    'import { readFileSync } from "node:fs";',
    'import { connect } from "node:net";',
    'import { randomBytes } from "node:crypto";',
  ];
  for (const line of hidden) {
    it(`refuses in the agent: ${line}`, () => assert.equal(problemsOf("apps/agent/src/scan.ts", line).length, 1));
    it(`accepts in an adapter: ${line}`, () => {
      for (const path of ["apps/agent/src/platform/disk.ts", "packages/pki/src/key-file-node.ts", "apps/agent/src/scan.test.ts"])
        assert.deepEqual(problemsOf(path, line), []);
    });
  }

  for (const line of ["const bytes = Buffer.from(x);", "process.exit(1);", 'import { createHash } from "node:crypto";', "const x = { process };"]) {
    it(`refuses in a package that browsers run: ${line}`, () => assert.equal(problemsOf("packages/vault/src/tree.ts", line).length, 1));
    it(`accepts in the agent: ${line}`, () => assert.deepEqual(problemsOf("apps/agent/src/scan.ts", line), []));
  }

  for (const line of [
    "step.process(1);",
    "export interface Step { process(): void }",
    "const x = { process: 1 };",
    "export const day = new Date(atMs);",
    "// Date.now() is in the port",
  ]) {
    it(`accepts everywhere: ${line}`, () => assert.deepEqual(problemsOf("packages/vault/src/tree.ts", line), []));
  }
});
