/** Sealing and opening as streams, for texts that do not fit in memory. At most one run of segments is held at a time. */
import { type Bytes, concatBytes, type Random } from "@holdfast/base";
import { type InputKey, type Suite, sealedFault } from "./suite.ts";

const SEGMENTS_PER_RUN = 64;

/** The sealed text of the pieces of `source`, header first. */
export async function* sealStream(suite: Suite, random: Random, key: InputKey, context: Uint8Array, source: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes> {
  const sealer = suite.createSealer(random, key, context);
  const runs = createRuns(suite.segmentBytes);
  yield sealer.header;
  for await (const piece of source) {
    for (const run of runs.push(piece)) yield await sealer.sealSegments(run, false);
  }
  yield await sealer.sealSegments(runs.rest(), true);
}

/**
 * The plaintext of a sealed text, run by run, each authenticated before it is yielded. Only the normal end of the generator proves that
 * the text is complete: until then the reader must be able to throw away what it got.
 */
export async function* openStream(suite: Suite, key: InputKey, context: Uint8Array, source: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes> {
  let head: Bytes = new Uint8Array(0);
  let opener: ReturnType<Suite["createOpener"]> | null = null;
  let nextSegment = 0;
  const runs = createRuns(suite.sealedSegmentBytes);
  for await (const piece of source) {
    let body = piece;
    if (opener === null) {
      const headBytes = Math.min(suite.headerBytes - head.length, piece.length);
      head = concatBytes(head, piece.subarray(0, headBytes));
      body = piece.subarray(headBytes);
      if (head.length < suite.headerBytes) continue;
      opener = suite.createOpener(key, context, head);
    }
    for (const run of runs.push(body)) {
      yield await opener.openSegments(nextSegment, run, false);
      nextSegment += run.length / suite.sealedSegmentBytes;
    }
  }
  if (opener === null) throw sealedFault();
  yield await opener.openSegments(nextSegment, runs.rest(), true);
}

/** Cuts pieces of any length into runs of whole units, in order; `rest` is what is left, shorter than one unit. */
function createRuns(unitBytes: number) {
  let pending: Bytes = new Uint8Array(0);
  return {
    *push(piece: Uint8Array): Generator<Bytes> {
      const runBytesMax = unitBytes * SEGMENTS_PER_RUN;
      for (let offset = 0; offset < piece.length; ) {
        const taken = piece.subarray(offset, offset + runBytesMax - pending.length);
        offset += taken.length;
        const joined = concatBytes(pending, taken);
        const runBytes = joined.length - (joined.length % unitBytes);
        pending = joined.slice(runBytes);
        if (runBytes > 0) yield joined.slice(0, runBytes);
      }
    },
    rest: (): Bytes => pending,
  };
}
