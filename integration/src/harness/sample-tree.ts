/**
 * Trees to back up. `makeSampleTree` holds every kind of entry that a file system can: what a restore must bring back is
 * compared in compare.ts. Made by the shell, because names that are not UTF-8 are out of reach of some runtimes.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createSeededRandom } from "@holdfast/testkit";
import { findProgram, runOk } from "./run.ts";

export interface SampleOptions {
  readonly seed?: number;
  /** Device nodes, foreign owners, trusted xattrs: only root can make them. Default: whether we are root. */
  readonly asRoot?: boolean;
}

/** Files of content that no other file has, and the largest, which is cut into several chunks. */
const PLAIN_FILES = 40;
const BIG_FILE_BYTES = 9 * 1024 * 1024;

/** Fills `folder`, which is made, with about a hundred entries of every kind. */
export async function makeSampleTree(folder: string, options: SampleOptions = {}): Promise<void> {
  const random = createSeededRandom(options.seed ?? 1);
  mkdirSync(join(folder, "plain", "deep", "er", "still"), { recursive: true });
  for (let number = 0; number < PLAIN_FILES; number++) {
    const place = ["plain", "plain/deep", "plain/deep/er", "plain/deep/er/still"][Math.floor(number / 10)] as string;
    writeFileSync(join(folder, place, `file-${number}.txt`), random.bytes(random.below(60_000)));
  }
  writeFileSync(join(folder, "big.bin"), random.bytes(BIG_FILE_BYTES));
  writeFileSync(join(folder, "text.txt"), "the same words again and again\n".repeat(20_000));
  writeFileSync(join(folder, "empty-file"), "");
  await runOk(["sh", "-eu", "-c", COMMON], { cwd: folder });
  if (findProgram("setfattr") !== null) await runOk(["sh", "-eu", "-c", XATTRS], { cwd: folder });
  if (findProgram("setfacl") !== null) await runOk(["sh", "-eu", "-c", ACLS], { cwd: folder });
  if (options.asRoot ?? process.getuid?.() === 0) await runOk(["sh", "-eu", "-c", ROOT_ONLY], { cwd: folder });
  await runOk(["sh", "-eu", "-c", TIMES], { cwd: folder });
}

const COMMON = `
mkdir -p empty-folder links modes names sparse
ln -s ../plain/file-0.txt links/relative
ln -s /nowhere/at/all links/dangling
ln -s . links/to-itself
ln links/../text.txt links/hard-one
ln text.txt links/hard-two
ln -P links/dangling links/hard-link-of-a-symlink
mkfifo links/fifo
for mode in 0000 0400 0644 0755 1755 2755 4755 6711; do printf 'mode %s' $mode > modes/m$mode; chmod $mode modes/m$mode; done
mkdir modes/sticky modes/setgid modes/read-only
printf 'inside' > modes/read-only/file
chmod 1777 modes/sticky; chmod 2775 modes/setgid; chmod 0555 modes/read-only
printf 'a' > 'names/with space'; printf 'b' > "$(printf 'names/new\\nline')"; printf 'c' > 'names/-dash'; printf 'd' > 'names/ünï'
printf 'e' > "$(printf 'names/latin1-\\351\\377')"; printf 'f' > 'names/quote"and'"'"'s'; printf 'g' > 'names/back\\slash'
mkdir "$(printf 'names/folder-\\374')"; printf 'h' > "$(printf 'names/folder-\\374/in-\\200')"
printf 'i' > "names/$(printf 'x%.0s' $(seq 1 255))"
printf 'j' > 'names/..dots'; printf 'k' > 'names/*?[glob]'
truncate -s 16M sparse/hole-only
truncate -s 8M sparse/data-in-the-middle; printf 'in the middle' | dd of=sparse/data-in-the-middle bs=1 seek=4194304 conv=notrunc status=none
printf 'at the start' > sparse/hole-at-the-end; truncate -s 3M sparse/hole-at-the-end
`;

const XATTRS = `
setfattr -n user.plain -v 'value' plain/file-0.txt
setfattr -n user.binary -v 0x00ff10 plain/file-0.txt
setfattr -n user.empty plain/file-1.txt
setfattr -n user.folder -v 'of a folder' empty-folder
`;

const ACLS = `
setfacl -m u:12345:r,g:12346:rw plain/file-2.txt
setfacl -d -m u:12345:rwx modes/setgid
`;

const ROOT_ONLY = `
mknod links/character c 1 3
mknod links/block b 7 200
printf 'owned' > modes/owned; chown 12345:54321 modes/owned
chown -h 12345:12345 links/relative
if command -v setfattr > /dev/null; then setfattr -n trusted.ours -v 'for root' plain/file-3.txt; fi
if command -v setcap > /dev/null; then printf 'x' > modes/capable; setcap cap_net_raw+ep modes/capable; fi
`;

/** Last: whatever writes into a folder moves its time. */
const TIMES = `
touch -d '2001-02-03 04:05:06.123456789 UTC' plain/file-4.txt
touch -d '1969-12-31 23:59:58.000000001 UTC' plain/file-5.txt
touch -d '2040-01-01 00:00:00.999999999 UTC' plain/file-6.txt
touch -h -d '2010-10-10 10:10:10.101010101 UTC' links/relative links/dangling
touch -d '2011-11-11 11:11:11.111111111 UTC' links/fifo
touch -d '2015-05-05 05:05:05.505050505 UTC' empty-folder modes/read-only plain/deep/er names
`;

/** `count` files of a few hundred bytes in folders of 100, for runs where numbers matter and kinds do not. */
export function makeManyFiles(folder: string, count: number, seed = 1): void {
  const random = createSeededRandom(seed);
  for (let number = 0; number < count; number++) {
    const parent = join(folder, `d${Math.floor(number / 100)}`);
    if (number % 100 === 0) mkdirSync(parent, { recursive: true });
    writeFileSync(join(parent, `f${number}`), `${number} ${random.u32()} ${"text ".repeat(random.below(100))}`);
  }
}

/** One file of `byteCount` random bytes, which neither compress nor repeat. */
export function makeRandomFile(path: string, byteCount: number, seed: number): void {
  const random = createSeededRandom(seed);
  const file = openSync(path, "w");
  for (let left = byteCount; left > 0; left -= 1 << 20) writeSync(file, random.bytes(Math.min(left, 1 << 20)));
  closeSync(file);
}
