/**
 * How often somebody may fail to enrol: a bucket of tries for each peer address, and one for all of them together, that fill up again
 * with time. A code has 128 bits, so nobody guesses one; the limit bounds what guessing costs the node.
 *
 * Memory is bounded: of more addresses than `ADDRESS_COUNT_MAX` the one longest unseen is forgotten.
 */
import type { Clock } from "@holdfast/base";
import { addressGroup, Refusal } from "./store/audit-refusals.ts";

interface Bucket {
  tries: number;
  filledAtMs: number;
}

interface BucketSize {
  readonly triesMax: number;
  /** Until one try has come back. */
  readonly refillMs: number;
}

export const ADDRESS_TRIES: BucketSize = { triesMax: 10, refillMs: 60_000 };
export const ALL_TRIES: BucketSize = { triesMax: 300, refillMs: 500 };
export const ADDRESS_COUNT_MAX = 4096;

export class EnrolmentLimit {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = this.#full(ALL_TRIES);
  }

  /** Addresses that are remembered. */
  get addressCount(): number {
    return this.#byAddress.size;
  }

  /** Takes a try from `address`, and gives back what undoes it: for a success. None left: `busy`, the same whatever the code would be worth. */
  take(address: string): () => void {
    const own = this.#bucketOf(addressGroup(address));
    this.#fill(own, ADDRESS_TRIES);
    this.#fill(this.#all, ALL_TRIES);
    if (own.tries < 1 || this.#all.tries < 1) {
      const delayMs = Math.ceil(Math.max((1 - own.tries) * ADDRESS_TRIES.refillMs, (1 - this.#all.tries) * ALL_TRIES.refillMs));
      throw new Refusal("rate-limited", "busy", "enrolment: too many tries failed, come back later", { detail: { delayMs } });
    }
    own.tries--;
    this.#all.tries--;
    return () => {
      own.tries = Math.min(own.tries + 1, ADDRESS_TRIES.triesMax);
      this.#all.tries = Math.min(this.#all.tries + 1, ALL_TRIES.triesMax);
    };
  }

  #bucketOf(network: string): Bucket {
    const bucket = this.#byAddress.get(network) ?? this.#full(ADDRESS_TRIES);
    this.#byAddress.delete(network); // Back to the end: the order is that of last use.
    this.#byAddress.set(network, bucket);
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size > ADDRESS_COUNT_MAX && oldest !== undefined) this.#byAddress.delete(oldest);
    return bucket;
  }

  #full({ triesMax }: BucketSize): Bucket {
    return { tries: triesMax, filledAtMs: this.#clock.monotonicMs() };
  }

  #fill(bucket: Bucket, { triesMax, refillMs }: BucketSize): void {
    const nowMs = this.#clock.monotonicMs();
    bucket.tries = Math.min(triesMax, bucket.tries + (nowMs - bucket.filledAtMs) / refillMs);
    bucket.filledAtMs = nowMs;
  }
}
