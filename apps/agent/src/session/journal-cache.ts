/**
 * The cached journal: an append-only file of frames, entry and receipt in turn (a CBOR sequence, RFC 8742). It is verified again
 * whenever it is read; one that does not verify is thrown away, and the journal is read from the storage node from genesis.
 */
import { type Bytes, concatBytes, type Disk, Fault, isFault } from "@holdfast/base";
import { FRAME_HEAD_BYTES_MAX, JOURNAL_ENTRY_BYTES_MAX, parseFrameHead } from "@holdfast/protocol";
import { OWN_FILE_MODE, OWN_FOLDER_MODE } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { JournalPair } from "./journal-reader.ts";

export interface JournalCache {
  /** The pairs as they lie there, unproven. A file that is no sequence of frames: `format`. */
  read(): JournalPair[];
  /** Appends pairs. Skipped when another run has appended meanwhile; failures are nobody's problem. */
  append(pairs: readonly JournalPair[]): void;
  discard(): void;
}

const CACHE_BYTES_MAX = 1024 * 1024 * 1024;

export function createJournalCache(disk: Disk, paths: StatePaths): JournalCache {
  const path = `${paths.cache}/journal`;
  let knownBytes = 0;
  return {
    read() {
      const bytes = disk.readFile(path, CACHE_BYTES_MAX);
      const pairs = bytes === null ? [] : splitPairs(bytes);
      knownBytes = bytes?.length ?? 0;
      return pairs;
    },
    append(pairs) {
      if (pairs.length === 0) return;
      try {
        if ((disk.stat(path)?.sizeBytes ?? 0) !== knownBytes) return;
        const bytes = concatBytes(...pairs.flatMap(({ entry, receipt }) => [entry, receipt]));
        disk.makeFolder(paths.cache, OWN_FOLDER_MODE);
        disk.appendFile(path, bytes, OWN_FILE_MODE);
        knownBytes += bytes.length;
      } catch (error) {
        if (!isFault(error)) throw error; // A full disk costs reading the journal again, and nothing else.
      }
    },
    discard() {
      disk.remove(path);
      knownBytes = 0;
    },
  };
}

function splitPairs(bytes: Uint8Array): JournalPair[] {
  const frames: Bytes[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const head = parseFrameHead(bytes.subarray(offset, offset + FRAME_HEAD_BYTES_MAX));
    const frameBytes = head === null ? Number.POSITIVE_INFINITY : head.bodyOffset + head.bodyBytes;
    if (frameBytes > JOURNAL_ENTRY_BYTES_MAX || offset + frameBytes > bytes.length) throw new Fault("format", "journal cache: ends within a frame");
    frames.push(bytes.slice(offset, offset + frameBytes));
    offset += frameBytes;
  }
  if (frames.length % 2 !== 0) throw new Fault("format", "journal cache: ends with an entry that has no receipt");
  return Array.from({ length: frames.length / 2 }, (_, index) => ({ entry: frames[index * 2]!, receipt: frames[index * 2 + 1]! }));
}
