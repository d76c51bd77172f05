/** A file is at most 400 lines, a function fits a screen of 70. Tests, vectors and migrations are lists, and may be longer. */
import type { Node } from "@babel/types";
import type { Problem } from "../problem.ts";
import type { Project, SourceFile } from "../project.ts";
import { lineOf, walk } from "../syntax.ts";

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

const EXEMPT = /\/(?:vectors|fixtures|migrations)\//;
const FUNCTIONS = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression", "ObjectMethod", "ClassMethod", "ClassPrivateMethod"]);

export function checkLength(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    if (file.syntax === null || file.isTest || EXEMPT.test(file.path)) continue;
    const lineCount = file.text.endsWith("\n") ? file.lines.length - 1 : file.lines.length;
    if (lineCount > FILE_LINES_MAX) problems.push({ path: file.path, line: 1, rule: "length", message: `file: ${lineCount} lines, at most ${FILE_LINES_MAX}` });
    problems.push(...longFunctions(file));
  }
  return problems;
}

function longFunctions(file: SourceFile): Problem[] {
  const problems: Problem[] = [];
  if (file.syntax === null) return problems;
  walk(file.syntax.program, (node, ancestors) => {
    if (!FUNCTIONS.has(node.type)) return;
    const lineCount = (node.loc?.end.line ?? 0) - lineOf(node) + 1;
    if (lineCount > FUNCTION_LINES_MAX) {
      problems.push({
        path: file.path,
        line: lineOf(node),
        rule: "length",
        message: `${nameOf(node, ancestors.at(-1))}: ${lineCount} lines, at most ${FUNCTION_LINES_MAX}`,
      });
    }
  });
  return problems;
}

function nameOf(node: Node, parent: Node | undefined): string {
  if (node.type === "FunctionDeclaration" && node.id) return node.id.name;
  if ((node.type === "ObjectMethod" || node.type === "ClassMethod") && node.key.type === "Identifier") return node.key.name;
  if (parent?.type === "VariableDeclarator" && parent.id.type === "Identifier") return parent.id.name;
  return "function";
}
