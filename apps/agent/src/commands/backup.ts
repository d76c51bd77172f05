/** `holdfast backup`: one snapshot of the paths given, or of each set of the configuration. */
import { bytesToHex } from "@holdfast/base";
import { shortHex } from "@holdfast/protocol";
import { EXIT_CODES, type ExitCode } from "../cli/exit-codes.ts";
import { createProgress } from "../cli/progress.ts";
import type { Registry, Run } from "../cli/run.ts";
import { safePath, safeText } from "../cli/safe-text.ts";
import { formatDuration, formatSize } from "../cli/sizes.ts";
import { readConfig } from "../config/config-file.ts";
import type { BackupEvents, BackupOptions, BackupResult } from "../pipeline/backup-options.ts";
import type { VaultSession } from "../session/session.ts";
import { type BackupCommandOptions, planBackups } from "./backup-plan.ts";

export function registerBackup({ program, action }: Registry): void {
  const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
  const command = program
    .command("backup")
    .summary("make a snapshot of paths")
    .description("Makes a snapshot of the paths given, or of each set of the configuration when none is given.")
    .argument("[path...]", "files and folders")
    .option("--exclude <pattern>", "leave out what PATTERN matches, in gitignore syntax, relative to /; may be given again", collect)
    .option("--exclude-file <file>", "read patterns from FILE, one a line; may be given again", collect)
    .option("--exclude-caches", "leave out folders that hold a valid CACHEDIR.TAG")
    .option("--exclude-if-present <name>", "leave out folders that hold an entry NAME; may be given again", collect)
    .option("--exclude-larger-than <size>", "leave out files larger than SIZE, such as 500M or 2G")
    .option("--one-file-system", "do not enter other file systems")
    .option("--stdin", "back up standard input as one file")
    .option("--stdin-name <name>", "name of that file (default: stdin)")
    .option("--dry-run", "read and count everything, store nothing")
    .option("--tag <tag>", "put TAG on the snapshot; may be given again", collect)
    .option("--set <name>", "back up this set of the configuration; with paths: name of the set of paths")
    .option("--host <name>", "host that the snapshot names (default: this machine's)")
    .option("--force", "read every file again, whatever the last snapshot says")
    .option("--workers <count>", "threads that read and seal (default: as many as processors, at most 4)")
    .addHelpText(
      "after",
      "\nExamples:\n  holdfast backup /home /etc --exclude-caches --exclude '*.tmp'\n  holdfast backup --set home --tag daily\n  pg_dump shop | holdfast backup --stdin --stdin-name shop.sql",
    );
  action<BackupCommandOptions>(command, backup);
}

async function backup(run: Run, options: BackupCommandOptions, paths: readonly string[]): Promise<ExitCode> {
  const { ports, environment, currentFolder, hostName } = run;
  const plans = planBackups(options, paths, readConfig(ports.disk, run.configFile), { disk: ports.disk, environment, currentFolder, hostName });
  using _lock = run.lock();
  await using session = await run.openSession();
  let exitCode: ExitCode = EXIT_CODES.done;
  for (const plan of plans) {
    const result = await backupOnce(run, session, plan);
    if (result.failures > 0) exitCode = EXIT_CODES.incomplete;
  }
  return exitCode;
}

async function backupOnce(run: Run, session: VaultSession, plan: BackupOptions): Promise<BackupResult> {
  const progress = createProgress(run);
  const events: BackupEvents = {
    onProgress(now) {
      const { bytesDone, bytesTotal, entriesDone, entriesTotal, bytesSent } = now;
      progress.update({ bytesDone, bytesTotal, entriesDone, entriesTotal, extra: `${formatSize(bytesSent)} sent` }, { ...now });
    },
    onWarning(path, reason) {
      if (run.isJson) run.terminal.write(JSON.stringify({ event: "warning", path: safePath(path), reason }));
      else run.terminal.note(`warning: ${safePath(path)}: ${safeText(reason)}`);
    },
    onNote: (note) => run.note(note),
  };
  try {
    const result = await run.operations.runBackup(session, plan, events);
    progress.end();
    report(run, plan, result);
    return result;
  } finally {
    progress.end();
  }
}

function report(run: Run, plan: BackupOptions, result: BackupResult): void {
  const { snapshot, ...counts } = result;
  const { files, folders, others, plainBytes, filesRead, bytesRead, newPlainBytes, newStoredBytes, bytesSent, failures, durationMs } = result;
  const count = (value: number, one: string, many = `${one}s`): string => `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
  const head = snapshot === null ? "Dry run: nothing was stored." : `Snapshot ${shortHex(snapshot.entry)} made in ${formatDuration(durationMs)}.`;
  const lines = [
    head,
    `  ${count(files, "file")}, ${count(folders, "folder")}${others > 0 ? `, ${count(others, "other")}` : ""}: ${formatSize(plainBytes)}`,
    `  read ${count(filesRead, "file")}, ${formatSize(bytesRead)}; new ${formatSize(newPlainBytes)}, stored in ${formatSize(newStoredBytes)}; sent ${formatSize(bytesSent)}`,
    ...(failures > 0 ? [`  ${count(failures, "entry", "entries")} could not be saved; see the warnings above`] : []),
  ];
  const id = snapshot === null ? null : { entry: bytesToHex(snapshot.entry), record: bytesToHex(snapshot.record), seq: snapshot.seq };
  run.report("summary", { snapshot: id, setName: plan.setName, dryRun: plan.dryRun, ...counts, durationMs: Math.round(durationMs) }, lines);
}
