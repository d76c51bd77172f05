/** The project's own checker: `bun packages/tidy/src/main.ts [root]`. Prints one line per problem and exits 1 when there is any. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { ALLOWED_PATH, applyExceptions, type Exception } from "./allowed.ts";
import { compareProblems, type Problem, problemToText } from "./problem.ts";
import { loadProject } from "./project.ts";
import { checkEnvironment } from "./rules/environment.ts";
import { checkHygiene } from "./rules/hygiene.ts";
import { checkCycles, checkImports } from "./rules/imports.ts";
import { checkLength } from "./rules/length.ts";
import { checkLimits, LIMITS_PATH } from "./rules/limits.ts";
import { checkLinks } from "./rules/links.ts";
import { checkManifests } from "./rules/manifests.ts";
import { checkStorageNode } from "./rules/storage-node.ts";
import { checkWords } from "./rules/words.ts";

const root = resolve(process.argv[2] ?? ".");
const project = loadProject(root);

const problems: Problem[] = [
  ...project.broken,
  ...checkImports(project),
  ...checkCycles(project),
  ...checkStorageNode(project),
  ...checkWords(project),
  ...checkLength(project),
  ...checkEnvironment(project),
  ...checkLimits(project, await readLimits()),
  ...checkHygiene(project),
  ...checkManifests(project),
  ...checkLinks(project, (path) => existsSync(join(root, path))),
];

const exceptions = JSON.parse(readFileSync(join(root, ALLOWED_PATH), "utf8")) as Exception[];
const left = applyExceptions(problems, exceptions).sort(compareProblems);
for (const problem of left) console.log(problemToText(problem));
console.log(`tidy: files ${project.files.size}, exceptions ${exceptions.length}, problems ${left.length}`);
process.exitCode = left.length > 0 ? 1 : 0;

/** The numbers of limits.ts by importing it, because they are written as products and sums. */
async function readLimits(): Promise<Record<string, unknown>> {
  if (!project.files.has(LIMITS_PATH)) return {};
  return (await import(pathToFileURL(join(root, LIMITS_PATH)).href)) as Record<string, unknown>;
}
