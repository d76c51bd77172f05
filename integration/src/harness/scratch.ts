/** Folders that are gone when the test is: what a run leaves behind is a bug of the test. */
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Scratch extends Disposable {
  readonly path: string;
  /** A path below; nothing is made. */
  at(...names: string[]): string;
  /** A fresh folder below. */
  folder(...names: string[]): string;
}

/** A fresh scratch folder, mode 0700, below TMPDIR. `HOLDFAST_KEEP=1` leaves it for a look. */
export function createScratch(name: string): Scratch {
  const path = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  return {
    path,
    at: (...names) => join(path, ...names),
    folder(...names) {
      const folder = join(path, ...names);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    [Symbol.dispose]() {
      if (process.env.HOLDFAST_KEEP === "1") console.error(`kept: ${path}`);
      // By rm: names that are not UTF-8 and read-only folders are no trouble to it.
      else Bun.spawnSync(["rm", "-rf", path]);
    },
  };
}
