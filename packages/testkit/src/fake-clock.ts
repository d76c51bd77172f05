/** A clock that moves only when the test says so. */
import type { Clock } from "@holdfast/base";

export interface FakeClock extends Clock {
  /** Lets time pass: sleepers whose time has come resolve, in the order of their deadlines. */
  advance(ms: number): void;
  /** Sets the wall clock only, forward or back, as an operator or NTP does; sleepers do not notice. */
  jumpTo(wallMs: number): void;
  /** How many sleeps are under way. */
  readonly sleeperCount: number;
}

interface Sleeper {
  readonly deadlineMs: number;
  readonly wake: () => void;
}

/**
 * @param autoAdvance - A `sleep` passes at once and takes the clock with it: for code under test that waits by itself.
 */
export function createFakeClock(startMs = 1_760_000_000_000, autoAdvance = false): FakeClock {
  let wallMs = startMs;
  let monotonicMs = 0;
  let sleepers: Sleeper[] = [];
  const advance = (ms: number): void => {
    wallMs += ms;
    monotonicMs += ms;
    const due = sleepers.filter((sleeper) => sleeper.deadlineMs <= monotonicMs).sort((left, right) => left.deadlineMs - right.deadlineMs);
    sleepers = sleepers.filter((sleeper) => sleeper.deadlineMs > monotonicMs);
    for (const sleeper of due) sleeper.wake();
  };
  return {
    nowMs: () => wallMs,
    monotonicMs: () => monotonicMs,
    advance,
    jumpTo(ms) {
      wallMs = ms;
    },
    get sleeperCount() {
      return sleepers.length;
    },
    async sleep(delayMs, signal) {
      signal?.throwIfAborted();
      if (autoAdvance || delayMs <= 0) return advance(Math.max(0, delayMs));
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          reject(signal?.reason);
        };
        const sleeper: Sleeper = {
          deadlineMs: monotonicMs + delayMs,
          wake() {
            signal?.removeEventListener("abort", onAbort);
            resolve();
          },
        };
        sleepers.push(sleeper);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    },
  };
}
