/**
 * Numbers in documents equal the numbers in code. `docs/format.md` and `docs/protocol.md` have tables with rows
 * `| \`NAME\` | value | meaning |`; `packages/protocol/src/limits.ts` exports the same names, and each side has all of the other's.
 */
import type { Problem } from "../problem.ts";
import type { Project } from "../project.ts";

const RULE = "limits";
export const LIMITS_PATH = "packages/protocol/src/limits.ts";
export const LIMIT_DOCUMENTS: readonly string[] = ["docs/format.md", "docs/protocol.md"];

/** What a unit multiplies by. Times in rows count in the unit of the constant's name, see `factorOf`. */
const BYTE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, bytes: 1 };
const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000, days: 86_400_000, hours: 3_600_000 };

interface Row {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  readonly line: number;
}

/** Compares the tables with `limits`, the module's exported values by name. */
export function checkLimits(project: Project, limits: Readonly<Record<string, unknown>>): Problem[] {
  const numbers = new Map(
    Object.entries(limits).filter((entry): entry is [string, number | bigint] => typeof entry[1] === "number" || typeof entry[1] === "bigint"),
  );
  const rows = LIMIT_DOCUMENTS.flatMap((path) => findRows(project, path));
  const problems = rows.flatMap((row) => compareRow(row, numbers));
  const named = new Set(rows.map((row) => row.name));
  for (const name of numbers.keys()) {
    if (!named.has(name))
      problems.push({ path: LIMITS_PATH, line: lineOfName(project, name), rule: RULE, message: `${name}: no row in ${LIMIT_DOCUMENTS.join(" or ")}` });
  }
  return problems;
}

function findRows(project: Project, path: string): Row[] {
  const rows: Row[] = [];
  for (const [index, line] of (project.files.get(path)?.lines ?? []).entries()) {
    const match = /^\|\s*`([A-Z][A-Z0-9_]*)`\s*\|\s*([^|]+?)\s*\|/.exec(line);
    if (match !== null) rows.push({ name: match[1] ?? "", value: match[2] ?? "", path, line: index + 1 });
  }
  return rows;
}

function compareRow(row: Row, numbers: ReadonlyMap<string, number | bigint>): Problem[] {
  const problem = (message: string): Problem[] => [{ path: row.path, line: row.line, rule: RULE, message: `${row.name}: ${message}` }];
  const wanted = numbers.get(row.name);
  if (wanted === undefined) return problem("not a number that limits.ts exports");
  const written = parseQuantity(row.name, row.value);
  if (written === null) return problem(`value does not read as a number, got "${row.value}"`);
  return written === Number(wanted) ? [] : problem(`the document says ${row.value}, limits.ts says ${wanted}`);
}

/** Number that a table cell means: `400`, `8 MiB`, `1,024`, `2^32 - 1`, `90 d`; `null` when it is none of these. */
export function parseQuantity(name: string, cell: string): number | null {
  const text = cell.replaceAll("`", "").replaceAll("**", "").trim();
  const power = /^(\d+)\s*(?:\^|\*\*)\s*(\d+)(?:\s*[-−]\s*(\d+))?$/.exec(text);
  if (power !== null) return Number(power[1]) ** Number(power[2]) - Number(power[3] ?? 0);
  const match = /^(\d[\d,_ ]*(?:\.\d+)?)\s*([A-Za-z]+)?(?:\s*\(.*\))?$/.exec(text);
  if (match === null) return null;
  const factor = match[2] === undefined ? 1 : factorOf(name, match[2]);
  return factor === null ? null : Number((match[1] ?? "").replace(/[,_ ]/g, "")) * factor;
}

/** A constant that ends with `_MS` counts milliseconds, `_SECONDS` seconds, `_DAYS` days; all others may only have units of bytes. */
function factorOf(name: string, unit: string): number | null {
  const byteFactor = BYTE_UNITS[unit];
  if (byteFactor !== undefined) return byteFactor;
  const milliseconds = MILLISECONDS[unit];
  if (milliseconds === undefined) return null;
  if (/_MS(?:_|$)/.test(name)) return milliseconds;
  if (/_SECONDS(?:_|$)/.test(name)) return milliseconds / 1000;
  return /_DAYS(?:_|$)/.test(name) ? milliseconds / 86_400_000 : null;
}

function lineOfName(project: Project, name: string): number {
  const index = project.files.get(LIMITS_PATH)?.lines.findIndex((line) => new RegExp(`\\b${name}\\b`).test(line)) ?? -1;
  return index < 0 ? 1 : index + 1;
}
