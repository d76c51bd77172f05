/** Runs the audit at the start and every 24 hours, one at a time. */
import type { Clock } from "@holdfast/base";
import { failedAudit } from "./cipher-audit.ts";
import type { CipherAuditReport } from "./report.ts";

export interface CipherAuditScheduleOptions {
  readonly clock: Clock;
  /** Makes one audit, as `runCipherAudit` with its ports does; the ports are read anew each time. */
  readonly audit: (signal: AbortSignal) => Promise<CipherAuditReport>;
  /** Told of every report, also of an audit that failed. */
  readonly onReport: (report: CipherAuditReport) => void | Promise<void>;
  /** Told when `onReport` itself throws or rejects: the next audit runs all the same. */
  readonly onError: (error: unknown) => void;
}

/** From the end of one audit to the start of the next, ms. */
export const CIPHER_AUDIT_INTERVAL_MS = 86_400_000;

export class CipherAuditSchedule implements AsyncDisposable {
  readonly #options: CipherAuditScheduleOptions;
  readonly #stopped = new AbortController();
  #running: Promise<void> | null = null;
  #last: CipherAuditReport | null = null;
  #isAuditing = false;

  constructor(options: CipherAuditScheduleOptions) {
    this.#options = options;
  }

  /** The newest report, `null` before the first. */
  get last(): CipherAuditReport | null {
    return this.#last;
  }

  /** Whether an audit is under way: handshakes that our own ports refuse to this machine meanwhile are its probes. */
  get isAuditing(): boolean {
    return this.#isAuditing;
  }

  /** Begins with an audit now. A second call does nothing. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends a running audit and reports nothing more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#auditOnce(signal);
      await clock.sleep(CIPHER_AUDIT_INTERVAL_MS, signal).catch(() => undefined); // Rejects when it is stopped.
    }
  }

  async #auditOnce(signal: AbortSignal): Promise<void> {
    const { clock, audit, onReport, onError } = this.#options;
    let report: CipherAuditReport;
    this.#isAuditing = true;
    try {
      report = await audit(signal);
    } catch (error) {
      report = failedAudit(clock, error);
    } finally {
      this.#isAuditing = false;
    }
    if (signal.aborted) return;
    this.#last = report;
    try {
      await onReport(report);
    } catch (error) {
      onError(error);
    }
  }
}
