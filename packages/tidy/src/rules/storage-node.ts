/**
 * The storage node never holds what opens a user's data. This follows the imports from its entry through every file that they reach,
 * types included, and refuses the files that handle vault keys, by whatever way they are reached.
 */
import type { Problem } from "../problem.ts";
import { type Project, resolveImport } from "../project.ts";

export const STORAGE_NODE_ENTRY = "apps/storage-node/src/main.ts";

/** Files that the storage node must not reach. */
const KEY_FILES = /^packages\/vault\/|^packages\/crypto\/src\/(key|slot)([./-]|$)/;

/** One problem per forbidden file, with the shortest way from the entry to it. */
export function checkStorageNode(project: Project): Problem[] {
  if (!project.files.has(STORAGE_NODE_ENTRY)) return [];
  const problems: Problem[] = [];
  const cameFrom = new Map<string, string | null>([[STORAGE_NODE_ENTRY, null]]);
  for (const path of cameFrom.keys()) {
    if (KEY_FILES.test(path)) {
      problems.push({ path: STORAGE_NODE_ENTRY, line: 1, rule: "storage-node", message: `reaches ${path}: ${wayTo(path, cameFrom).join(" -> ")}` });
      continue;
    }
    const file = project.files.get(path);
    for (const site of file?.imports ?? []) {
      const target = file === undefined ? null : resolveImport(project, file, site.specifier);
      if (target !== null && !cameFrom.has(target)) cameFrom.set(target, path); // A Map visits what is added while it is walked.
    }
  }
  return problems;
}

function wayTo(path: string, cameFrom: ReadonlyMap<string, string | null>): string[] {
  const way: string[] = [];
  for (let at: string | null = path; at !== null; at = cameFrom.get(at) ?? null) way.unshift(at);
  return way;
}
