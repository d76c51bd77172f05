/** Small projects for the tests of the rules. */
import type { Problem } from "../problem.ts";
import { createProject, type Project } from "../project.ts";

const SCRIPTS = { types: "tsc -p .", test: "node ../../integration/tools/test-runner.mjs --here" };

/** Packages with the entries that the tests import; `texts` come on top. */
export function projectOf(texts: Readonly<Record<string, string>>): Project {
  const base = { "packages/base/package.json": manifestText("base", { ".": "./src/index.ts" }), "packages/base/src/index.ts": "export const ONE = 1;\n" };
  const crypto = {
    "packages/crypto/package.json": manifestText("crypto", { ".": "./src/index.ts", "./hash": "./src/hash.ts" }, { "@holdfast/base": "0.1.0" }),
    "packages/crypto/src/index.ts": 'export { wrap } from "./key.ts";\nexport { sha256 } from "./hash.ts";\n',
    "packages/crypto/src/key.ts": "export const wrap = 1;\n",
    "packages/crypto/src/hash.ts": "export const sha256 = 1;\n",
  };
  const vault = { "packages/vault/package.json": manifestText("vault", { ".": "./src/index.ts" }), "packages/vault/src/index.ts": "export const cut = 1;\n" };
  const testkit = {
    "packages/testkit/package.json": manifestText("testkit", { ".": "./src/index.ts" }),
    "packages/testkit/src/index.ts": "export const fake = 1;\n",
  };
  const apps = {
    "apps/agent/package.json": manifestText("agent", { ".": "./src/index.ts" }),
    "apps/agent/src/index.ts": "export const run = 1;\n",
    "apps/storage-node/package.json": manifestText("storage-node", { ".": "./src/index.ts" }),
  };
  return createProject(new Map(Object.entries({ ...base, ...crypto, ...vault, ...testkit, ...apps, ...texts })));
}

export function manifestText(name: string, exports: Readonly<Record<string, string>>, dependencies: Readonly<Record<string, string>> = {}): string {
  return JSON.stringify({ name: `@holdfast/${name}`, exports, scripts: SCRIPTS, dependencies });
}

/** `path:line message` of each problem, for comparing in one go. */
export function short(problems: readonly Problem[]): string[] {
  return problems.map((problem) => `${problem.path}:${problem.line} ${problem.message}`);
}
