/**
 * Told once, counted after that: TLS handshakes that a port refused. The first of a peer for a reason is told at once;
 * the rest of its window is one more line with their number. Memory and lines are bounded, so that a flood from many
 * addresses ends in one line of its own.
 */
import type { Clock } from "@holdfast/base";

/** A handshake that did not come about. */
export interface RefusedHandshake {
  /** Peer's address, or `unknown` when the connection was gone already. */
  readonly address: string;
  /** Protocol versions that the peer offered, as far as the runtime shows. */
  readonly offered: string;
  readonly reason: string;
}

export interface RefusalReport extends RefusedHandshake {
  /** Handshakes that this report stands for. */
  readonly count: number;
}

interface Tally extends RefusedHandshake {
  readonly endMs: number;
  unreportedCount: number;
}

/** Peers and reasons that one window tells apart; those beyond are counted together. */
export const REFUSALS_TOLD_MAX: number = 20;
const OTHERS = { address: "other addresses", offered: "unknown", reason: "various" } as const;

export class RefusedHandshakes {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #report: (report: RefusalReport) => void;
  readonly #tallies = new Map<string, Tally>();

  constructor(clock: Clock, windowMs: number, report: (report: RefusalReport) => void) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#report = report;
  }

  add(refused: RefusedHandshake): void {
    this.flush();
    const key = `${refused.address} ${refused.offered} ${refused.reason}`;
    const known = this.#tallies.get(key);
    if (known !== undefined) known.unreportedCount++;
    else if (this.#tallies.size < REFUSALS_TOLD_MAX) {
      this.#tallies.set(key, { ...refused, endMs: this.#endMs(), unreportedCount: 0 });
      this.#report({ ...refused, count: 1 });
    } else this.#addOther();
  }

  /** Reports the counts of windows that are over; to be called now and then. */
  flush(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { endMs, unreportedCount, address, offered, reason }] of this.#tallies) {
      if (nowMs < endMs) continue;
      this.#tallies.delete(key);
      if (unreportedCount > 0) this.#report({ address, offered, reason, count: unreportedCount });
    }
  }

  #addOther(): void {
    const others = this.#tallies.get("");
    if (others === undefined) this.#tallies.set("", { ...OTHERS, endMs: this.#endMs(), unreportedCount: 1 });
    else others.unreportedCount++;
  }

  #endMs(): number {
    return this.#clock.monotonicMs() + this.#windowMs;
  }
}
