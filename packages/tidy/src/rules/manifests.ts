/**
 * Every workspace has the scripts that turbo runs, and says what it needs, in exact versions: turbo takes from there what a change touches, and an install must give the same
 * bytes tomorrow. Tests may use the testkit without declaring it: the testkit stands on the packages that it tests, and turbo allows no circle.
 */
import type { Problem } from "../problem.ts";
import { folderOf, type Project, parseOurs } from "../project.ts";

const RULE = "manifests";

/** Turbo passes over a workspace that has no such script, so its tests would silently never run. */
const SCRIPTS: Readonly<Record<string, string>> = { types: "tsc -p .", test: "node ../../integration/tools/test-runner.mjs --here" };

interface Manifest {
  readonly scripts?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

export function checkManifests(project: Project): Problem[] {
  return [...checkScripts(project), ...checkVersions(project), ...checkDeclared(project), ...checkLocks(project)];
}

function checkScripts(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const path of project.files.keys()) {
    if (!/^(?:packages|apps)\/[^/]+\/package\.json$/.test(path)) continue;
    const { scripts } = readManifest(project, path);
    for (const [name, command] of Object.entries(SCRIPTS)) {
      if (scripts?.[name] !== command) problems.push({ path, line: 1, rule: RULE, message: `scripts: ${name}, want "${command}"` });
    }
  }
  return problems;
}

function checkVersions(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const path of project.files.keys()) {
    if (!/(?:^|\/)package\.json$/.test(path)) continue;
    for (const [name, version] of Object.entries(allOf(readManifest(project, path)))) {
      if (!/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version)) problems.push({ path, line: 1, rule: RULE, message: `${name}: want an exact version, got ${version}` });
    }
  }
  return problems;
}

function checkDeclared(project: Project): Problem[] {
  const problems: Problem[] = [];
  const root = readManifest(project, "package.json");
  const reported = new Set<string>();
  for (const file of project.files.values()) {
    const folder = folderOf(project, file.owner);
    if (folder === null) continue;
    const declared = { ...allOf(readManifest(project, `${folder}/package.json`)), ...(file.isTest || file.owner === "tidy" ? root.devDependencies : {}) };
    for (const site of file.imports) {
      const name = packageOf(site.specifier);
      const key = `${folder} ${name}`;
      if (name === null || name in declared || name === "@holdfast/testkit" || parseOurs(name)?.owner === file.owner || reported.has(key)) continue;
      reported.add(key);
      if (isFromRoot(file.path, name, root)) continue;
      problems.push({ path: `${folder}/package.json`, line: 1, rule: RULE, message: `${name}: imported by ${file.path} but not declared` });
    }
  }
  return problems;
}

/** `npm ci` refuses a lock in which an optional package of another platform has no entry; `npm run lock` adds them. */
function checkLocks(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    if (!file.path.endsWith("package-lock.json")) continue;
    const packages = (JSON.parse(file.text) as { packages: Record<string, Manifest> }).packages;
    const names = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)));
    for (const [path, entry] of Object.entries(packages)) {
      for (const name of Object.keys(entry.optionalDependencies ?? {})) {
        if (!names.has(name))
          problems.push({ path: file.path, line: 1, rule: RULE, message: `${name}: wanted by ${path}, but has no entry; run npm run lock` });
      }
    }
  }
  return problems;
}

/** `@a/b/c` is of package `@a/b`; `null` for files, for parts of the runtime, and for other schemes. */
function packageOf(specifier: string): string | null {
  if (/^(?:\.|\/|node:|bun:|bun$|https?:|data:|file:)/.test(specifier)) return null;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The tools run on what the root installs. */
function isFromRoot(path: string, name: string, root: Manifest): boolean {
  return path.startsWith("integration/") && name in allOf(root);
}

function allOf(manifest: Manifest): Record<string, string> {
  return { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
}

function readManifest(project: Project, path: string): Manifest {
  return JSON.parse(project.files.get(path)?.text ?? "{}") as Manifest;
}
