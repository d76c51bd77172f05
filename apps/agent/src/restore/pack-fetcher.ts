/**
 * Fetches content packs: whole, or where little of one is needed, in runs of 1 MiB blocks. Blocks, because the storage node
 * sees what is asked for: it shall learn no more of a file than a million bytes tell.
 */
import { Fault } from "@holdfast/base";
import { aes256Gcm } from "@holdfast/crypto";
import { FRAME_HEAD_BYTES_MAX, type RecordStore } from "@holdfast/protocol";
import { isDamage } from "./damage.ts";
import type { IndexedPackPlace } from "./object-index.ts";
import type { RestoreJob } from "./tasks.ts";

/** Where an object lies in the plaintext of its pack. */
export interface PlainSpan {
  readonly offset: number;
  readonly storedBytes: number;
}

/** What a job says of its pack. */
export type FetchedPack = Pick<RestoreJob, "frame" | "runs" | "fault"> & { readonly fetchedBytes: number };

const BLOCK_BYTES = 1024 * 1024;
/** Runs that are fetched one after the other; more gaps than that are not worth their requests. */
const RUNS_MAX = 4;
/** Part of a pack's blocks up to which it is fetched in runs. */
const RANGE_SHARE_MAX = 0.5;

/** Damage is not thrown: it is the `fault` of what is returned. */
export async function fetchPack(store: RecordStore, pack: IndexedPackPlace, needed: readonly PlainSpan[]): Promise<FetchedPack> {
  try {
    const runs = planRuns(pack, needed);
    if (runs === null) {
      // Unproven, as a range: opening authenticates every byte and each object proves its id, in a worker; hashing the frame here as well would hold the main thread up.
      const frame = await store.getRange(pack.recordId, 0, pack.frameBytes);
      if (frame === null) throw new Fault("missing", "content pack: the storage node does not have it");
      return { frame: ownBytes(frame), runs: [], fault: null, fetchedBytes: frame.length };
    }
    const fetched = await Promise.all(
      runs.map(async ({ start, end }) => {
        const bytes = await store.getRange(pack.recordId, start, end - start);
        if (bytes === null) throw new Fault("missing", "content pack: the storage node does not have it");
        return { offset: start, bytes: ownBytes(bytes) };
      }),
    );
    return { frame: null, runs: fetched, fault: null, fetchedBytes: fetched.reduce((sum, { bytes }) => sum + bytes.length, 0) };
  } catch (error) {
    if (!isDamage(error)) throw error;
    return { frame: null, runs: [], fault: { code: error.code, message: error.message }, fetchedBytes: 0 };
  }
}

/** Parts of the frame to fetch, the first of which begins at 0, or `null` for all of it. */
export function planRuns(pack: IndexedPackPlace, needed: readonly PlainSpan[]): readonly { readonly start: number; readonly end: number }[] | null {
  const { frameBytes, plainBytes } = pack;
  const bodyOffset = frameBytes - aes256Gcm.sealedBytes(plainBytes);
  // An index that contradicts itself: the frame will tell.
  if (bodyOffset < 0 || bodyOffset > FRAME_HEAD_BYTES_MAX) return null;
  const blockCount = Math.ceil(frameBytes / BLOCK_BYTES);
  const isNeeded = new Uint8Array(blockCount);
  isNeeded[0] = 1; // Salt and commitment.
  for (const { offset, storedBytes } of needed) {
    if (storedBytes === 0) continue;
    if (offset + storedBytes > plainBytes) return null;
    const { sealedStart, sealedEnd } = aes256Gcm.span(plainBytes, offset, offset + storedBytes);
    const last = Math.floor((bodyOffset + sealedEnd - 1) / BLOCK_BYTES);
    for (let block = Math.floor((bodyOffset + sealedStart) / BLOCK_BYTES); block <= last; block++) isNeeded[block] = 1;
  }
  const runs: { start: number; end: number }[] = [];
  let neededCount = 0;
  for (let block = 0; block < blockCount; block++) {
    if (isNeeded[block] !== 1) continue;
    neededCount++;
    const start = block * BLOCK_BYTES;
    const end = Math.min(frameBytes, start + BLOCK_BYTES);
    const last = runs.at(-1);
    if (last?.end === start) last.end = end;
    else runs.push({ start, end });
  }
  return runs.length > RUNS_MAX || neededCount > blockCount * RANGE_SHARE_MAX ? null : runs;
}

/** `bytes` alone in their buffer, so that giving them to a thread gives nothing else away. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}
