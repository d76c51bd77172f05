/** `holdfast snapshots`: what can be restored. */
import { bytesToHex, isFault } from "@holdfast/base";
import { shortHex } from "@holdfast/protocol";
import type { Snapshot } from "@holdfast/vault";
import { EXIT_CODES, type ExitCode, exitCodeOf } from "../cli/exit-codes.ts";
import type { Registry, Run } from "../cli/run.ts";
import { safePath, safeText } from "../cli/safe-text.ts";
import { formatSize, formatTime } from "../cli/sizes.ts";
import { tableLines } from "../cli/table.ts";
import { type ListedSnapshot, listSnapshots } from "../session/snapshot-list.ts";

interface SnapshotsOptions {
  readonly host?: string;
  readonly tag?: readonly string[];
}

export function registerSnapshots({ program, action }: Registry): void {
  const command = program
    .command("snapshots")
    .summary("list the snapshots of the vault")
    .description("Lists the snapshots of the vault, oldest first. What each says is opened and verified here.")
    .option("--host <host>", "only those of HOST")
    .option("--tag <tag>", "only those with TAG; given again: with all of them", (tag: string, before: readonly string[] = []) => [...before, tag])
    .addHelpText("after", "\nExamples:\n  holdfast snapshots\n  holdfast snapshots --host web-1 --tag daily --json");
  action<SnapshotsOptions>(command, async (run, options) => {
    await using session = await run.openSession();
    return show(run, options, await listSnapshots(session));
  });
}

function show(run: Run, { host, tag = [] }: SnapshotsOptions, listed: readonly ListedSnapshot[]): ExitCode {
  let exitCode: ExitCode = EXIT_CODES.done;
  const rows: string[][] = [["ID", "TIME", "HOST", "SET", "TAGS", " FILES", " SIZE", "PATHS"]];
  for (const item of listed) {
    const { snapshot } = item;
    if (isFault(snapshot)) {
      exitCode = exitCodeOf(snapshot);
      run.terminal.note(`warning: snapshot ${shortHex(item.entry.entry)} cannot be opened: ${safeText(snapshot.message)}`);
      if (run.isJson) run.terminal.write(JSON.stringify({ event: "warning", entry: bytesToHex(item.entry.entry), reason: snapshot.message }));
      continue;
    }
    if ((host !== undefined && snapshot.host !== host) || tag.some((wanted) => !snapshot.tags.includes(wanted))) continue;
    rows.push(row(item, snapshot));
    if (run.isJson) run.report("snapshot", fields(item, snapshot), []);
  }
  const count = rows.length - 1;
  if (!run.isJson) run.report("snapshots", {}, [...(count > 0 ? tableLines(rows) : []), `${count} snapshot${count === 1 ? "" : "s"}`]);
  return exitCode;
}

function row({ entry }: ListedSnapshot, snapshot: Snapshot): string[] {
  const { totals, paths, setName, tags, host, ended } = snapshot;
  const marks = `${entry.complete ? "" : " (partial)"}${entry.holdCount > 0 ? " (held)" : ""}`;
  const shownPaths = paths.map(safePath).join(" ");
  return [
    shortHex(entry.entry),
    formatTime(ended.seconds * 1000),
    safeText(host),
    safeText(setName ?? ""),
    safeText(tags.join(",")),
    totals.files.toLocaleString("en"),
    formatSize(totals.plainBytes),
    shownPaths + marks,
  ];
}

function fields({ entry, receivedMs }: ListedSnapshot, snapshot: Snapshot): Record<string, unknown> {
  const { totals, paths, setName, tags, host, started, ended, agentVersion, runtime, failureCount, losses } = snapshot;
  return {
    entry: bytesToHex(entry.entry),
    record: bytesToHex(entry.record),
    seq: entry.seq,
    device: bytesToHex(entry.device),
    startedMs: started.seconds * 1000 + Math.floor(started.nanoseconds / 1e6),
    endedMs: ended.seconds * 1000 + Math.floor(ended.nanoseconds / 1e6),
    receivedMs,
    host,
    setName,
    tags,
    paths: paths.map(safePath),
    ...totals,
    partial: !entry.complete,
    offload: entry.offload,
    holds: entry.holdCount,
    failures: failureCount,
    losses,
    madeBy: `holdfast ${agentVersion}, ${runtime}`,
  };
}
