/** The proofs of the foundation: a real folder backed up and restored, on three runtimes, by formats that others can read. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { FULL_SIZES, makeCorpora } from "../../bench/corpora.ts";
import { LIMIT, median, OURS, type Sample } from "../../bench/table.ts";
import { findRuntime, ROOT } from "../../tools/runtimes.mjs";
import { countTree } from "../harness/compare.ts";
import { install } from "../harness/installation.ts";
import { ROOT_USER, skipWithout } from "../harness/needs.ts";
import { run, said } from "../harness/run.ts";
import { makeManyFiles } from "../harness/sample-tree.ts";
import { countReads } from "../harness/unchanged.ts";
import type { Outcome, Proof } from "./proof.ts";
import { testFile } from "./test-file.ts";

const BUN: string = findRuntime("bun")?.command ?? "bun";
const INTEGRATION = join(ROOT, "integration");
const SCRATCH = join(ROOT, "scratch");
const UNCHANGED_FILES = 60_000;
const MEMORY_MB_MAX = 300;
const SLOWER_MAX = 1.5;
const TESTS_SECONDS_MAX = 900;
const LONG_MS = 3_600_000;

export const FOUNDATION: readonly Proof[] = [
  {
    name: "demo",
    claim: "the repository with its dependencies comes back the same, by rsync and by find and sha256sum",
    check: () => demo([]),
  },
  {
    name: "demo-usr",
    claim: "/usr/share comes back the same",
    check: () => (existsSync("/usr/share") ? demo(["/usr/share"]) : Promise.resolve({ holds: null, figure: "this machine has no /usr/share" })),
  },
  {
    name: "matrix",
    claim: "backup under each of four runtimes, restore under each",
    check: () => testFile("integration/src/matrix.test.ts", 20, "4 backups and 16 restores"),
  },
  { name: "vectors", claim: "published and own vectors, in all runtimes", check: vectors },
  { name: "secrecy", claim: "the node's data and log hold no known string", check: () => testFile("integration/src/secrecy.test.ts", 5, "searches") },
  { name: "unchanged", claim: `nothing-changed backup of ${UNCHANGED_FILES} files opens none`, check: unchanged },
  {
    name: "independent",
    claim: "a reader in Python, written from docs/format.md alone, restores a vault",
    check: () => testFile("integration/src/independent.test.ts", 4, "tests"),
  },
  { name: "memory", claim: `peak memory below ${MEMORY_MB_MAX} MB on a sample of /usr`, check: memory },
  { name: "bench", claim: `no row slower than ${SLOWER_MAX} times the best of restic and borg`, check: bench },
  { name: "tests", claim: `npm test passes in less than ${TESTS_SECONDS_MAX} s`, check: tests },
];

async function demo(args: readonly string[]): Promise<Outcome> {
  const root = skipWithout(ROOT_USER, "rsync");
  const ran = await run([BUN, join(INTEGRATION, "src/demo/main.ts"), ...args], { cwd: ROOT, limitMs: LONG_MS });
  const { files } = await countTree(args[0] ?? ROOT);
  const how = root === false ? "rsync prints nothing, as root" : "by our own comparison only";
  return {
    holds: ran.code === 0 && /SUCCESS/.test(ran.stdout),
    figure: `${files.toLocaleString("en")} files in ${seconds(ran.wallMs)} s, ${how}`,
    detail: said(ran),
  };
}

async function vectors(): Promise<Outcome> {
  const ran = await run([process.env.HOLDFAST_NODE20 ?? "node", "integration/tools/test-runner.mjs", "crypto", "protocol", "vault"], {
    cwd: ROOT,
    limitMs: LONG_MS,
  });
  const total = /^total: (.*)$/m.exec(ran.stdout)?.[1] ?? "no total";
  const published = existsSync(join(ROOT, "..", "shared", "vectors"))
    ? "with the large published sets"
    : "without the large published sets, which are not here";
  return { holds: ran.code === 0, figure: `${total}; ${published}`, detail: said(ran) };
}

async function unchanged(): Promise<Outcome> {
  const reason = skipWithout("strace");
  if (reason !== false) return { holds: null, figure: reason };
  await using installation = await install("prove-unchanged");
  const source = installation.scratch.folder("source");
  makeManyFiles(source, UNCHANGED_FILES);
  await Bun.sleep(3000); // The change rule reads again what is younger than two seconds.
  await installation.agent.ok(["backup", source]);
  const counts = await countReads(installation, source, "bun");
  const ran = await installation.agent.ok(["backup", source]);
  return {
    holds: counts.filesOpened === 0 && counts.fileReads === 0,
    figure: `files opened ${counts.filesOpened}, reads ${counts.fileReads}; without strace it takes ${seconds(ran.wallMs)} s`,
  };
}

async function memory(): Promise<Outcome> {
  const [corpus] = await makeCorpora(join(SCRATCH, "bench"), ["sys"], FULL_SIZES);
  if (corpus === undefined) return { holds: null, figure: "no corpus" };
  await using installation = await install("prove-memory");
  const { agent, node, scratch } = installation;
  node.resetPeak();
  const backup = await agent.ok(["backup", corpus.folder], { limitMs: LONG_MS });
  const nodeMb = megabytes(node.peakKib());
  node.resetPeak();
  const restore = await agent.ok(["restore", "latest", "--target", scratch.at("restored")], { limitMs: LONG_MS });
  const figures = {
    "agent, backup": megabytes(backup.peakKib),
    "node, backup": nodeMb,
    "agent, restore": megabytes(restore.peakKib),
    "node, restore": megabytes(node.peakKib()),
  };
  return {
    holds: Object.values(figures).every((figure) => figure < MEMORY_MB_MAX),
    figure: Object.entries(figures)
      .map(([name, figure]) => `${name} ${figure} MB`)
      .join("; "),
  };
}

async function bench(): Promise<Outcome> {
  const reason = skipWithout("restic", "borg");
  if (reason !== false) return { holds: null, figure: reason };
  const out = join(SCRATCH, "prove-bench.json");
  mkdirSync(SCRATCH, { recursive: true });
  rmSync(out, { force: true });
  const ran = await run([BUN, join(INTEGRATION, "bench/main.ts"), "--rounds", "1", "--out", out], { cwd: ROOT, limitMs: LONG_MS });
  if (ran.code !== 0) return { holds: false, figure: "the benchmark did not come to its end", detail: said(ran) };
  const { samples } = JSON.parse(readFileSync(out, "utf8")) as { samples: readonly Sample[] };
  const rows = rowRatios(samples);
  const worst = [...rows].sort((left, right) => right.ratio - left.ratio)[0];
  return {
    holds: rows.length > 0 && rows.every(({ ratio }) => ratio <= SLOWER_MAX),
    figure: `rows ${rows.length}, worst ${worst?.name} at ${worst?.ratio.toFixed(2)} times the best peer`,
    detail: ran.stdout,
  };
}

/** Our wall time over that of the fastest peer, for every step that both did. */
function rowRatios(samples: readonly Sample[]): { name: string; ratio: number }[] {
  const times = new Map<string, Map<string, number[]>>();
  for (const { corpus, step, program, wallMs } of samples) {
    const row = times.get(`${corpus} ${step}`) ?? new Map<string, number[]>();
    row.set(program, [...(row.get(program) ?? []), wallMs]);
    times.set(`${corpus} ${step}`, row);
  }
  return [...times].flatMap(([name, row]) => {
    const ours = row.get(OURS);
    const peers = [...row].filter(([program]) => program !== OURS && program !== LIMIT).map(([, values]) => median(values));
    return ours === undefined || peers.length === 0 ? [] : [{ name, ratio: median(ours) / Math.min(...peers) }];
  });
}

async function tests(): Promise<Outcome> {
  const ran = await run([process.env.HOLDFAST_NODE20 ?? "node", "integration/tools/test.mjs"], { cwd: ROOT, limitMs: LONG_MS });
  const sum = /^\d+ passed, .*$/m.exec(ran.stdout.split("\n").slice(-5).join("\n"))?.[0] ?? "no sum";
  return { holds: ran.code === 0 && ran.wallMs < TESTS_SECONDS_MAX * 1000, figure: `${sum}, in ${seconds(ran.wallMs)} s`, detail: said(ran) };
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function megabytes(kib: number): number {
  return Math.round((kib * 1024) / 1e6);
}
