/**
 * The memory that the threads of a run share. Everything is bounded and made once: batches of work from the walker to the
 * pack workers, slots for sealed frames from the workers to the main thread, counters for progress.
 *
 *     walker ── batch slots (ring) ──▶ pack workers ── frame slots ──▶ main thread (uploads only)
 *        ▲───────── results, in the same batch slot ───┘
 *
 * A thread that waits blocks in `Atomics.wait` and gets no messages meanwhile: whatever must reach it comes through here.
 */
import { FRAME_HEAD_BYTES_MAX, PACK_TARGET_BYTES } from "@holdfast/protocol";

/** Bytes of a batch slot for the request, and for its results. */
export const BATCH_REQUEST_BYTES = 192 * 1024;
export const BATCH_RESULT_BYTES = 192 * 1024;
/** A sealed pack: target, 16 bytes for each 16 KiB segment, header of the suite, head of the frame. */
export const FRAME_SLOT_BYTES = PACK_TARGET_BYTES + (PACK_TARGET_BYTES / 16_384 + 1) * 16 + 56 + FRAME_HEAD_BYTES_MAX + 64;

/** Words of `control`. */
const WORD = {
  published: 0,
  taken: 1,
  doneSignal: 2,
  phase: 3,
  frameSignal: 4,
  nextPackOrdinal: 5,
  flushWanted: 6,
  flushesDone: 7,
  partialsWanted: 8,
} as const;
const WORD_COUNT = 16;

/** What the pack workers are asked to do when the ring is empty. */
export const PHASES = { run: 0, finish: 1, abort: 2 } as const;
export type Phase = (typeof PHASES)[keyof typeof PHASES];

const BATCH = { free: 0, ready: 1, taken: 2, done: 3 } as const;
const FRAME = { free: 0, used: 1 } as const;

/** Numbers that only grow; each is written by the threads named. */
export const COUNTERS = {
  entriesDone: 0, // walker
  bytesDone: 1, // walker
  filesRead: 2, // walker
  bytesRead: 3, // walker
} as const;
const COUNTER_COUNT = 8;

/** The buffers, as they go to a worker in its data. */
export interface SharedBuffers {
  readonly control: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  readonly batchStates: SharedArrayBuffer;
  readonly batches: SharedArrayBuffer;
  readonly frameStates: SharedArrayBuffer;
  readonly frames: SharedArrayBuffer;
}

export function createSharedBuffers(batchCount: number, frameCount: number): SharedBuffers {
  return {
    control: new SharedArrayBuffer(WORD_COUNT * 4),
    counters: new SharedArrayBuffer(COUNTER_COUNT * 8),
    batchStates: new SharedArrayBuffer(batchCount * 4),
    batches: new SharedArrayBuffer(batchCount * (BATCH_REQUEST_BYTES + BATCH_RESULT_BYTES)),
    frameStates: new SharedArrayBuffer(frameCount * 4),
    frames: new SharedArrayBuffer(frameCount * FRAME_SLOT_BYTES),
  };
}

/** One thread's view of the shared buffers. */
export class SharedRun {
  readonly batchCount: number;
  readonly frameCount: number;
  readonly #control: Int32Array;
  readonly #counters: Float64Array;
  readonly #batchStates: Int32Array;
  readonly #batches: Uint8Array[];
  readonly #results: Uint8Array[];
  readonly #frameStates: Int32Array;
  readonly #frames: Uint8Array[];

  constructor(buffers: SharedBuffers) {
    this.#control = new Int32Array(buffers.control);
    this.#counters = new Float64Array(buffers.counters);
    this.#batchStates = new Int32Array(buffers.batchStates);
    this.#frameStates = new Int32Array(buffers.frameStates);
    this.batchCount = this.#batchStates.length;
    this.frameCount = this.#frameStates.length;
    const slotBytes = BATCH_REQUEST_BYTES + BATCH_RESULT_BYTES;
    this.#batches = Array.from({ length: this.batchCount }, (_, slot) => new Uint8Array(buffers.batches, slot * slotBytes, BATCH_REQUEST_BYTES));
    this.#results = Array.from(
      { length: this.batchCount },
      (_, slot) => new Uint8Array(buffers.batches, slot * slotBytes + BATCH_REQUEST_BYTES, BATCH_RESULT_BYTES),
    );
    this.#frames = Array.from({ length: this.frameCount }, (_, slot) => new Uint8Array(buffers.frames, slot * FRAME_SLOT_BYTES, FRAME_SLOT_BYTES));
  }

  // Phase.

  get phase(): Phase {
    return Atomics.load(this.#control, WORD.phase) as Phase;
  }

  /** Wakes everybody: those that wait look at the phase again. */
  setPhase(phase: Phase): void {
    Atomics.store(this.#control, WORD.phase, phase);
    for (const word of [WORD.published, WORD.doneSignal, WORD.frameSignal, WORD.flushWanted]) Atomics.notify(this.#control, word);
  }

  // Batches. Ticket n uses slot n modulo the count; tickets are published and reaped in order.

  /** Request memory of the slot of `ticket`. */
  request(ticket: number): Uint8Array {
    return this.#batches[ticket % this.batchCount] as Uint8Array;
  }

  result(ticket: number): Uint8Array {
    return this.#results[ticket % this.batchCount] as Uint8Array;
  }

  /** Walker: the slot of `ticket` is free to be written. It is when ticket − batchCount was reaped. */
  isFree(ticket: number): boolean {
    return Atomics.load(this.#batchStates, ticket % this.batchCount) === BATCH.free;
  }

  /** Walker: hands `ticket` to the pack workers. */
  publish(ticket: number): void {
    Atomics.store(this.#batchStates, ticket % this.batchCount, BATCH.ready);
    Atomics.store(this.#control, WORD.published, ticket + 1);
    Atomics.notify(this.#control, WORD.published, 1);
  }

  /** Walker: whether the results of `ticket` are there; with `wait`, blocks until they are. False on abort. */
  isDone(ticket: number, wait: boolean): boolean {
    for (;;) {
      const signal = Atomics.load(this.#control, WORD.doneSignal);
      if (Atomics.load(this.#batchStates, ticket % this.batchCount) === BATCH.done) return true;
      if (!wait || this.phase === PHASES.abort) return false;
      Atomics.wait(this.#control, WORD.doneSignal, signal, 1_000);
    }
  }

  /** Walker: gives the slot back. */
  reap(ticket: number): void {
    Atomics.store(this.#batchStates, ticket % this.batchCount, BATCH.free);
  }

  /** Pack worker: the next ticket, or `null` when there is none now. */
  take(): number | null {
    for (;;) {
      const taken = Atomics.load(this.#control, WORD.taken);
      if (taken >= Atomics.load(this.#control, WORD.published)) return null;
      if (Atomics.compareExchange(this.#control, WORD.taken, taken, taken + 1) === taken) {
        Atomics.store(this.#batchStates, taken % this.batchCount, BATCH.taken);
        return taken;
      }
    }
  }

  /** Pack worker: blocks until something is published or the phase or the wanted flush changes, for at most `timeoutMs`. */
  waitForWork(timeoutMs: number): void {
    const published = Atomics.load(this.#control, WORD.published);
    if (Atomics.load(this.#control, WORD.taken) < published) return;
    Atomics.wait(this.#control, WORD.published, published, timeoutMs);
  }

  finish(ticket: number): void {
    Atomics.store(this.#batchStates, ticket % this.batchCount, BATCH.done);
    Atomics.add(this.#control, WORD.doneSignal, 1);
    Atomics.notify(this.#control, WORD.doneSignal);
  }

  // Flushes: the walker asks every pack worker to close its open packs, for a partial snapshot.

  get flushWanted(): number {
    return Atomics.load(this.#control, WORD.flushWanted);
  }

  wantFlush(): void {
    Atomics.add(this.#control, WORD.flushWanted, 1);
    Atomics.notify(this.#control, WORD.published);
  }

  flushed(): void {
    Atomics.add(this.#control, WORD.flushesDone, 1);
    Atomics.add(this.#control, WORD.doneSignal, 1);
    Atomics.notify(this.#control, WORD.doneSignal);
  }

  /** Walker: blocks until `count` flushes in all are done. False on abort. */
  waitForFlushes(count: number): boolean {
    for (;;) {
      const signal = Atomics.load(this.#control, WORD.doneSignal);
      if (Atomics.load(this.#control, WORD.flushesDone) >= count) return true;
      if (this.phase === PHASES.abort) return false;
      Atomics.wait(this.#control, WORD.doneSignal, signal, 1_000);
    }
  }

  /** Partial snapshots that the main thread has asked for so far. */
  get partialsWanted(): number {
    return Atomics.load(this.#control, WORD.partialsWanted);
  }

  wantPartial(): void {
    Atomics.add(this.#control, WORD.partialsWanted, 1);
  }

  // Frames.

  /** A free frame slot, blocking until there is one; `null` on abort. */
  takeFrame(): number | null {
    for (;;) {
      const signal = Atomics.load(this.#control, WORD.frameSignal);
      for (let slot = 0; slot < this.frameCount; slot++) {
        if (Atomics.compareExchange(this.#frameStates, slot, FRAME.free, FRAME.used) === FRAME.free) return slot;
      }
      if (this.phase === PHASES.abort) return null;
      Atomics.wait(this.#control, WORD.frameSignal, signal, 1_000);
    }
  }

  frame(slot: number): Uint8Array {
    return this.#frames[slot] as Uint8Array;
  }

  /** Main thread: the frame is durable, or given up. */
  releaseFrame(slot: number): void {
    Atomics.store(this.#frameStates, slot, FRAME.free);
    Atomics.add(this.#control, WORD.frameSignal, 1);
    Atomics.notify(this.#control, WORD.frameSignal);
  }

  /** An ordinal for a pack that is being opened: unique in the run, first is what `setNextPackOrdinal` set. */
  nextPackOrdinal(): number {
    return Atomics.add(this.#control, WORD.nextPackOrdinal, 1);
  }

  setNextPackOrdinal(ordinal: number): void {
    Atomics.store(this.#control, WORD.nextPackOrdinal, ordinal);
  }

  get packOrdinalEnd(): number {
    return Atomics.load(this.#control, WORD.nextPackOrdinal);
  }

  // Counters.

  count(counter: number, amount: number): void {
    this.#counters[counter] = (this.#counters[counter] as number) + amount;
  }

  counter(counter: number): number {
    return this.#counters[counter] as number;
  }
}
