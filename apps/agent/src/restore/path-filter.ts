/** Which entries of a snapshot a restore takes, by patterns in gitignore syntax. */
import { createExcludeRules } from "../pipeline/excludes.ts";

export interface PathFilter {
  /** `path` is relative to what is restored, without a slash at its start. */
  decide(path: Uint8Array, isFolder: boolean, parent: PathDecision): PathDecision;
}

/** `all`: the entry, and below it whatever is not excluded. `look`: a folder that only may lead to something. `none`: neither it nor what is below. */
export type PathDecision = "all" | "look" | "none";

export function createPathFilter(include: readonly string[], exclude: readonly string[]): { readonly root: PathDecision; readonly filter: PathFilter } {
  const included = createExcludeRules(include);
  const excluded = createExcludeRules(exclude);
  const root: PathDecision = include.length === 0 ? "all" : "look";
  const filter: PathFilter = {
    decide(path, isFolder, parent) {
      if (include.length + exclude.length === 0) return "all";
      const absolute = new Uint8Array(path.length + 1);
      absolute[0] = 0x2f;
      absolute.set(path, 1);
      if (exclude.length > 0 && excluded.matches(absolute, isFolder)) return "none";
      if (parent === "all" || included.matches(absolute, isFolder)) return "all";
      return isFolder ? "look" : "none";
    },
  };
  return { root, filter };
}
