/** What a rule reports: one finding at one place. */

export interface Problem {
  /** Path from the root of the repository, with `/`. */
  readonly path: string;
  /** Counted from 1; 1 when the whole file is meant. */
  readonly line: number;
  readonly rule: string;
  /** `thing: what is wrong`, with what to do instead. */
  readonly message: string;
}

/** The order of a report: path, line, rule. */
export function compareProblems(left: Problem, right: Problem): number {
  return left.path.localeCompare(right.path) || left.line - right.line || left.rule.localeCompare(right.rule);
}

/** One line of the report, which editors and terminals can follow. */
export function problemToText(problem: Problem): string {
  return `${problem.path}:${problem.line}: ${problem.rule}: ${problem.message}`;
}
