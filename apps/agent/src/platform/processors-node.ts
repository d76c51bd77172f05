/** Processors of this machine. */
import { availableParallelism } from "node:os";

/** How many threads can run at once here; at least 1. */
export function processorCount(): number {
  return Math.max(1, availableParallelism());
}
