/**
 * A collection by hand where memory is short. Bun's collector does not feel the native memory that reading, compression,
 * sealing and TLS leave behind, and threads that never return to their event loop pile it up. The other runtimes give
 * programs no such call.
 */
import process from "node:process";

/** Resident memory from which there is a collection, a full one, which frees at once and costs some milliseconds. */
const COLLECT_FROM_BYTES = 220 * 1024 * 1024;

export function collectGarbage(fromBytes: number = COLLECT_FROM_BYTES): void {
  const bun = (globalThis as { Bun?: { gc(full: boolean): void } }).Bun;
  if (bun !== undefined && process.memoryUsage.rss() > fromBytes) bun.gc(true);
}
