/** Words that the glossary (docs/style.md) bans, because well-known systems of this field use them for different things. */
import type { Problem } from "../problem.ts";
import type { Project } from "../project.ts";

interface BannedWord {
  readonly word: string;
  readonly pattern: RegExp;
  readonly instead: string;
  /** What makes a line with the word acceptable. */
  readonly allowedLine: RegExp;
}

export const BANNED_WORDS: readonly BannedWord[] = [
  // Another program's command, and the hidden alias for users who know it, keep their name.
  { word: "prune", pattern: /prun(?:e|ing)/i, instead: "forget (snapshots) or sweep (records)", allowedLine: /\b(?:restic|borg|kopia|rustic)\b|alias/i },
  // The column type of SQL (`BLOB`, drizzle's `blob(`, a custom type's `"blob"`) and the class of the web.
  {
    word: "blob",
    pattern: /blob/i,
    instead: "record, frame, chunk or object",
    allowedLine: /BLOB|\bblob\(|["']blob["']|import \{[^}]*\bblob\b[^}]*\} from ["']drizzle-orm|\bnew Blob\(|\.blob\(\)|: Blob\b/,
  },
];

/** Pages that define the words, and this checker. */
const EXEMPT = /^docs\/(?:style|glossary)\.md$|^packages\/tidy\/|^biome\.jsonc$|package-lock\.json$|package\.json$/;

export function checkWords(project: Project): Problem[] {
  const problems: Problem[] = [];
  for (const file of project.files.values()) {
    if (EXEMPT.test(file.path)) continue;
    for (const [index, line] of file.lines.entries()) {
      for (const { word, pattern, instead, allowedLine } of BANNED_WORDS) {
        if (!pattern.test(line) || allowedLine.test(line)) continue;
        if (file.path.endsWith(".md") && line.includes(`\`${word}\``) && /ban/i.test(line)) continue; // The sentence that says so.
        problems.push({ path: file.path, line: index + 1, rule: "words", message: `${word}: banned; say ${instead}` });
      }
    }
  }
  return problems;
}
