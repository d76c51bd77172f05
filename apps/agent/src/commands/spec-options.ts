/** Options by which commands are told which snapshots `latest` may mean. */
import { resolve } from "node:path";
import { utf8 } from "@holdfast/base";
import type { Command } from "commander";
import type { SnapshotFilters } from "../restore/index.ts";

export interface FilterOptions {
  readonly host?: string;
  readonly tag?: readonly string[];
  readonly path?: readonly string[];
}

export const SPEC_HELP = "latest, or at least 4 digits of a snapshot's id; with :PATH, only what lies there";

export function withFilterOptions(command: Command): Command {
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  return command
    .option("--host <host>", "latest: only snapshots of HOST")
    .option("--tag <tag>", "latest: only snapshots with TAG; may be given again", collect)
    .option("--path <path>", "latest: only snapshots that were given PATH; may be given again", collect);
}

export function filtersOf({ host, tag, path }: FilterOptions, currentFolder: string): SnapshotFilters {
  return { host: host ?? null, tags: tag ?? [], paths: (path ?? []).map((one) => utf8(resolve(currentFolder, one))) };
}
