/**
 * Nonces of requests already seen. A nonce is remembered for at least `keepMs`: as long as a request that carries it
 * could still pass the check of its time. Two generations take turns, so forgetting costs nothing.
 */
import { type Clock, Fault } from "@holdfast/base";

export class NonceCache {
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #countMax: number;
  #current = new Set<string>();
  #previous = new Set<string>();
  #turnedAtMs: number;

  /** Each generation lasts `keepMs` and holds at most `countMax` nonces. */
  constructor(clock: Clock, keepMs: number, countMax: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#countMax = countMax;
    this.#turnedAtMs = clock.monotonicMs();
  }

  /** Notes `nonce`; false when it was seen before. With no room left: `busy`, since forgetting would allow a replay. */
  add(nonce: string): boolean {
    this.#turn();
    if (this.#current.has(nonce) || this.#previous.has(nonce)) return false;
    if (this.#current.size >= this.#countMax) throw new Fault("busy", "storage node: too many requests in a short time", { detail: { delayMs: 10_000 } });
    this.#current.add(nonce);
    return true;
  }

  #turn(): void {
    const ageMs = this.#clock.monotonicMs() - this.#turnedAtMs;
    if (ageMs < this.#keepMs) return;
    this.#previous = ageMs < 2 * this.#keepMs ? this.#current : new Set();
    this.#current = new Set();
    this.#turnedAtMs = this.#clock.monotonicMs();
  }
}
