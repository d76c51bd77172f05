/** Reads the vectors of this package for its tests: files named `operation.case.json` (docs/format.md §20). */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { assertDefined, type Bytes, hexToBytes } from "@holdfast/base";

export interface Vector {
  readonly operation: string;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has inputs of its own, and a wrong one fails its test.
  readonly input: any;
  readonly expect: Readonly<Record<string, unknown>>;
}

export function readVectors(): Vector[] {
  const folder = new URL("../../vectors/", import.meta.url);
  return readdirSync(fileURLToPath(folder))
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => ({ operation: name.slice(0, name.indexOf(".")), name, ...JSON.parse(readFileSync(new URL(name, folder), "utf8")) }) as Vector);
}

export function fromHex(hex: string): Bytes {
  return assertDefined(hexToBytes(hex), "vector: is hexadecimal");
}
