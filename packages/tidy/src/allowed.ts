/**
 * Exceptions, each with its reason, in `packages/tidy/allowed.json`: `[{ "path": "…", "rule": "length", "message": "seal", "reason": "…" }]`.
 * `message`, when given, must be at the start of the problem's. An exception that excuses nothing is itself a problem.
 */
import type { Problem } from "./problem.ts";

export interface Exception {
  readonly path: string;
  readonly rule: string;
  readonly message?: string;
  readonly reason: string;
}

export const ALLOWED_PATH = "packages/tidy/allowed.json";

/** The problems that no exception excuses, and the exceptions that excuse none. */
export function applyExceptions(problems: readonly Problem[], exceptions: readonly Exception[]): Problem[] {
  const used = new Set<Exception>();
  const left = problems.filter((problem) => {
    const found = exceptions.find((exception) => excuses(exception, problem));
    if (found !== undefined) used.add(found);
    return found === undefined;
  });
  for (const exception of exceptions) {
    const place = `${exception.path} (${exception.rule})`;
    if (!(exception.reason?.trim().length >= 20))
      left.push({ path: ALLOWED_PATH, line: 1, rule: "allowed", message: `${place}: needs a reason in a full sentence` });
    else if (!used.has(exception)) left.push({ path: ALLOWED_PATH, line: 1, rule: "allowed", message: `${place}: excuses nothing; remove it` });
  }
  return left;
}

function excuses(exception: Exception, problem: Problem): boolean {
  return exception.path === problem.path && exception.rule === problem.rule && problem.message.startsWith(exception.message ?? "");
}
