/** `holdfast restore`: a snapshot, or part of it, into a folder. */
import { resolve } from "node:path";
import { Fault } from "@holdfast/base";
import { EXIT_CODES, type ExitCode } from "../cli/exit-codes.ts";
import { createProgress } from "../cli/progress.ts";
import type { Registry, Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { formatDuration, formatSize } from "../cli/sizes.ts";
import type { Overwrite, RestoreEvents, RestoreOptions, RestoreResult } from "../restore/index.ts";
import { writeVerifiedMs } from "../state/verified.ts";
import { checkedWorkerCount } from "./backup-plan.ts";
import { type FilterOptions, filtersOf, SPEC_HELP, withFilterOptions } from "./spec-options.ts";

interface RestoreCommandOptions extends FilterOptions {
  readonly target: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly overwrite?: string;
  readonly dryRun?: true;
  readonly verify?: true;
  readonly numericOwner?: true;
  readonly owner?: boolean;
  readonly allowSpecial?: true;
  readonly allowSetuid?: true;
  readonly workers?: string;
}

const OVERWRITES: readonly Overwrite[] = ["never", "if-changed", "always"];

export function registerRestore({ program, action }: Registry): void {
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  const command = withFilterOptions(program.command("restore"))
    .summary("restore a snapshot, or part of it, into a folder")
    .description("Restores a snapshot into a folder: all of it with its paths below the folder, or with :PATH the content of that folder, or that one file.")
    .argument("<snapshot>", SPEC_HELP)
    .requiredOption("--target <dir>", "folder to restore into; made when it is missing")
    .option("--include <pattern>", "only what PATTERN matches, in gitignore syntax; may be given again", collect)
    .option("--exclude <pattern>", "leave out what PATTERN matches; may be given again", collect)
    .option("--overwrite <when>", "never, if-changed or always; without it a folder that is not empty is refused")
    .option("--dry-run", "look everything up, write nothing")
    .option("--verify", "read every file back and compare")
    .option("--numeric-owner", "take the numbers of users and groups, not their names")
    .option("--owner", "restore owners (default when run as root)")
    .option("--no-owner", "do not restore owners")
    .option("--allow-special", "make device nodes")
    .option("--allow-setuid", "keep setuid, setgid and file capabilities")
    .option("--workers <count>", "threads that open and write (default: as many as processors, at most 4)")
    .addHelpText(
      "after",
      "\nExamples:\n  holdfast restore latest --target /tmp/all\n  holdfast restore latest:/etc --host web-1 --target /tmp/etc\n  holdfast restore 4f1c08e2:/home/you/thesis.odt --target ~/found --verify",
    );
  action<RestoreCommandOptions>(command, restore);
}

async function restore(run: Run, options: RestoreCommandOptions, [spec]: readonly string[]): Promise<ExitCode> {
  const restoreOptions = optionsOf(run, options);
  const { restoreSnapshot } = await run.operations.restoring();
  await using session = await run.openSession();
  const startMs = run.ports.clock.monotonicMs();
  const progress = createProgress(run);
  const tell = (kind: "warning" | "failure") => (path: string, reason: string) => {
    if (run.isJson) run.terminal.write(JSON.stringify({ event: kind, path, reason }));
    else run.terminal.note(`${kind === "warning" ? "warning" : "not restored"}: ${path}: ${safeText(reason)}`);
  };
  const events: RestoreEvents = {
    onProgress({ filesDone, filesTotal, bytesDone, bytesTotal }) {
      progress.update({ bytesDone, bytesTotal, entriesDone: filesDone, entriesTotal: filesTotal, extra: "" }, { filesDone, filesTotal, bytesDone, bytesTotal });
    },
    onWarning: tell("warning"),
    onFailure: tell("failure"),
  };
  try {
    const result = await restoreSnapshot(session, spec as string, restoreOptions, events);
    progress.end();
    if (restoreOptions.verify && !restoreOptions.dryRun && result.failureCount === 0) writeVerifiedMs(run.ports.disk, run.paths, run.ports.clock.nowMs());
    report(run, options, result, run.ports.clock.monotonicMs() - startMs);
    return result.failureCount > 0 ? EXIT_CODES.incomplete : EXIT_CODES.done;
  } finally {
    progress.end();
  }
}

function optionsOf(run: Run, options: RestoreCommandOptions): RestoreOptions {
  const { overwrite } = options;
  if (overwrite !== undefined && !OVERWRITES.includes(overwrite as Overwrite))
    throw new Fault("input", `--overwrite: got ${JSON.stringify(overwrite)}, want ${OVERWRITES.join(", ")}`);
  const workers = checkedWorkerCount(options.workers ?? (run.environment["HOLDFAST_WORKERS"] || undefined));
  return {
    target: resolve(run.currentFolder, options.target),
    filters: filtersOf(options, run.currentFolder),
    include: options.include ?? [],
    exclude: options.exclude ?? [],
    dryRun: options.dryRun ?? false,
    verify: options.verify ?? false,
    numericOwner: options.numericOwner ?? false,
    owner: options.owner ?? run.isRoot,
    allowSpecial: options.allowSpecial ?? false,
    allowSetuid: options.allowSetuid ?? false,
    preferNative: run.environment["HOLDFAST_NATIVE"] !== "0",
    ...(overwrite === undefined ? {} : { overwrite: overwrite as Overwrite }),
    ...(workers === null ? {} : { workers }),
  };
}

function report(run: Run, options: RestoreCommandOptions, result: RestoreResult, durationMs: number): void {
  const { files, folders, others, bytes, kept, fetchedBytes, failureCount, warningCount } = result;
  const count = (value: number, one: string, many = `${one}s`): string => `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
  const head =
    options.dryRun === true
      ? "Dry run: nothing was written."
      : `Restored in ${formatDuration(durationMs)}${options.verify === true ? ", read back and compared" : ""}.`;
  const lines = [
    head,
    `  ${count(files, "file")}, ${count(folders, "folder")}${others > 0 ? `, ${count(others, "other")}` : ""}: ${formatSize(bytes)}; fetched ${formatSize(fetchedBytes)}`,
    ...(kept > 0 ? [`  ${count(kept, "entry", "entries")} kept as they were`] : []),
    ...(failureCount > 0 ? [`  ${count(failureCount, "entry", "entries")} not restored; see above`] : []),
  ];
  const fields = {
    dryRun: options.dryRun ?? false,
    files,
    folders,
    others,
    bytes,
    kept,
    fetchedBytes,
    failures: failureCount,
    warnings: warningCount,
    durationMs: Math.round(durationMs),
  };
  run.report("summary", fields, lines);
}
