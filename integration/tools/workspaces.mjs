/** The workspaces of the repository and their test files. */
import { existsSync, readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { ROOT, RUNTIME_NAMES } from "./runtimes.mjs";

const NEVER_ENTERED = new Set(["node_modules", "dist", ".build", ".turbo", ".git"]);

/** Workspaces that do not run everywhere; all others are tested under every runtime. */
const RUNTIMES_OF = {
  "storage-node": ["bun"], // The program for storage nodes is a Bun program.
  tidy: ["bun", "node24"], // A tool for developers.
};

/** `{ name, folder, runtimes }` of every workspace, packages first. */
export function findWorkspaces() {
  const folders = ["packages", "apps"].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .sort()
      .map((name) => join(ROOT, parent, name)),
  );
  return [...folders, join(ROOT, "integration")].filter((folder) => existsSync(join(folder, "package.json"))).map(workspaceAt);
}

/** The workspace in `folder`. */
export function workspaceAt(folder) {
  const name = basename(folder);
  return { name, folder, runtimes: RUNTIMES_OF[name] ?? RUNTIME_NAMES };
}

/** Paths of `*.test.ts` under `folder`, relative to it, sorted. */
export function findTestFiles(folder) {
  const found = [];
  const waiting = [folder];
  while (waiting.length > 0) {
    const current = waiting.pop();
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      if (entry.isDirectory() && !NEVER_ENTERED.has(entry.name)) waiting.push(join(current, entry.name));
      else if (entry.isFile() && entry.name.endsWith(".test.ts")) found.push(relative(folder, join(current, entry.name)));
    }
  }
  return found.sort();
}
