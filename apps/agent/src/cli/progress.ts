/** Progress for people: one live line with an estimate on a terminal, a plain line every ten seconds elsewhere, events with `--json`. */
import type { Clock } from "@holdfast/base";
import type { Run } from "./run.ts";
import { formatDuration, formatSize } from "./sizes.ts";

/** What is done so far, and of how much when that is known. */
export interface ProgressState {
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
  readonly entriesDone: number;
  readonly entriesTotal: number | null;
  /** Said after the counts, as in `12 MiB sent`. */
  readonly extra: string;
}

const LIVE_INTERVAL_MS = 200;
const PLAIN_INTERVAL_MS = 10_000;
const JSON_INTERVAL_MS = 1_000;
/** Before that, the speed says nothing yet. */
const ESTIMATE_AFTER_MS = 2_000;

export interface Progress {
  update(state: ProgressState, fields: Readonly<Record<string, unknown>>): void;
  /** Takes the live line away. */
  end(): void;
}

export function createProgress(run: Run, clock: Clock = run.ports.clock): Progress {
  const { terminal } = run;
  const startMs = clock.monotonicMs();
  const isLive = terminal.isInteractive && !run.isJson;
  const intervalMs = run.isJson ? JSON_INTERVAL_MS : isLive ? LIVE_INTERVAL_MS : PLAIN_INTERVAL_MS;
  // The first plain line comes after an interval: short runs stay silent. A live line comes at once.
  let lastMs = isLive ? Number.NEGATIVE_INFINITY : startMs;
  return {
    update(state, fields) {
      const nowMs = clock.monotonicMs();
      if (run.isQuiet || nowMs - lastMs < intervalMs) return;
      lastMs = nowMs;
      const elapsedMs = nowMs - startMs;
      if (run.isJson)
        terminal.write(JSON.stringify({ event: "status", elapsedMs: Math.round(elapsedMs), remainingMs: remainingMs(state, elapsedMs), ...fields }));
      else if (isLive) terminal.live(progressLine(state, elapsedMs).slice(0, terminal.columns - 1));
      else terminal.note(progressLine(state, elapsedMs));
    },
    end: () => terminal.live(""),
  };
}

/** As in `[12 s] 42 %  1.2 GiB of 2.9 GiB, 10,234 entries, 12 MiB sent, 17 s left`. */
export function progressLine(state: ProgressState, elapsedMs: number): string {
  const { bytesDone, bytesTotal, entriesDone, extra } = state;
  const isKnown = bytesTotal !== null && bytesTotal > 0 && bytesDone <= bytesTotal;
  const share = isKnown ? `${Math.floor((bytesDone / bytesTotal) * 100)} %  ` : "";
  const bytes = isKnown ? `${formatSize(bytesDone)} of ${formatSize(bytesTotal)}` : formatSize(bytesDone);
  const leftMs = remainingMs(state, elapsedMs);
  const parts = [`${share}${bytes}`, `${entriesDone.toLocaleString("en")} entries`, extra, leftMs === null ? "" : `${formatDuration(leftMs)} left`];
  return `[${formatDuration(elapsedMs)}] ${parts.filter((part) => part !== "").join(", ")}`;
}

/** By bytes where there are any, else by entries; `null` while it would be a guess. */
export function remainingMs(state: ProgressState, elapsedMs: number): number | null {
  if (elapsedMs < ESTIMATE_AFTER_MS) return null;
  const [done, total] = state.bytesTotal !== null && state.bytesTotal > 0 ? [state.bytesDone, state.bytesTotal] : [state.entriesDone, state.entriesTotal ?? 0];
  if (done <= 0 || total <= 0 || done > total) return null;
  return Math.round((elapsedMs * (total - done)) / done);
}
