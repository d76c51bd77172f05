/** Who may import whom (docs/architecture.md), over the specifiers as they are written, tests included; and no cycles between files. */
import type { Problem } from "../problem.ts";
import { type Project, parseOurs, resolveImport, type SourceFile } from "../project.ts";

const RULE = "imports";
const PACKAGES = ["base", "crypto", "protocol", "container", "vault", "pki", "client"];

/** `crypto` allows the whole package, `crypto/hash` only that entry of it. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  crypto: ["base", "protocol"], // The codec and the limits: docs/decisions/0002-crypto-imports-codec.md.
  protocol: ["base"],
  container: ["base", "protocol", "crypto/suite", "crypto/hpke", "crypto/hash", "crypto/signature"],
  vault: ["base", "crypto", "protocol"],
  pki: ["base", "crypto/hash"],
  client: ["base", "protocol", "pki"],
  agent: PACKAGES,
  "storage-node": ["base", "protocol", "pki", "container", "crypto/hash", "crypto/signature", "crypto/suite", "crypto/hpke"],
  console: ["base", "protocol", "client", "crypto", "vault"],
  testkit: ["base", "crypto", "protocol"],
  tidy: [],
  integration: [...PACKAGES, "testkit", "agent", "storage-node"], // Whole programs: it stands above them all.
  certs: PACKAGES,
  root: [],
};

/** Imports that the table does not allow, that leave their package by a relative path, or that lead nowhere. */
export function checkImports(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    for (const site of file.imports) {
      const message = whyRefused(project, file, site.specifier);
      if (message !== null) problems.push({ path: file.path, line: site.line, rule: RULE, message });
    }
  }
  return problems;
}

function whyRefused(project: Project, file: SourceFile, specifier: string): string | null {
  const ours = parseOurs(specifier);
  if (ours === null) return specifier.startsWith(".") ? whyRelativeRefused(project, file, specifier) : null;
  if (ours.owner === file.owner) return `${specifier}: a package imports itself; use a relative path`;
  if (resolveImport(project, file, specifier) === null) return `${specifier}: the package does not export it`;
  if (ours.owner === "testkit" && file.isTest) return null;
  const allowed = MAY_IMPORT[file.owner] ?? [];
  if (allowed.includes(ours.owner) || (ours.subpath !== "" && allowed.includes(`${ours.owner}/${ours.subpath}`))) return null;
  const entries = allowed.filter((name) => name.startsWith(`${ours.owner}/`));
  return `${specifier}: ${file.owner} may not import it${entries.length > 0 ? `, only ${entries.map((name) => `@holdfast/${name}`).join(", ")}` : ""}`;
}

function whyRelativeRefused(project: Project, file: SourceFile, specifier: string): string | null {
  const target = resolveImport(project, file, specifier);
  if (target === null)
    return /\.(ts|tsx|mts|mjs|js)$/.test(specifier) ? `${specifier}: there is no such file` : `${specifier}: a relative import carries the file's suffix`;
  const owner = project.files.get(target)?.owner;
  if (owner === file.owner || file.owner === "integration") return null;
  return `${specifier}: leaves its package; import @holdfast/${owner}`;
}

/** Files that import each other at run time, one report per circle. */
export function checkCycles(project: Project): Problem[] {
  const problems: Problem[] = [];
  const done = new Set<string>();
  const open: string[] = [];
  const enter = (path: string): void => {
    if (done.has(path)) return;
    const start = open.indexOf(path);
    if (start >= 0) {
      const circle = [...open.slice(start), path];
      problems.push({ path, line: 1, rule: RULE, message: `cycle: ${circle.join(" -> ")}` });
      return;
    }
    open.push(path);
    const file = project.files.get(path);
    for (const site of file?.imports ?? []) {
      const target = file === undefined || site.typeOnly ? null : resolveImport(project, file, site.specifier);
      if (target !== null && target !== path) enter(target); // A worker may name its own file.
    }
    open.pop();
    done.add(path);
  };
  for (const path of project.files.keys()) enter(path);
  return problems;
}
