/** Reads vectors for tests: our own files, which must be there, and the optional Wycheproof files beside the project. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cwd } from "node:process";
import { fileURLToPath } from "node:url";
import { assertDefined, type Bytes, hexToBytes } from "@holdfast/base";

/** One file of docs/format.md §20. Its name is `operation.case.json`. */
export interface Vector {
  readonly operation: string;
  readonly name: string;
  readonly about: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has inputs of its own, and a wrong one fails its test.
  readonly input: any;
  readonly expect: Readonly<Record<string, unknown>>;
}

export function readVectors(): Vector[] {
  const folder = join(projectFolder(), "packages/crypto/vectors");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => ({ operation: name.slice(0, name.indexOf(".")), name, ...JSON.parse(readFileSync(join(folder, name), "utf8")) }) as Vector);
}

/** Groups of a Wycheproof file, or `null` when the folder `../shared/vectors` is absent. */
// biome-ignore lint/suspicious/noExplicitAny: foreign data, read by tests only.
export function readWycheproof(name: string): any[] | null {
  const path = join(projectFolder(), "../shared/vectors", `wycheproof-${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).testGroups : null;
}

export function fromHex(hex: string): Bytes {
  return assertDefined(hexToBytes(hex), `vector: not hexadecimal: ${hex.slice(0, 20)}`);
}

/** The folder above this file, or above the working folder when this file was bundled elsewhere, that has our vectors. */
function projectFolder(): string {
  for (const start of [dirname(fileURLToPath(import.meta.url)), cwd()]) {
    for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
      if (existsSync(join(folder, "packages/crypto/vectors"))) return folder;
    }
  }
  throw new Error("no packages/crypto/vectors above this file or the working folder");
}
