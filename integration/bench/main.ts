/**
 * Benchmark: ours, the peers and the practical limit on the same corpora in turn, several rounds, medians.
 *
 *   npm run bench -- [--rounds 3] [--rows sys,big,tiny] [--runtime bun|node24|deno|node20] [--quick]
 *                    [--only ours|peers] [--programs restic,borg] [--scratch DIR] [--out FILE]
 *
 * Traps that it minds: one unmeasured reading of each corpus first; programs take turns inside a round; `sync` before
 * each step; nothing is deleted before the end, and restores go to fresh folders whose parent has the `T` attribute,
 * since ext4 is many times slower where much was just deleted. A benchmark is not a test: nothing fails by its figures.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Fault } from "@holdfast/base";
import { RUNTIME_NAMES, type RuntimeName } from "../tools/runtimes.mjs";
import { type Corpus, type CorpusName, FULL_SIZES, makeCorpora, QUICK_SIZES } from "./corpora.ts";
import { bytesBelow, call, type Measured, measure } from "./measure.ts";
import { findOurs } from "./ours.ts";
import { findPeers, PEER_NAMES } from "./peers.ts";
import type { Program } from "./program.ts";
import { LIMIT, renderTable, type Sample, type Step, type StoredSample } from "./table.ts";

const CORPUS_NAMES: readonly CorpusName[] = ["sys", "big", "tiny"];
const SCRATCH = join(import.meta.dirname, "..", "..", "scratch", "bench");

interface Options {
  readonly rounds: number;
  readonly rows: readonly CorpusName[];
  readonly runtime: RuntimeName;
  readonly quick: boolean;
  readonly only: string | undefined;
  readonly programs: readonly string[];
  readonly scratch: string;
  readonly out: string;
  readonly keep: boolean;
}

interface Book {
  readonly samples: Sample[];
  readonly stored: StoredSample[];
  readonly skipped: Set<string>;
}

await main(parseOptions(process.argv.slice(2)));

async function main(options: Options): Promise<void> {
  mkdirSync(options.scratch, { recursive: true });
  const book: Book = { samples: [], stored: [], skipped: new Set() };
  const programs = await findPrograms(options, book);
  const corpora = await makeCorpora(options.scratch, options.rows, options.quick ? QUICK_SIZES : FULL_SIZES);
  const runs = await spreadFolder(join(options.scratch, `runs-${process.pid}`));
  try {
    for (const corpus of corpora) {
      await call(["sh", "-c", `tar -C '${corpus.folder}' -cf - . | wc -c`]); // Fills the page cache.
      for (let round = 0; round < options.rounds; round++) {
        await runLimit(corpus, round, join(runs, `${corpus.name}-${round}-limit`), book);
        for (let turn = 0; turn < programs.length; turn++) {
          const program = programs[(turn + round) % programs.length] as Program;
          say(`${corpus.name}, round ${round + 1}: ${program.title}`);
          await runProgram(program, corpus, round, join(runs, `${corpus.name}-${round}-${program.name}`), book);
        }
      }
    }
    report(options, programs, book);
  } finally {
    for (const corpus of corpora) corpus.showFirst();
    if (!options.keep) rmSync(runs, { recursive: true, force: true });
  }
}

async function findPrograms(options: Options, book: Book): Promise<Program[]> {
  const programs: Program[] = [];
  if (options.only !== "peers") {
    const ours = findOurs(options.runtime);
    if (ours !== null) programs.push(ours);
    else if (options.only === "ours") throw new Fault("missing", "bench: the storage node or the built agent is not there");
    else book.skipped.add("ours: the storage node or the built agent is not there");
  }
  if (options.only !== "ours") programs.push(...(await findPeers(options.programs)));
  return programs;
}

/** First backup, a second one, a restore and a check, from an empty store. */
async function runProgram(program: Program, corpus: Corpus, round: number, folder: string, book: Book): Promise<void> {
  const session = await program.prepare(await spreadFolder(folder));
  const take = async (step: Step, work: Promise<Measured | null>) => {
    const measured = await work;
    if (measured === null) book.skipped.add(`${step} of ${program.name}: it has none yet`);
    else book.samples.push({ program: program.name, corpus: corpus.name, step, round, ...pick(measured) });
  };
  try {
    corpus.showFirst();
    await call(["sync"]);
    await take("first", session.backup(corpus.folder));
    book.stored.push({ program: program.name, corpus: corpus.name, round, bytes: await session.storedBytes() });
    corpus.showChanged();
    await call(["sync"]);
    await take("again", session.backup(corpus.folder));
    const target = freshFolder(join(folder, "restored"));
    await call(["sync"]);
    await take("restore", session.restore(corpus.folder, target));
    await compareCounts(corpus, target, program);
    await call(["sync"]);
    await take("check", session.check());
  } finally {
    await session.close();
  }
}

/** What the machine can do at all: `tar | zstd` for a first backup, `find` for one with nothing changed. */
async function runLimit(corpus: Corpus, round: number, folder: string, book: Book): Promise<void> {
  const packed = join(freshFolder(folder), "limit.tar.zst");
  corpus.showFirst();
  await call(["sync"]);
  const first = await measure(["sh", "-c", `tar -C '${corpus.folder}' -cf - . | zstd -q -3 -T2 > '${packed}'`]);
  const found = await measure(["sh", "-c", `find '${corpus.folder}' -printf '%s %T@ %i\\n' > /dev/null`]);
  const program = LIMIT;
  book.samples.push({ program, corpus: corpus.name, step: "first", round, ...pick(first) });
  if (corpus.name !== "big") book.samples.push({ program, corpus: corpus.name, step: "again", round, ...pick(found) });
  book.stored.push({ program, corpus: corpus.name, round, bytes: await bytesBelow(packed) });
}

/** A restore that lost something is no figure: the regular files below the target must be as many and as long. */
async function compareCounts(corpus: Corpus, target: string, program: Program): Promise<void> {
  const sum = (folder: string) =>
    call(["sh", "-c", `find '${folder}' -type f -printf '%s\\n' | awk '{ n += 1; s += $1 } END { printf "%d files %.0f bytes", n, s }'`]);
  const [want, got] = [await sum(corpus.folder), await sum(target)];
  if (want !== got) throw new Fault("integrity", `bench: ${program.title} restored ${got}, want ${want}`);
}

function report(options: Options, programs: readonly Program[], book: Book): void {
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem(), kernel: release() };
  const names = [...programs.map((program) => program.name), LIMIT];
  const head = `${programs.map((program) => program.title).join(", ")}; limit: tar | zstd -3 -T2, find. ${machine.cores} cores, ${machine.cpu}, Linux ${machine.kernel}. Rounds: ${options.rounds}.`;
  const skipped = [...book.skipped];
  process.stdout.write(
    `${head}${options.quick ? " **Quick run on small corpora: figures mean nothing.**" : ""}\n\n${renderTable({ programs: names, ...book, skipped })}\n`,
  );
  const titles = programs.map((program) => program.title);
  writeFileSync(
    options.out,
    `${JSON.stringify({ machine, titles, rounds: options.rounds, quick: options.quick, samples: book.samples, stored: book.stored, skipped }, null, 2)}\n`,
  );
  say(`figures of every round: ${options.out}`);
}

function pick(measured: Measured & { readonly nodePeakKib?: number }): Measured & { readonly nodePeakKib?: number } {
  const { wallMs, cpuMs, peakKib, nodePeakKib } = measured;
  return { wallMs, cpuMs, peakKib, ...(nodePeakKib === undefined ? {} : { nodePeakKib }) };
}

function freshFolder(folder: string): string {
  mkdirSync(folder);
  return folder;
}

/** A fresh folder below which ext4 spreads new folders over its groups; other file systems know no such attribute. */
async function spreadFolder(folder: string): Promise<string> {
  await call(["sh", "-c", `mkdir '${folder}' && { chattr +T '${folder}' 2> /dev/null || true; }`]);
  return folder;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function parseOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string" },
      rows: { type: "string", default: CORPUS_NAMES.join(",") },
      runtime: { type: "string", default: "bun" },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      programs: { type: "string", default: PEER_NAMES.join(",") },
      scratch: { type: "string", default: SCRATCH },
      out: { type: "string" },
      keep: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const rows = CORPUS_NAMES.filter((name) => values.rows.split(",").includes(name));
  const runtime = RUNTIME_NAMES.find((name) => name === values.runtime);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Fault("input", "bench: --rounds must be a whole number from 1 on");
  if (rows.length === 0) throw new Fault("input", `bench: --rows must name some of ${CORPUS_NAMES.join(",")}`);
  if (runtime === undefined) throw new Fault("input", `bench: --runtime must be one of ${RUNTIME_NAMES.join(", ")}`);
  if (values.only !== undefined && !["ours", "peers"].includes(values.only)) throw new Fault("input", "bench: --only must be ours or peers");
  const scratch = resolve(values.scratch);
  return {
    rounds,
    rows,
    runtime,
    quick: values.quick,
    only: values.only,
    programs: values.programs.split(","),
    scratch,
    out: resolve(values.out ?? join(scratch, "results.json")),
    keep: values.keep,
  };
}
