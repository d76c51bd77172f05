/** The workspaces of the repository and their test files. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { ROOT, RUNTIME_NAMES } from "./runtimes.mjs";

const NEVER_ENTERED = new Set(["node_modules", "dist", ".build", ".turbo", ".git"]);

/** `{ name, folder, runtimes }` of every workspace, packages first. */
export function findWorkspaces() {
  const folders = ["packages", "apps"].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .sort()
      .map((name) => join(ROOT, parent, name)),
  );
  return [...folders, join(ROOT, "integration")].filter((folder) => existsSync(join(folder, "package.json"))).map(workspaceAt);
}

/** The workspace in `folder`. Without `holdfast.runtimes` in its package.json its tests run under every runtime. */
export function workspaceAt(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return { name: basename(folder), folder, runtimes: manifest.holdfast?.runtimes ?? RUNTIME_NAMES };
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
