/** What a backup is asked to do, and what it tells while and after it runs. */
import type { RecordId } from "@holdfast/protocol";

export interface BackupOptions {
  /** Absolute paths, raw bytes, without a slash at the end (`/` itself excepted). Ignored with `stdinName`. */
  readonly paths: readonly Uint8Array[];
  readonly host: string;
  readonly tags: readonly string[];
  readonly setName: string | null;
  /** Patterns in gitignore syntax, relative to `/`. */
  readonly excludes: readonly string[];
  /** Leaves out what lies in a folder with a valid CACHEDIR.TAG, keeping the tag. */
  readonly excludeCaches: boolean;
  /** Leaves out what lies in a folder that holds an entry of one of these names. */
  readonly excludeIfPresent: readonly string[];
  readonly oneFileSystem: boolean;
  readonly excludeLargerThanBytes: number | null;
  /** Name of the one file whose content comes from standard input. */
  readonly stdinName: string | null;
  /** Reads and counts everything, stores nothing. */
  readonly dryRun: boolean;
  /** Reads every file again, whatever the previous listing says. */
  readonly force: boolean;
  /** Pack workers; `null`: as many as processors, at most 4. */
  readonly workerCount: number | null;
  readonly preferNative: boolean;
  /** How often a long run commits a partial snapshot; the format's interval when left out. */
  readonly partialIntervalMs?: number;
}

export interface BackupProgress {
  readonly entriesDone: number;
  readonly bytesDone: number;
  /** From the previous snapshot of the line; `null` when there is none. */
  readonly entriesTotal: number | null;
  readonly bytesTotal: number | null;
  /** Sealed bytes that the node has made durable. */
  readonly bytesSent: number;
}

export interface BackupEvents {
  onProgress(progress: BackupProgress): void;
  /** An entry that could not be saved, or not whole. `path` is raw bytes. */
  onWarning(path: Uint8Array, reason: string): void;
  /** A sentence for people: what this runtime cannot keep, a partial snapshot made, a retry. */
  onNote(note: string): void;
}

export interface BackupResult {
  /** `null` after a dry run. */
  readonly snapshot: { readonly entry: RecordId; readonly record: RecordId; readonly seq: number } | null;
  readonly files: number;
  readonly folders: number;
  readonly others: number;
  readonly plainBytes: number;
  /** Files that were read, and their bytes. */
  readonly filesRead: number;
  readonly bytesRead: number;
  /** Objects that no earlier run had, plain and as stored in packs. */
  readonly newObjects: number;
  readonly newPlainBytes: number;
  readonly newStoredBytes: number;
  /** Frames sent, in bytes. */
  readonly bytesSent: number;
  readonly failures: number;
  readonly durationMs: number;
}
