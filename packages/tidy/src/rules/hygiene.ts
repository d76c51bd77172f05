/** What must never enter the repository: places of one machine, addresses of registries, loose ends, tests that are switched off. */
import type { Node } from "@babel/types";
import type { Problem } from "../problem.ts";
import type { Project, SourceFile } from "../project.ts";
import { lineOf, walk } from "../syntax.ts";

const RULE = "hygiene";

const LINE_RULES: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: /(?<![\w.])\/(?:work|root|Users)\/[\w.-]|(?<![\w./])\/home\/(?!user\b|you\b|alice\b)[\w.-]+/, message: "a path of one machine" },
  { pattern: /\bregistry\.(?:npmjs|yarnpkg)\b|\bjsr\.io\b|\bnpm\.pkg\.github\b/, message: "the host of a registry" },
  { pattern: /\bshared\/facts|\.\.\/facts\//, message: "a page that is not in the repository" },
  { pattern: /\b(?:TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/, message: "TODO without an issue; write TODO(#12): …" },
  { pattern: /"resolved": "(?:https?|git|file):/, message: "an address in a lock file; .npmrc keeps them out" },
  { pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*$/, message: "a private key" },
];

/** This checker names what it looks for. */
const EXEMPT = /^packages\/tidy\//;

export function checkHygiene(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    if (EXEMPT.test(file.path)) continue;
    for (const [index, line] of file.lines.entries()) {
      for (const { pattern, message } of LINE_RULES) {
        const match = pattern.exec(line);
        if (match !== null) problems.push({ path: file.path, line: index + 1, rule: RULE, message: `${match[0].trim()}: ${message}` });
      }
    }
    if (/\.test\.tsx?$/.test(file.path)) problems.push(...checkSwitches(file));
  }
  return problems;
}

/** `.only` and `only: true`; `.skip`, `.todo` and `skip: true` without a comment on their line or the one before. */
function checkSwitches(file: SourceFile): Problem[] {
  const problems: Problem[] = [];
  const add = (node: Node, message: string): number => problems.push({ path: file.path, line: lineOf(node), rule: RULE, message });
  if (file.syntax === null) return problems;
  walk(file.syntax.program, (node) => {
    const name = switchOf(node);
    if (name === "only") add(node, "only: the other tests would not run");
    else if (name !== null && !isExplained(file, lineOf(node))) add(node, `${name}: say why in a comment, or in skip: "reason"`);
  });
  return problems;
}

function switchOf(node: Node): string | null {
  if (node.type === "CallExpression" && node.callee.type === "MemberExpression") {
    const { object, property } = node.callee;
    const onTest = object.type === "Identifier" && /^(?:it|test|describe|suite)$/.test(object.name);
    return onTest && property.type === "Identifier" && /^(?:only|skip|todo)$/.test(property.name) ? property.name : null;
  }
  if (node.type === "ObjectProperty" && node.key.type === "Identifier" && node.value.type === "BooleanLiteral" && node.value.value) {
    return /^(?:only|skip)$/.test(node.key.name) ? node.key.name : null;
  }
  return null;
}

function isExplained(file: SourceFile, line: number): boolean {
  return [line - 2, line - 1].some((index) => /\/\/ \S|\*\/|^\s*\* /.test(file.lines[index] ?? ""));
}
