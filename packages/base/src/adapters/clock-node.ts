/** The system's clock, on any runtime. */
import type { Clock } from "../ports.ts";

const TIMER_MS_MAX = 2 ** 31 - 1; // Longer timers fire at once in every runtime.

export function createSystemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: (delayMs, signal) => sleep(delayMs, signal),
  };
}

async function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  const endMs = performance.now() + delayMs;
  let leftMs = delayMs;
  do {
    await sleepOnce(Math.min(Math.max(leftMs, 0), TIMER_MS_MAX), signal);
    leftMs = endMs - performance.now();
  } while (leftMs > 1); // A timer may fire a fraction of a millisecond early.
}

function sleepOnce(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
