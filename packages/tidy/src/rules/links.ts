/** Links between documents lead to files that are there. */
import { posix } from "node:path";
import type { Problem } from "../problem.ts";
import type { Project } from "../project.ts";

/** `exists` answers for paths from the root; the project itself holds only what the rules read. */
export function checkLinks(project: Project, exists: (path: string) => boolean): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    if (!file.path.endsWith(".md")) continue;
    for (const [index, line] of file.lines.entries()) {
      for (const match of line.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)(?:#[^)]*)?\)/g)) {
        const target = posix.normalize(posix.join(posix.dirname(file.path), match[1] ?? ""));
        if (!exists(target)) problems.push({ path: file.path, line: index + 1, rule: "links", message: `${match[1]}: there is no such file` });
      }
    }
  }
  return problems;
}
