/**
 * Tells Bun's collector of memory that it does not feel: buffers that came from the network or the database lie
 * outside its heap, and without a hint the process grows to several times what it needs.
 */

interface BunCollector {
  gc(force: boolean): void;
}

const bun = (globalThis as { Bun?: BunCollector }).Bun;

/** Called with the bytes of each such buffer; every `everyBytes` it asks for a collection, at once when `now`, which costs a few ms of a small heap. */
export function createMemoryHint(everyBytes: number, now = false): (byteCount: number) => void {
  let sinceBytes = 0;
  return (byteCount) => {
    sinceBytes += byteCount;
    if (sinceBytes < everyBytes) return;
    sinceBytes = 0;
    bun?.gc(now);
  };
}
