/** From arguments, environment and configuration to what one or several backups are asked to do. Options win over environment over set over defaults. */
import { resolve } from "node:path";
import { compareBytes, type Disk, Fault, utf8, utf8ToText } from "@holdfast/base";
import { LABEL_BYTES_MAX } from "@holdfast/protocol";
import { requireSize } from "../cli/sizes.ts";
import type { BackupSet, BackupSettings, Config } from "../config/config-file.ts";
import type { BackupOptions } from "../pipeline/backup-options.ts";

/** Options of `holdfast backup` as commander gives them. */
export interface BackupCommandOptions {
  readonly exclude?: readonly string[];
  readonly excludeFile?: readonly string[];
  readonly excludeCaches?: true;
  readonly excludeIfPresent?: readonly string[];
  readonly excludeLargerThan?: string;
  readonly oneFileSystem?: true;
  readonly stdin?: true;
  readonly stdinName?: string;
  readonly dryRun?: true;
  readonly tag?: readonly string[];
  readonly set?: string;
  readonly host?: string;
  readonly force?: true;
  readonly workers?: string;
}

export interface PlanSurroundings {
  readonly disk: Disk;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly currentFolder: string;
  readonly hostName: string;
}

const EXCLUDE_FILE_BYTES_MAX = 16 * 1024 * 1024;
const WORKERS_MAX = 64;
const STDIN_NAME = "stdin";

/** One plan for the paths given, or for the set named, or for each set of the configuration. Nothing to back up: `input`. */
export function planBackups(options: BackupCommandOptions, paths: readonly string[], config: Config, surroundings: PlanSurroundings): BackupOptions[] {
  if (options.stdinName !== undefined && options.stdin === undefined) throw new Fault("input", "--stdin-name: goes with --stdin");
  if (options.stdin === true) {
    if (paths.length > 0) throw new Fault("input", "--stdin: takes no paths");
    return [planOne(options, { ...config.defaults, name: options.set ?? null, paths: [] }, surroundings)];
  }
  if (paths.length > 0) return [planOne(options, { ...config.defaults, name: options.set ?? null, paths }, surroundings)];
  const sets = config.sets.filter((set) => options.set === undefined || set.name === options.set);
  if (sets.length === 0) {
    throw new Fault(
      "input",
      options.set === undefined
        ? "backup: nothing to back up; name paths, or write sets into the configuration (--config)"
        : `--set: the configuration has no set ${JSON.stringify(options.set)}`,
    );
  }
  return sets.map((set) => planOne(options, merged(config.defaults, set), surroundings));
}

type Source = BackupSettings & { readonly name: string | null; readonly paths: readonly string[] };

/** Lists add up; single values of the set win. */
function merged(defaults: BackupSettings, set: BackupSet): Source {
  const joined = <Key extends "exclude" | "exclude-file" | "exclude-if-present" | "tags">(key: Key): readonly string[] => [
    ...(defaults[key] ?? []),
    ...(set[key] ?? []),
  ];
  const lists = {
    exclude: joined("exclude"),
    "exclude-file": joined("exclude-file"),
    "exclude-if-present": joined("exclude-if-present"),
    tags: joined("tags"),
  };
  return { ...defaults, ...set, ...lists } as Source;
}

function planOne(options: BackupCommandOptions, source: Source, surroundings: PlanSurroundings): BackupOptions {
  const { disk, environment, currentFolder } = surroundings;
  const excludeFiles = [...(source["exclude-file"] ?? []), ...(options.excludeFile ?? []).map((file) => resolve(currentFolder, file))];
  const setName = source.name === null ? null : checkedLabel(source.name, "--set");
  const tags = [...(source.tags ?? []), ...(options.tag ?? textsOf(environment["HOLDFAST_TAGS"]))].map((tag) => checkedLabel(tag, "--tag"));
  return {
    paths: source.paths.map((path) => pathBytes(path, currentFolder)),
    host: checkedLabel(options.host ?? (environment["HOLDFAST_HOST"] || undefined) ?? source.host ?? surroundings.hostName, "--host"),
    tags: sortedTexts(tags),
    setName,
    excludes: [...(source.exclude ?? []), ...excludeFiles.flatMap((file) => readPatterns(disk, file)), ...(options.exclude ?? [])],
    excludeCaches: options.excludeCaches ?? source["exclude-caches"] ?? false,
    excludeIfPresent: [...(source["exclude-if-present"] ?? []), ...(options.excludeIfPresent ?? [])].map(checkedName),
    oneFileSystem: options.oneFileSystem ?? source["one-file-system"] ?? false,
    excludeLargerThanBytes:
      options.excludeLargerThan === undefined ? (source["exclude-larger-than"] ?? null) : requireSize(options.excludeLargerThan, "--exclude-larger-than"),
    stdinName: options.stdin === true ? checkedName(options.stdinName ?? STDIN_NAME) : null,
    dryRun: options.dryRun ?? false,
    force: options.force ?? false,
    workerCount: checkedWorkerCount(options.workers ?? (environment["HOLDFAST_WORKERS"] || undefined)) ?? source.workers ?? null,
    preferNative: environment["HOLDFAST_NATIVE"] !== "0",
  };
}

/** Absolute, without `.` and `..` and a slash at the end. */
function pathBytes(path: string, currentFolder: string): Uint8Array {
  if (path === "") throw new Fault("input", "path: empty");
  return utf8(resolve(currentFolder, path));
}

/** Lines of a file of patterns; those that are empty or begin with # are for people. */
function readPatterns(disk: Disk, file: string): string[] {
  const bytes = disk.readFile(file, EXCLUDE_FILE_BYTES_MAX);
  if (bytes === null) throw new Fault("input", `--exclude-file: ${file}: no such file`);
  const text = utf8ToText(bytes);
  if (text === null) throw new Fault("input", `--exclude-file: ${file}: is not UTF-8 text`);
  return text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
}

/** Number of threads that an option or variable names, or `null`. */
export function checkedWorkerCount(given: string | undefined): number | null {
  if (given === undefined) return null;
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1 || count > WORKERS_MAX)
    throw new Fault("input", `--workers: got ${JSON.stringify(given)}, want 1 to ${WORKERS_MAX}`);
  return count;
}

function checkedLabel(text: string, what: string): string {
  if (text === "" || utf8(text).length > LABEL_BYTES_MAX) throw new Fault("input", `${what}: want 1 to ${LABEL_BYTES_MAX} bytes`);
  return text;
}

function checkedName(name: string): string {
  const isName = name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name) && utf8(name).length <= 255;
  if (!isName) throw new Fault("input", `name: got ${JSON.stringify(name)}, want the name of one file, without a slash`);
  return name;
}

function textsOf(joined: string | undefined): readonly string[] {
  return (joined ?? "").split(",").filter((text) => text !== "");
}

/** Ascending by UTF-8, each once: as snapshots have them. */
function sortedTexts(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort((left, right) => compareBytes(utf8(left), utf8(right)));
}
