/**
 * The memory that bodies in flight may take, in all. Parts of frames are held from their first byte until they are
 * durable; who finds the budget used up waits, which holds its sender back, and is told `busy` after a while.
 * Buffers of a whole part are used again: fresh memory costs more than the copy into it.
 */
import { type Bytes, type Clock, Fault } from "@holdfast/base";
import { FRAME_PART_BYTES } from "@holdfast/protocol";

interface Waiter {
  readonly byteCount: number;
  readonly resolve: (part: Bytes) => void;
}

/** Delay that a `busy` fault asks for. */
const BUSY_DELAY_MS = 1000;

export class BodyBudget {
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #waitMsMax: number;
  readonly #spare: Bytes[] = [];
  readonly #waiters: Waiter[] = [];
  #heldBytes = 0;

  constructor(clock: Clock, bytesMax: number, waitMsMax: number) {
    this.#clock = clock;
    this.#bytesMax = bytesMax;
    this.#waitMsMax = waitMsMax;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Memory for a part of `byteCount` bytes, in turn. `busy` when there is none for `waitMsMax`. */
  async acquire(byteCount: number): Promise<Bytes> {
    if (this.#waiters.length === 0 && this.#heldBytes + byteCount <= this.#bytesMax) return this.#take(byteCount);
    const { promise, resolve } = Promise.withResolvers<Bytes>();
    const waiter = { byteCount, resolve };
    this.#waiters.push(waiter);
    const giveUp = new AbortController();
    const tooLate = this.#clock.sleep(this.#waitMsMax, giveUp.signal).then(
      () => null,
      () => null,
    );
    const part = await Promise.race([promise, tooLate]);
    giveUp.abort();
    if (part !== null) return part;
    const index = this.#waiters.indexOf(waiter);
    if (index === -1) return promise; // Served in the same moment.
    this.#waiters.splice(index, 1);
    throw new Fault("busy", "storage node: too many bodies in flight", { detail: { delayMs: BUSY_DELAY_MS } });
  }

  /** Gives memory back, whole as it was acquired. */
  release(part: Bytes): void {
    if (part.buffer.byteLength === FRAME_PART_BYTES) this.#spare.push(new Uint8Array(part.buffer));
    this.lose(part.buffer.byteLength);
  }

  /** Memory of `byteCount` bytes that will not come back. */
  lose(byteCount: number): void {
    this.#heldBytes -= byteCount;
    for (let first = this.#waiters[0]; first !== undefined && this.#heldBytes + first.byteCount <= this.#bytesMax; first = this.#waiters[0]) {
      this.#waiters.shift();
      first.resolve(this.#take(first.byteCount));
    }
  }

  #take(byteCount: number): Bytes {
    this.#heldBytes += byteCount;
    if (byteCount === FRAME_PART_BYTES) return this.#spare.pop() ?? new Uint8Array(FRAME_PART_BYTES);
    return new Uint8Array(byteCount);
  }
}
