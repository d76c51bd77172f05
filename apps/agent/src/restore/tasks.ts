/** What the main thread asks of restore workers and what they answer. Tasks travel as bytes, one buffer for a pack: see `ByteWriter`. */
import type { EpochKeys } from "@holdfast/crypto";
import type { ObjectId, VaultId } from "@holdfast/protocol";
import type { StoredObject } from "@holdfast/vault";
import { OBJECT_KINDS } from "@holdfast/vault";
import type { ByteReader, ByteWriter } from "./byte-stream.ts";
import type { Target } from "./folder-chain.ts";

export interface RestoreWorkerData {
  readonly role: "restore";
  readonly vault: VaultId;
  /** Of the snapshot's epoch. */
  readonly keys: EpochKeys;
  readonly target: Target;
  readonly preferNative: boolean;
  readonly verify: boolean;
}

/**
 * A pack, whole or in parts, with what is to be made of it.
 * Tasks: `folder` says where the next files are; `file` is a whole file of one object; `empty` has none; `part` writes an
 * object into a file that the main thread has open; `check` reads an object back.
 */
export const TASKS = { folder: 1, file: 2, empty: 3, part: 4, check: 5 } as const;

/** Flag of `file` and `empty`: something of that name is to be replaced. */
export const REPLACES = 1;

/** Bytes of a frame from `offset` on. */
export interface FrameRun {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface RestoreJob {
  readonly type: "job";
  readonly job: number;
  /** The whole frame, or parts of it that begin with its front, or `null` for tasks without objects. */
  readonly frame: Uint8Array | null;
  readonly runs: readonly FrameRun[];
  /** Why there is no pack: every task that needs it fails with this. */
  readonly fault: { readonly code: string; readonly message: string } | null;
  readonly tasks: Uint8Array;
}

/** A task that failed. Parts and checks name their file by number, others by path. */
export interface TaskFailure {
  readonly path: Uint8Array | null;
  readonly file: number;
  readonly reason: string;
}

export interface JobDone {
  readonly type: "done";
  readonly job: number;
  /** Whole and empty files written, and plain bytes of all tasks. */
  readonly files: number;
  readonly bytes: number;
  readonly failures: readonly TaskFailure[];
  readonly warnings: readonly { readonly path: Uint8Array; readonly reason: string }[];
  /** There was no room: tasks from there on were left undone, which is no failure of theirs. */
  readonly diskFull: boolean;
}

/** Bytes as they travel. Deno looks through every message for ports, element by element: a typed array of megabytes takes it seconds and gigabytes, a buffer nothing. */
export interface SentBytes {
  readonly buffer: ArrayBufferLike;
  readonly offset: number;
  readonly byteCount: number;
}

/** A job as it travels. */
export type SentJob = Omit<RestoreJob, "frame" | "runs" | "tasks"> & {
  readonly frame: SentBytes | null;
  readonly runs: readonly { readonly offset: number; readonly bytes: SentBytes }[];
  readonly tasks: SentBytes;
};

export function sendJob(job: RestoreJob): SentJob {
  const send = (bytes: Uint8Array): SentBytes => ({ buffer: bytes.buffer, offset: bytes.byteOffset, byteCount: bytes.byteLength });
  const runs = job.runs.map(({ offset, bytes }) => ({ offset, bytes: send(bytes) }));
  return { ...job, frame: job.frame === null ? null : send(job.frame), runs, tasks: send(job.tasks) };
}

export function receiveJob(job: SentJob): RestoreJob {
  const receive = ({ buffer, offset, byteCount }: SentBytes): Uint8Array => new Uint8Array(buffer, offset, byteCount);
  const runs = job.runs.map(({ offset, bytes }) => ({ offset, bytes: receive(bytes) }));
  return { ...job, frame: job.frame === null ? null : receive(job.frame), runs, tasks: receive(job.tasks) };
}

/** What a worker is told. After `end` it lets go of all it holds and says `ended`. */
export type RestoreRequest = SentJob | { readonly type: "end" };

export type RestoreMessage =
  | { readonly type: "ready" }
  | { readonly type: "ended" }
  | JobDone
  | { readonly type: "broken"; readonly message: string; readonly stack: string };

/** What a restore needs to know of a chunk to read it out of its pack. */
export function writeObject(writer: ByteWriter, object: StoredObject): void {
  writer.raw(object.objectId);
  writer.u8(object.codec);
  writer.u32(object.offset);
  writer.u32(object.storedBytes);
  writer.u32(object.plainBytes);
}

export function readObject(reader: ByteReader): StoredObject {
  return {
    objectId: reader.raw(32).slice() as ObjectId,
    kind: OBJECT_KINDS.chunk,
    codec: reader.u8(),
    offset: reader.u32(),
    storedBytes: reader.u32(),
    plainBytes: reader.u32(),
  };
}
