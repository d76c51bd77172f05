/** Medians, ratios and the markdown table: pure, so that the figures of a report can be checked by a test. */
import type { CorpusName } from "./corpora.ts";
import type { StepMeasured } from "./program.ts";

export const STEPS = ["first", "again", "restore", "check"] as const;
export type Step = (typeof STEPS)[number];

/** One measured step of one program in one round. */
export interface Sample extends StepMeasured {
  readonly program: string;
  readonly corpus: CorpusName;
  readonly step: Step;
  readonly round: number;
}

/** Bytes stored after the backups of one program in one round; one backup of the unchanged, both of the changed corpus. */
export interface StoredSample {
  readonly program: string;
  readonly corpus: CorpusName;
  readonly round: number;
  readonly bytes: number;
}

export interface Results {
  readonly programs: readonly string[];
  readonly samples: readonly Sample[];
  readonly stored: readonly StoredSample[];
  readonly skipped: readonly string[];
}

/** Our wall time over that of the best peer, at most; from docs/performance.md. */
const RATIO_TARGETS: Record<CorpusName, Record<Step, number>> = {
  sys: { first: 0.5, again: 0.35, restore: 0.6, check: 0.7 },
  big: { first: 0.6, again: 0.6, restore: 0.7, check: 0.7 },
  tiny: { first: 0.35, again: 0.35, restore: 0.6, check: 0.7 },
};
const STORED_RATIO_TARGET = 1.03;
const AGENT_MB_TARGET = 200;
const NODE_MB_TARGET = 256;
const KIB_IN_MB = 1000 / 1.024; // Megabytes of 10^6 bytes, as everywhere in the table.

export const OURS = "ours";
export const LIMIT = "limit";
const AGAIN_NAMES: Record<CorpusName, string> = { sys: "nothing changed", big: "1 MB inserted", tiny: "nothing changed" };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Ours over the best of the peers (`values` by program), or `null` when either side is missing. The limit is no peer. */
export function ratioToBestPeer(values: ReadonlyMap<string, number>): number | null {
  const ours = values.get(OURS);
  const peers = [...values].filter(([program]) => program !== OURS && program !== LIMIT).map(([, value]) => value);
  return ours === undefined || peers.length === 0 ? null : ours / Math.min(...peers);
}

/** The whole report as markdown: wall time, CPU, memory, stored bytes, what was left out. */
export function renderTable(results: Results): string {
  const parts = [
    "Wall time, seconds (medians)",
    renderRows(
      results,
      (sample) => sample.wallMs / 1000,
      2,
      (corpus, step) => RATIO_TARGETS[corpus][step],
    ),
    "CPU, user and system, seconds (medians; ours: agent and node)",
    renderRows(
      results,
      (sample) => sample.cpuMs / 1000,
      2,
      () => null,
    ),
    "Peak memory of the largest process, MB (highest of all rounds)",
    renderMemory(results),
    "Stored bytes, MB (medians)",
    renderStored(results),
  ];
  return [...parts, ...results.skipped.map((text) => `Left out: ${text}.`)].join("\n\n");
}

function renderRows(
  results: Results,
  pickValue: (sample: Sample) => number,
  digits: number,
  targetOf: (corpus: CorpusName, step: Step) => number | null,
): string {
  const rows: string[][] = [];
  for (const [corpus, step] of rowsOf(results)) {
    const values = byProgram(results.programs, (program) => {
      const found = results.samples.filter((one) => one.program === program && one.corpus === corpus && one.step === step);
      return found.length === 0 ? null : median(found.map(pickValue));
    });
    rows.push([
      `${corpus}, ${step === "again" ? AGAIN_NAMES[corpus] : step}`,
      ...cells(results.programs, values, digits),
      ...verdict(ratioToBestPeer(values), targetOf(corpus, step)),
    ]);
  }
  return grid(["step", ...results.programs, "ours / best peer", "target"], rows);
}

function renderMemory(results: Results): string {
  const rows: string[][] = [];
  for (const [corpus, step] of rowsOf(results)) {
    const of = (program: string, pick: (sample: Sample) => number | undefined) => {
      const peaks = results.samples.filter((one) => one.program === program && one.corpus === corpus && one.step === step).flatMap((one) => pick(one) ?? []);
      return peaks.length === 0 ? null : Math.max(...peaks) / KIB_IN_MB;
    };
    const values = byProgram(results.programs, (program) => of(program, (sample) => sample.peakKib));
    const node = of(OURS, (sample) => sample.nodePeakKib);
    const agent = values.get(OURS);
    const judged = agent === undefined ? "" : agent <= AGENT_MB_TARGET && (node ?? 0) <= NODE_MB_TARGET ? "kept" : "**missed**";
    rows.push([
      `${corpus}, ${step === "again" ? AGAIN_NAMES[corpus] : step}`,
      ...cells(results.programs, values, 0),
      node === null ? "" : node.toFixed(0),
      judged,
    ]);
  }
  return grid(["step", ...results.programs, "our node", `agent ≤ ${AGENT_MB_TARGET}, node ≤ ${NODE_MB_TARGET}`], rows);
}

function renderStored(results: Results): string {
  const rows: string[][] = [];
  for (const corpus of new Set(results.stored.map((one) => one.corpus))) {
    const values = byProgram(results.programs, (program) => {
      const found = results.stored.filter((one) => one.program === program && one.corpus === corpus);
      return found.length === 0 ? null : median(found.map((one) => one.bytes)) / 1e6;
    });
    rows.push([corpus, ...cells(results.programs, values, 1), ...verdict(ratioToBestPeer(values), STORED_RATIO_TARGET)]);
  }
  return grid(["corpus", ...results.programs, "ours / best peer", "target"], rows);
}

function rowsOf(results: Results): [CorpusName, Step][] {
  const corpora = [...new Set(results.samples.map((one) => one.corpus))];
  const all = corpora.flatMap((corpus) => STEPS.map((step): [CorpusName, Step] => [corpus, step]));
  return all.filter(([corpus, step]) => results.samples.some((one) => one.corpus === corpus && one.step === step));
}

function byProgram(programs: readonly string[], pickValue: (program: string) => number | null): Map<string, number> {
  const values = new Map<string, number>();
  for (const program of programs) {
    const value = pickValue(program);
    if (value !== null) values.set(program, value);
  }
  return values;
}

function cells(programs: readonly string[], values: ReadonlyMap<string, number>, digits: number): string[] {
  return programs.map((program) => values.get(program)?.toFixed(digits) ?? "–");
}

function verdict(ratio: number | null, target: number | null): [string, string] {
  if (ratio === null) return ["–", target === null ? "" : `≤ ${target}`];
  if (target === null) return [ratio.toFixed(2), ""];
  return [ratio <= target ? ratio.toFixed(2) : `**${ratio.toFixed(2)}**`, `≤ ${target}${ratio <= target ? ", kept" : ", **missed**"}`];
}

function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
