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

/** Runs `work` again while it throws a fault whose rule is `after-delay`. A `retryAfterMs` in the fault's detail is honoured. */
export async function withRetry<Result>(options: RetryOptions, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isFault(error) || error.retry !== "after-delay" || tries >= options.triesMax) throw error;
      const asked = error.detail["retryAfterMs"];
      const grown = Math.min(options.delayMsMax, options.delayMsMin * 2 ** (tries - 1));
      const jitter = ((options.random.bytes(1)[0] as number) / 255) * 0.5 + 0.75;
      const delayMs = Math.round(typeof asked === "number" ? Math.min(Math.max(asked, options.delayMsMin), options.delayMsMax) : grown * jitter);
      options.onRetry?.(error, delayMs);
      await options.clock.sleep(delayMs, signal);
    }
  }
}
