/** The syntax of one source file: what it imports, and a walk over its nodes. */
import { parse } from "@babel/parser";
import type { Node } from "@babel/types";

/** One place where a file names another one. */
export interface ImportSite {
  readonly specifier: string;
  readonly line: number;
  /** `true` when nothing of it is left at run time. */
  readonly typeOnly: boolean;
  /** Names taken from the other file; empty for side effects, namespaces and re-exports of everything. */
  readonly names: readonly string[];
}

export type Syntax = ReturnType<typeof parse>;

/** Parses TypeScript or JavaScript. Throws `SyntaxError` with a `loc` when it is neither. */
export function parseSource(path: string, text: string): Syntax {
  const jsx = path.endsWith("x") ? (["jsx"] as const) : [];
  return parse(text, { sourceType: "module", plugins: [["typescript", { dts: path.includes(".d.") }], ...jsx], createImportExpressions: true });
}

/** Calls `visit` for every node, parents first. `ancestors` ends with the parent; it is reused, so copy it to keep it. */
export function walk(root: Node, visit: (node: Node, ancestors: readonly Node[]) => void): void {
  const ancestors: Node[] = [];
  const enter = (node: Node): void => {
    visit(node, ancestors);
    ancestors.push(node);
    for (const [key, value] of Object.entries(node)) {
      if (key === "loc" || key.endsWith("Comments") || key === "extra") continue;
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) enter(child);
    }
    ancestors.pop();
  };
  enter(root);
}

/** Line of a node, counted from 1. */
export function lineOf(node: Node): number {
  return node.loc?.start.line ?? 1;
}

/**
 * Every specifier that the file names: imports, re-exports, `import()` and, because workers start so, `new URL("./x.ts", import.meta.url)`
 * and texts like `"./x-worker.ts"`.
 */
export function findImports(syntax: Syntax): ImportSite[] {
  const sites: ImportSite[] = [];
  walk(syntax.program, (node, ancestors) => {
    const site = importSiteOf(node) ?? workerSiteOf(node, ancestors.at(-1));
    if (site !== null) sites.push(site);
  });
  return sites;
}

function importSiteOf(node: Node): ImportSite | null {
  const line = lineOf(node);
  if (node.type === "ImportDeclaration") {
    const named = node.specifiers.filter((specifier) => specifier.type === "ImportSpecifier");
    const allTypes = named.length > 0 && named.length === node.specifiers.length && named.every((specifier) => specifier.importKind === "type");
    const names = named.map((specifier) => (specifier.imported.type === "Identifier" ? specifier.imported.name : specifier.imported.value));
    return { specifier: node.source.value, line, typeOnly: node.importKind === "type" || allTypes, names };
  }
  if (node.type === "ExportAllDeclaration" || node.type === "ExportNamedDeclaration") {
    return node.source ? { specifier: node.source.value, line, typeOnly: node.exportKind === "type", names: [] } : null;
  }
  if (node.type === "ImportExpression" && node.source.type === "StringLiteral") {
    return { specifier: node.source.value, line, typeOnly: false, names: [] };
  }
  if (node.type === "TSImportType") {
    return { specifier: node.argument.value, line, typeOnly: true, names: [] };
  }
  if (node.type === "NewExpression" && node.callee.type === "Identifier" && node.callee.name === "URL") {
    const [first] = node.arguments;
    const isSource = first?.type === "StringLiteral" && /^\.{1,2}\/.*(?<!worker)\.ts$/.test(first.value);
    return isSource ? { specifier: first.value, line, typeOnly: false, names: [] } : null;
  }
  return null;
}

/** A worker may also be named by a text alone, which the bundler knows by its ending. */
function workerSiteOf(node: Node, parent: Node | undefined): ImportSite | null {
  if (node.type !== "StringLiteral" || !/^\.{1,2}\/.*worker\.ts$/.test(node.value) || /^Import|^Export|^TS/.test(parent?.type ?? "")) return null;
  return { specifier: node.value, line: lineOf(node), typeOnly: false, names: [] };
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}
