/** The repository as the rules see it: paths, texts, syntax trees. Rules are functions of a project, so their tests need no disk. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import type { Problem } from "./problem.ts";
import { findImports, type ImportSite, parseSource, type Syntax } from "./syntax.ts";

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** `packages/base/…` belongs to `base`, `apps/agent/…` to `agent`, `integration/…` to `integration`, the rest to the root. */
  readonly owner: string;
  readonly isTest: boolean;
  /** `null` for what is not TypeScript or JavaScript. */
  readonly syntax: Syntax | null;
  readonly imports: readonly ImportSite[];
}

export interface Project {
  /** By path from the root, in the order of the paths. */
  readonly files: ReadonlyMap<string, SourceFile>;
  /** Files that do not parse. */
  readonly broken: readonly Problem[];
}

const NEVER_ENTERED = new Set(["node_modules", ".git", "dist", ".build", ".turbo", "coverage", "scratch", "vectors", "fixtures", "out"]);
const READ = /\.(ts|tsx|mts|mjs|js|md|json|jsonc|sh|yaml|yml|html|css)$|^\.ci\/run$|(^|\/)LICENSE$/;
const CODE = /\.(ts|tsx|mts|mjs|js)$/;
const FILE_BYTES_MAX = 4 * 1024 * 1024; // Larger ones are data, not sources.

/** Reads the repository at `root`. */
export function loadProject(root: string): Project {
  const texts = new Map<string, string>();
  const enter = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory() && !NEVER_ENTERED.has(entry.name)) enter(path);
      else if (entry.isFile() && READ.test(path) && statSync(join(root, path)).size <= FILE_BYTES_MAX) texts.set(path, readFileSync(join(root, path), "utf8"));
    }
  };
  enter("");
  return createProject(texts);
}

/** A project of `texts` by path. */
export function createProject(texts: ReadonlyMap<string, string>): Project {
  const files = new Map<string, SourceFile>();
  const broken: Problem[] = [];
  for (const [path, text] of [...texts].sort(([left], [right]) => (left < right ? -1 : 1))) {
    let syntax: Syntax | null = null;
    try {
      if (CODE.test(path)) syntax = parseSource(path, text);
    } catch (cause) {
      broken.push({ path, line: 1, rule: "syntax", message: cause instanceof Error ? cause.message : String(cause) });
    }
    files.set(path, {
      path,
      text,
      lines: text.split("\n"),
      owner: ownerOf(path),
      isTest: isTestPath(path),
      syntax,
      imports: syntax === null ? [] : findImports(syntax),
    });
  }
  return { files, broken };
}

/** The workspace that `path` belongs to, or `root`. */
export function ownerOf(path: string): string {
  const [first, second] = path.split("/");
  if ((first === "packages" || first === "apps") && second !== undefined) return second;
  return first === "integration" || first === "certs" ? first : "root";
}

/** Folder of the workspace named `owner`, or `null` when the project has none. */
export function folderOf(project: Project, owner: string): string | null {
  return [`packages/${owner}`, `apps/${owner}`, owner].find((folder) => project.files.has(`${folder}/package.json`)) ?? null;
}

/** Path of the file that `specifier`, written in `file`, means, or `null` when it is not a file of ours or is not there. */
export function resolveImport(project: Project, file: SourceFile, specifier: string): string | null {
  if (specifier.startsWith(".")) {
    const path = posix.join(posix.dirname(file.path), specifier);
    return project.files.has(path) ? path : null;
  }
  const ours = parseOurs(specifier);
  const folder = ours === null ? null : folderOf(project, ours.owner);
  if (ours === null || folder === null) return null;
  const manifest = JSON.parse(project.files.get(`${folder}/package.json`)?.text ?? "{}") as { exports?: Record<string, unknown> };
  const target = manifest.exports?.[ours.subpath === "" ? "." : `./${ours.subpath}`];
  const path = typeof target === "string" ? posix.join(folder, target) : null;
  return path !== null && project.files.has(path) ? path : null;
}

/** `@holdfast/crypto/hash` is `{ owner: "crypto", subpath: "hash" }`; `null` for every other package. */
export function parseOurs(specifier: string): { owner: string; subpath: string } | null {
  const match = /^@holdfast\/([^/]+)(?:\/(.+))?$/.exec(specifier);
  return match === null ? null : { owner: match[1] ?? "", subpath: match[2] ?? "" };
}

function isTestPath(path: string): boolean {
  return /\.test\.tsx?$|\/(?:testing|contract)\//.test(path) || path.startsWith("integration/") || path.startsWith("packages/testkit/");
}
