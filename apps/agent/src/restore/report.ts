/** What a restore has done so far, and what went wrong: counted, kept up to a limit, and told as it happens. */
import { bytesToHex } from "@holdfast/base";
import { printable } from "./printable.ts";
import { FAILURES_KEPT_MAX, type RestoreEvents, type RestoreFailure, type RestoreResult } from "./restore-options.ts";

export class Report {
  files = 0;
  folders = 0;
  others = 0;
  bytes = 0;
  kept = 0;
  fetchedBytes = 0;
  readonly #events: RestoreEvents;
  /** Known beforehand, or `null`: then what was met counts. */
  readonly #totals: { readonly files: number; readonly bytes: number } | null;
  readonly #failures: RestoreFailure[] = [];
  #failureCount = 0;
  #warningCount = 0;
  #metFiles = 0;
  #metBytes = 0;
  #settledFiles = 0;
  #settledBytes = 0;

  constructor(events: RestoreEvents, totals: { readonly files: number; readonly bytes: number } | null) {
    this.#events = events;
    this.#totals = totals;
  }

  get bytesLeft(): number {
    return Math.max(0, (this.#totals?.bytes ?? this.#metBytes) - this.#settledBytes);
  }

  /** A file that will be settled sooner or later. */
  met(bytes: number): void {
    this.#metFiles++;
    this.#metBytes += bytes;
  }

  /** Files done with, whether well or not, and bytes that need not be written any more. */
  settled(files: number, bytes: number): void {
    this.#settledFiles += files;
    this.#settledBytes += bytes;
    this.#events.onProgress({
      filesDone: this.#settledFiles,
      filesTotal: Math.max(this.#totals?.files ?? this.#metFiles, this.#settledFiles),
      bytesDone: this.#settledBytes,
      bytesTotal: Math.max(this.#totals?.bytes ?? this.#metBytes, this.#settledBytes),
    });
  }

  warn(path: Uint8Array, reason: string): void {
    this.#warningCount++;
    this.#events.onWarning(printable(path), reason);
  }

  fail(path: Uint8Array, reason: string): void {
    const shown = printable(path);
    this.#failureCount++;
    if (this.#failures.length < FAILURES_KEPT_MAX) this.#failures.push({ path: shown, reason });
    this.#events.onFailure(shown, reason);
  }

  /** An index record that is left out: what only it names will fail where it is needed. */
  warnIndex(id: Uint8Array, reason: string): void {
    this.#warningCount++;
    this.#events.onWarning("", `index record ${bytesToHex(id).slice(0, 16)} left out: ${reason}`);
  }

  result(): RestoreResult {
    const { files, folders, others, bytes, kept, fetchedBytes } = this;
    const failureCount = this.#failureCount;
    return {
      files,
      folders,
      others,
      bytes,
      kept,
      fetchedBytes,
      failures: this.#failures,
      failureCount,
      warningCount: this.#warningCount,
      exitCode: failureCount > 0 ? 3 : 0,
    };
  }
}
