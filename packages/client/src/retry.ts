/** The only retry loop of the client: bounded, by the fault's own rule, with growing delays and jitter. */
import { type Clock, isFault, type Random } from "@holdfast/base";

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Tries in all. */
  readonly triesMax: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Told before each new try. */
  readonly onRetry?: (fault: Error, delayMs: number) => void;
}

/**
 * Runs `work` again while it throws a fault whose rule is `after-delay`. A `delayMs` in the fault's detail is waited at least, but
 * never longer than `delayMsMax`. Once `signal` has aborted, its reason is thrown and nothing is begun.
 */
export async function withRetry<Result>(options: RetryOptions, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  for (let tries = 1; ; tries++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isFault(error) || error.retry !== "after-delay") throw error;
      signal?.throwIfAborted();
      if (tries >= options.triesMax) throw error;
      const delayMs = delayBefore(options, tries, error.detail.delayMs);
      options.onRetry?.(error, delayMs);
      await options.clock.sleep(delayMs, signal);
    }
  }
}

/** Doubles from try to try. The jitter keeps agents that failed together from coming back together; it never shortens what was asked. */
function delayBefore(options: RetryOptions, tries: number, asked: unknown): number {
  const chance = (options.random.bytes(1)[0] as number) / 255;
  const grownMs = options.delayMsMin * 2 ** (tries - 1) * (0.75 + chance / 2);
  const askedMs = typeof asked === "number" ? asked * (1 + chance / 2) : 0;
  return Math.round(Math.min(options.delayMsMax, Math.max(grownMs, askedMs)));
}
