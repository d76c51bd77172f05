/** Adapters of the ports Clock and Random to the machine: the only place of this program that reads time or randomness. */
import { randomBytes } from "node:crypto";
import type { Clock, Random } from "@holdfast/base";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

export const systemRandom: Random = {
  bytes: (byteCount) => {
    const bytes = new Uint8Array(byteCount);
    bytes.set(randomBytes(byteCount));
    return bytes;
  },
};
