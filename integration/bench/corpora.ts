/**
 * The three corpora, made once below the scratch folder and kept: `sys` (a sample of the real /usr), `big` (one tar of
 * it, and the same with 1 MB inserted), `tiny` (100,000 files of at most 2 KB from a generator).
 */
import { closeSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { call } from "./measure.ts";

export type CorpusName = "sys" | "big" | "tiny";

export interface Corpus {
  readonly name: CorpusName;
  /** The folder that is backed up. */
  readonly folder: string;
  /** Puts the corpus into its first state, or into that of the second backup. */
  readonly showFirst: () => void;
  readonly showChanged: () => void;
}

export interface CorpusSizes {
  readonly sysFiles: number;
  readonly sysBytes: number;
  readonly bigBytes: number;
  readonly tinyFiles: number;
}

export const FULL_SIZES: CorpusSizes = { sysFiles: 60_000, sysBytes: 1_400_000_000, bigBytes: 800_000_000, tinyFiles: 100_000 };
export const QUICK_SIZES: CorpusSizes = { sysFiles: 2_000, sysBytes: 50_000_000, bigBytes: 30_000_000, tinyFiles: 2_000 };

const TINY_FILES_IN_A_FOLDER = 100;
const TINY_BYTES_MAX = 2048;
const INSERTED_BYTES = 1_000_000;
const COPY_BYTES = 1 << 20;
const SYS_SOURCE = "/usr";
const SYS_BYTES_SLACK = 0.05; // Share of the bytes that may be ahead of the files.

/** Makes what is missing and gives the corpora that `names` lists. */
export async function makeCorpora(scratch: string, names: readonly CorpusName[], sizes: CorpusSizes): Promise<Corpus[]> {
  const root = join(scratch, `corpora-${sizes.tinyFiles}`);
  mkdirSync(root, { recursive: true });
  const corpora: Corpus[] = [];
  for (const name of names) corpora.push(await CORPUS_MAKERS[name](root, sizes));
  return corpora;
}

const CORPUS_MAKERS: Record<CorpusName, (root: string, sizes: CorpusSizes) => Promise<Corpus>> = {
  sys: makeSys,
  big: makeBig,
  tiny: makeTiny,
};

async function makeSys(root: string, sizes: CorpusSizes): Promise<Corpus> {
  const folder = join(root, "sys");
  await once(folder, async () => {
    const list = join(root, "sys-list");
    writeFileSync(list, samplePaths(sizes).join("\0"));
    // Hard links, modes, times and symlinks stay what they are; parents of sampled files come along.
    await call(["sh", "-c", `tar -C / --null --no-recursion -T '${list}' -cf - | tar -C '${folder}' -xpf -`]);
  });
  return unchanging("sys", folder);
}

/** Whole folders of /usr in the order of a hash of their path, until the files or the bytes suffice. */
function samplePaths(sizes: CorpusSizes): string[] {
  const folders: { path: string; hash: number; bytes: number; names: string[] }[] = [];
  const queue = [SYS_SOURCE];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const names: string[] = [];
    let bytes = 0;
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const whole = join(path, entry.name);
      if (entry.isDirectory()) queue.push(whole);
      if (!entry.isFile() && !entry.isSymbolicLink()) continue;
      names.push(whole);
      bytes += lstatSync(whole).size;
    }
    folders.push({ path, hash: hashOf(path), bytes, names });
  }
  folders.sort((a, b) => a.hash - b.hash || (a.path < b.path ? -1 : 1));
  const chosen: string[] = [];
  let chosenBytes = 0;
  for (const folder of folders) {
    const count = chosen.length + folder.names.length;
    const bytes = chosenBytes + folder.bytes;
    // Files and bytes grow in step, so that a few huge programs do not use up the bytes.
    const bytesMax = Math.min(1, count / sizes.sysFiles + SYS_BYTES_SLACK) * sizes.sysBytes;
    if (count > sizes.sysFiles || bytes > bytesMax) continue;
    for (const name of folder.names) chosen.push(name.slice(1));
    chosenBytes = bytes;
  }
  return chosen.sort();
}

async function makeBig(root: string, sizes: CorpusSizes): Promise<Corpus> {
  const folder = join(root, "big");
  const kept = join(root, "big-versions");
  const shown = join(folder, "data.tar");
  const [first, changed] = [join(kept, "first.tar"), join(kept, "changed.tar")];
  await once(kept, async () => {
    mkdirSync(folder, { recursive: true });
    rmSync(shown, { force: true });
    // The tar is cut at its length, so its writer ends by a broken pipe.
    await call(["sh", "-c", `tar -C ${SYS_SOURCE} --sort=name -cf - lib bin sbin share 2>/dev/null | head -c ${sizes.bigBytes} > '${first}'`]);
    insertInTheMiddle(first, changed);
  });
  const show = (wanted: string, other: string) => () => {
    if (existsSync(wanted)) {
      if (existsSync(shown)) renameSync(shown, other);
      renameSync(wanted, shown);
    }
  };
  return { name: "big", folder, showFirst: show(first, changed), showChanged: show(changed, first) };
}

function insertInTheMiddle(source: string, target: string): void {
  const middle = Math.floor(statSync(source).size / 2) + 12_345;
  const random = createGenerator(2);
  const inserted = Uint8Array.from({ length: INSERTED_BYTES }, () => random() & 0xff);
  const [from, to] = [openSync(source, "r"), openSync(target, "wx")];
  const buffer = new Uint8Array(COPY_BYTES);
  let position = 0;
  for (;;) {
    const wanted = position < middle ? Math.min(COPY_BYTES, middle - position) : COPY_BYTES;
    const count = readSync(from, buffer, 0, wanted, position);
    if (count === 0) break;
    writeSync(to, buffer, 0, count);
    position += count;
    if (position === middle) writeSync(to, inserted);
  }
  closeSync(from);
  closeSync(to);
}

async function makeTiny(root: string, sizes: CorpusSizes): Promise<Corpus> {
  const folder = join(root, "tiny");
  await once(folder, async () => {
    const random = createGenerator(1);
    const words = Array.from({ length: 4000 }, () => wordOf(random));
    for (let number = 0; number < sizes.tinyFiles; number++) {
      const parent = join(folder, `d${Math.floor(number / TINY_FILES_IN_A_FOLDER)}`);
      if (number % TINY_FILES_IN_A_FOLDER === 0) mkdirSync(parent);
      writeFileSync(join(parent, `f${number}.txt`), tinyText(random, words));
    }
  });
  return unchanging("tiny", folder);
}

/** Words and numbers, at most TINY_BYTES_MAX of them, about half of that on average. */
function tinyText(random: () => number, words: readonly string[]): string {
  const length = random() % (TINY_BYTES_MAX + 1);
  let text = "";
  while (text.length < length) text += `${words[random() % words.length]} ${random() % 3 === 0 ? random().toString(16) : ""}${random() % 9 === 0 ? "\n" : " "}`;
  return text.slice(0, length);
}

function wordOf(random: () => number): string {
  return Array.from({ length: 2 + (random() % 8) }, () => String.fromCharCode(97 + (random() % 26))).join("");
}

/** Numbers from 0 to 2^32 − 1, the same for the same seed everywhere (xorshift32). */
export function createGenerator(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

function hashOf(text: string): number {
  let hash = 2166136261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619) >>> 0;
  return hash;
}

function unchanging(name: CorpusName, folder: string): Corpus {
  return { name, folder, showFirst: () => {}, showChanged: () => {} };
}

/** Fills `folder` unless an earlier run did so to its end. */
async function once(folder: string, fill: () => Promise<void>): Promise<void> {
  const done = `${folder}.done`;
  if (existsSync(done)) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await fill();
  writeFileSync(done, "");
}
