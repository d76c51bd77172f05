/**
 * No hidden clock, randomness, disk or socket: code gets them through the ports of `@holdfast/base`, and only adapters touch the platform.
 * `base`, `crypto`, `protocol` and `vault` also run in browsers, so there nothing of Node is named at all.
 */
import type { Node } from "@babel/types";
import type { Problem } from "../problem.ts";
import type { Project, SourceFile } from "../project.ts";
import { lineOf, walk } from "../syntax.ts";

const RULE = "environment";
const PORTABLE = new Set(["base", "crypto", "protocol", "vault"]);
const PLATFORM_GLOBALS = new Set(["Buffer", "process", "Deno", "Bun", "require", "__dirname", "__filename"]);

/** Files that may touch the platform directly. The one table; extend it here, with a reason. */
const ADAPTER_FILES: readonly { readonly pattern: RegExp; readonly reason: string }[] = [
  { pattern: /-(?:node|bun|deno|web)\.ts$/, reason: "an adapter by its name" },
  { pattern: /\/(?:platform|adapters)(?:\/|\.ts$)/, reason: "the place of adapters" },
  { pattern: /^apps\/[^/]+\/src\/main\.ts$/, reason: "a composition root makes the adapters" },
  { pattern: /\.test\.ts$|\/(?:testing|contract)\//, reason: "tests make their own surroundings" },
  { pattern: /^apps\/storage-node\/src\/store\//, reason: "libSQL opens paths itself, so the files around its databases are on the real disk too" },
  { pattern: /^packages\/tidy\/|^integration\/|^certs\//, reason: "tools for developers, which never ship" },
];

/** Calls that hide a clock or a source of chance. */
const HIDDEN_CALLS: Readonly<Record<string, string>> = {
  "Date.now": "the Clock port",
  "performance.now": "the Clock port",
  "Math.random": "the Random port",
  "crypto.getRandomValues": "the Random port",
  "crypto.randomUUID": "the Random port",
  "crypto.randomBytes": "the Random port",
};

const HIDDEN_MODULES = new Set(["node:fs", "node:fs/promises", "node:net", "fs", "fs/promises", "net"]);
const HIDDEN_NAMES = new Set(["randomBytes", "randomInt", "randomUUID", "randomFill", "randomFillSync"]);

export function isAdapter(path: string): boolean {
  return ADAPTER_FILES.some(({ pattern }) => pattern.test(path));
}

export function checkEnvironment(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    if (file.syntax === null || isAdapter(file.path) || !/^(?:packages|apps)\//.test(file.path)) continue;
    problems.push(...checkModules(file), ...checkNodes(file));
  }
  return problems;
}

function checkModules(file: SourceFile): Problem[] {
  const problems: Problem[] = [];
  const add = (line: number, message: string): number => problems.push({ path: file.path, line, rule: RULE, message });
  for (const { specifier, line, names, typeOnly } of file.imports) {
    if (typeOnly) continue;
    if (HIDDEN_MODULES.has(specifier)) add(line, `${specifier}: only in an adapter; take the Disk or Net port`);
    else if (specifier.startsWith("node:") && PORTABLE.has(file.owner))
      add(line, `${specifier}: ${file.owner} runs in browsers too; put it behind a port, in a file that ends with -node.ts`);
    if (/^(?:node:)?crypto$/.test(specifier)) for (const name of names) if (HIDDEN_NAMES.has(name)) add(line, `${name}: hides chance; take the Random port`);
  }
  return problems;
}

function checkNodes(file: SourceFile): Problem[] {
  const problems: Problem[] = [];
  const add = (node: Node, message: string): number => problems.push({ path: file.path, line: lineOf(node), rule: RULE, message });
  if (file.syntax === null) return problems;
  walk(file.syntax.program, (node, ancestors) => {
    if (node.type === "Identifier" && PORTABLE.has(file.owner) && PLATFORM_GLOBALS.has(node.name) && !isPropertyName(node, ancestors.at(-1))) {
      add(node, `${node.name}: ${file.owner} runs in browsers too; use Uint8Array and the ports`);
    }
    if (node.type === "MemberExpression") {
      const port = HIDDEN_CALLS[dottedName(node)];
      if (port !== undefined) add(node, `${dottedName(node)}: take ${port}`);
    }
    if (node.type === "NewExpression" && node.callee.type === "Identifier" && node.callee.name === "Date" && node.arguments.length === 0) {
      add(node, "new Date(): take the Clock port");
    }
  });
  return problems;
}

/** `a.b` of a plain member access, also behind `globalThis.`; the empty text of anything else. */
function dottedName(node: Node): string {
  if (node.type !== "MemberExpression" || node.computed || node.property.type !== "Identifier") return "";
  const object = node.object.type === "MemberExpression" ? node.object.property : node.object;
  return object.type === "Identifier" ? `${object.name}.${node.property.name}` : "";
}

/** Whether an identifier only names a member: `x.process`, `{ process: 1 }`, `interface X { process(): void }`. */
function isPropertyName(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined) return false;
  if (parent.type === "MemberExpression") return parent.property === node && !parent.computed;
  return "key" in parent && parent.key === node;
}
