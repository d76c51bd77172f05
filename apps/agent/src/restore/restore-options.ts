/** What a restore is asked to do, and what it tells while and after it runs. */
import type { SnapshotFilters } from "./snapshot-source.ts";

/**
 * What happens to what is there already. Left out, a target that is not empty is refused.
 * `if-changed` replaces files whose size or modification time differs, and so continues a restore that was cut short.
 */
export type Overwrite = "never" | "if-changed" | "always";

export interface RestoreOptions {
  /** Folder to restore into; made when it is missing. Text, or raw bytes where the path is not UTF-8. */
  readonly target: Uint8Array | string;
  /** Which snapshots `latest` may mean. */
  readonly filters?: SnapshotFilters;
  /** Patterns in gitignore syntax, relative to what is restored. With `include`, only what matches and what lies below it. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly overwrite?: Overwrite;
  /** Looks everything up, writes nothing. */
  readonly dryRun?: boolean;
  /** Reads every written file back and compares its object ids. */
  readonly verify?: boolean;
  /** Takes user and group numbers as they are, not the names beside them. */
  readonly numericOwner?: boolean;
  /** Restores owners. Default: when run as root. */
  readonly owner?: boolean;
  /** Makes device nodes. Else they are left out with a warning. */
  readonly allowSpecial?: boolean;
  /** Keeps setuid, setgid and capabilities of files. Else they are dropped with a warning. */
  readonly allowSetuid?: boolean;
  /** Threads that write; 0: none but the calling one. Default: as many as processors, at most 4. */
  readonly workers?: number;
  readonly preferNative?: boolean;
  /** Ends the restore between two entries; what is unfinished is removed. */
  readonly signal?: AbortSignal;
}

export interface RestoreProgress {
  readonly filesDone: number;
  /** Of the whole snapshot where all of it is restored, else of what has been met so far: then it grows. */
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface RestoreEvents {
  onProgress(progress: RestoreProgress): void;
  /** Something that is restored, but not quite as it was. `path` is safe to print. */
  onWarning(path: string, reason: string): void;
  /** Something that is not restored. */
  onFailure(path: string, reason: string): void;
}

export interface RestoreFailure {
  readonly path: string;
  readonly reason: string;
}

export interface RestoreResult {
  /** Written, with verified content. In a dry run: what would be. */
  readonly files: number;
  readonly folders: number;
  /** Links, pipes, devices. */
  readonly others: number;
  /** Plain bytes of content written. */
  readonly bytes: number;
  /** Left as they were: there already, and `overwrite` says so. */
  readonly kept: number;
  /** Record bytes fetched for content. */
  readonly fetchedBytes: number;
  /** At most 10,000; `failureCount` tells how many there were. */
  readonly failures: readonly RestoreFailure[];
  readonly failureCount: number;
  readonly warningCount: number;
  /** 0, or 3 when something was not restored. */
  readonly exitCode: 0 | 3;
}

/** Failures that a result lists. */
export const FAILURES_KEPT_MAX = 10_000;
