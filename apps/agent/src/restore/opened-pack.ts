/** Content packs in the hands of a worker: opened whole or in parts, objects taken out, unpacked and proven by their id. */
import { discardBytes, Fault, type FaultCode, isFaultCode } from "@holdfast/base";
import { RECORD_KINDS } from "@holdfast/protocol";
import { CODECS, type Compressor, type ObjectIdHasher, openObject, type RecordOpener, type StoredObject } from "@holdfast/vault";
import type { FrameRun, RestoreJob } from "./tasks.ts";

export interface OpenedPack extends Disposable {
  /** Plaintext of an object, good until the next call. Whatever is wrong with pack or object is thrown as a fault. */
  read(object: StoredObject): Promise<Uint8Array>;
}

/** The pack of `job`. Never throws: a pack that does not open fails each of its objects. */
export async function openPack(job: RestoreJob, opener: RecordOpener, hashObject: ObjectIdHasher, compressor: Compressor): Promise<OpenedPack> {
  const stored = await createReader(job, opener);
  let last: { readonly object: StoredObject; readonly plaintext: Uint8Array } | null = null;
  const discardLast = (): void => {
    if (last !== null && last.object.codec !== CODECS.raw) discardBytes(last.plaintext);
    last = null;
  };
  return {
    async read(object) {
      // Equal files lie beside one another in the plan.
      if (last !== null && last.object.offset === object.offset && last.object.plainBytes === object.plainBytes && sameId(last.object, object))
        return last.plaintext;
      discardLast();
      const plaintext = openObject(object, await stored.read(object), hashObject, compressor);
      last = { object, plaintext };
      return plaintext;
    },
    [Symbol.dispose]() {
      discardLast();
      stored.discard();
    },
  };
}

/** Stored bytes of objects, good until they are discarded. */
interface StoredReader {
  read(object: StoredObject): Promise<Uint8Array>;
  discard(): void;
}

async function createReader(job: RestoreJob, opener: RecordOpener): Promise<StoredReader> {
  const failing = (error: unknown): StoredReader => {
    return { read: () => Promise.reject(error), discard() {} };
  };
  if (job.fault !== null) {
    const code: FaultCode = isFaultCode(job.fault.code) ? job.fault.code : "internal";
    return failing(new Fault(code, job.fault.message));
  }
  try {
    if (job.frame !== null) {
      const plaintext = await opener.open(RECORD_KINDS.contentPack, job.frame);
      discardBytes(job.frame);
      return {
        read: async ({ offset, storedBytes }) => plaintext.subarray(offset, offset + storedBytes),
        discard: () => discardBytes(plaintext),
      };
    }
    const [front] = job.runs;
    if (front === undefined) return failing(new Fault("internal", "restore: task without a pack"));
    const range = opener.startRange(RECORD_KINDS.contentPack, front.bytes);
    return {
      async read({ offset, storedBytes }) {
        const end = offset + storedBytes;
        if (end > range.plainBytes) throw new Fault("format", "pack: object lies outside");
        if (storedBytes === 0) return new Uint8Array(0);
        const span = range.frameSpan(offset, end);
        return range.open(offset, end, bytesOf(job.runs, span.start, span.end));
      },
      discard() {
        for (const { bytes } of job.runs) discardBytes(bytes);
      },
    };
  } catch (error) {
    return failing(error);
  }
}

function bytesOf(runs: readonly FrameRun[], start: number, end: number): Uint8Array {
  const run = runs.find(({ offset, bytes }) => offset <= start && end <= offset + bytes.length);
  // The index said another place than the frame itself, or the node sent less than was asked for.
  if (run === undefined) throw new Fault("integrity", "sealed: does not authenticate");
  return run.bytes.subarray(start - run.offset, end - run.offset);
}

function sameId(left: StoredObject, right: StoredObject): boolean {
  for (let index = 0; index < 32; index++) if (left.objectId[index] !== right.objectId[index]) return false;
  return true;
}
