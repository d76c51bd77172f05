/** Types of runtimes.mjs, for the tests that start whole programs under each runtime. */

export type RuntimeName = "bun" | "node24" | "deno" | "node20";

export interface Runtime {
  readonly name: RuntimeName;
  readonly command: string;
  readonly version: string;
  readonly from: string;
}

export const ROOT: string;
export const RUNTIME_NAMES: readonly RuntimeName[];
export function findRuntime(name: RuntimeName): Runtime | null;
export function runtimeEnvironment(): Record<string, string>;
