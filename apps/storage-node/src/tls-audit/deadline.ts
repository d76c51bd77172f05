/** Gives work a signal that is aborted after a time, or when an outer signal is. */
import type { Clock } from "@holdfast/base";

/** Runs `work` with a signal that aborts after `delayMs`; resolves or rejects as `work` does, and leaves no timer behind. */
export async function withDeadline<Result>(
  clock: Clock,
  delayMs: number,
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const stop = (): void => deadline.abort();
  outer?.addEventListener("abort", stop, { once: true });
  if (outer?.aborted === true) stop();
  const timer = clock.sleep(delayMs, deadline.signal).then(stop, () => undefined); // Rejects when the work was done in time.
  try {
    return await work(deadline.signal);
  } finally {
    outer?.removeEventListener("abort", stop);
    stop();
    await timer;
  }
}
