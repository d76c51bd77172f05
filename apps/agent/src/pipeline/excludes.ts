/** Which entries a backup leaves out by name and size. Rules on folders' contents (tags, markers) are in walker.ts. */
import ignoreModule, { type Ignore } from "ignore";

const decoder = new TextDecoder();
// The package is CommonJS: some runtimes hand out its module object, others the function.
const ignore = (ignoreModule as unknown as { default?: typeof ignoreModule }).default ?? ignoreModule;

export interface ExcludeRules {
  /** Whether `path`, absolute and raw, is left out by a pattern. */
  matches(path: Uint8Array, isFolder: boolean): boolean;
}

/**
 * Patterns in gitignore syntax, as if written in a file in `/`. Bytes that are not UTF-8 match as U+FFFD does.
 * No patterns: nothing matches, at no cost.
 */
export function createExcludeRules(patterns: readonly string[]): ExcludeRules {
  if (patterns.length === 0) return { matches: () => false };
  const rules: Ignore = ignore({ allowRelativePaths: true }).add([...patterns]);
  return {
    matches(path, isFolder) {
      const relative = decoder.decode(path).slice(1);
      return relative.length > 0 && rules.ignores(isFolder ? `${relative}/` : relative);
    },
  };
}
