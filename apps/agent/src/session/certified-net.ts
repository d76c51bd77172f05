/**
 * The connection pool of the agent port, with the certificate gate in front of it: nothing goes out before the gate has passed, nor in
 * a long run when an hour has gone by since, or the certificate has ended. A renewed certificate gets a pool of its own; what is under
 * way on the old one ends there, so a running backup does not notice.
 */
import type { Clock, Net, NetRequest, NetResponse } from "@holdfast/base";
import type { TlsFiles } from "./tls-files.ts";

/** What stands behind the pool; `connection.ts` makes it. */
export interface CertifiedNetOptions {
  readonly clock: Clock;
  dial(files: TlsFiles): Net;
  /** The gate over the files as they now lie on disk. Does not pass: `certificate`. */
  passGate(): Promise<TlsFiles>;
  /** When `files` are to be renewed, ms since 1970; `Infinity` where this run may not. */
  dueMs(files: TlsFiles): number;
  /** Renewed files over `net`, or `null` when that failed, which has been said. */
  renew(net: Net, files: TlsFiles): Promise<TlsFiles | null>;
  /** An answer has come over the files in force: what they are from now on, when that changes with their first use, else `null`. */
  onUsed(): TlsFiles | null;
  /** The chain that the storage node showed does not lead to the root of `files`: the same under another root that is trusted. */
  onUntrusted(files: TlsFiles): Promise<TlsFiles | null>;
  /** The storage node did not accept the files in force: the ones before them, when there are such. Throws what is known better. */
  onRefused(): Promise<TlsFiles | null>;
  isRefusal(answer: NetResponse): boolean;
  isHangUp(error: unknown): boolean;
  isUntrusted(error: unknown): boolean;
  /** Told, in place of an answer, that the files before are in force again. */
  tryAgain(): Error;
}

const CHECK_INTERVAL_MS = 3_600_000;

interface Pool {
  readonly net: Net;
  files: TlsFiles;
  underWay: number;
}

/** A Net. `files` have passed the gate. */
export class CertifiedNet implements Net {
  readonly #options: CertifiedNetOptions;
  #pool: Pool;
  readonly #retired = new Set<Pool>();
  /** By the monotonic clock. */
  #nextCheckMs: number;
  #nextRenewalMs = 0;
  #checking: Promise<void> | null = null;

  constructor(options: CertifiedNetOptions, files: TlsFiles) {
    this.#options = options;
    this.#pool = { net: options.dial(files), files, underWay: 0 };
    this.#nextCheckMs = options.clock.monotonicMs() + CHECK_INTERVAL_MS;
  }

  get files(): TlsFiles {
    return this.#pool.files;
  }

  async exchange(request: NetRequest, bytesMax: number): Promise<NetResponse> {
    await this.ready();
    const pool = this.#pool;
    try {
      return await this.#exchangeOver(pool, request, bytesMax);
    } catch (error) {
      // Nothing has gone out: the storage node was not believed to be itself.
      if (!this.#options.isUntrusted(error) || !(await this.#untrusted(pool))) throw error;
      return this.#exchangeAgain(request, bytesMax, error);
    }
  }

  /** Over the other root. That is not it either: back to the one before, whose `first` error tells more. */
  async #exchangeAgain(request: NetRequest, bytesMax: number, first: unknown): Promise<NetResponse> {
    const pool = this.#pool;
    try {
      return await this.#exchangeOver(pool, request, bytesMax);
    } catch (error) {
      if (!this.#options.isUntrusted(error)) throw error;
      await this.#untrusted(pool);
      throw first;
    }
  }

  async #exchangeOver(pool: Pool, request: NetRequest, bytesMax: number): Promise<NetResponse> {
    pool.underWay++;
    try {
      const answer = await pool.net.exchange(request, bytesMax);
      if (this.#options.isRefusal(answer)) await this.#refused(pool);
      else if (pool === this.#pool) pool.files = this.#options.onUsed() ?? pool.files;
      return answer;
    } catch (error) {
      if (this.#options.isHangUp(error)) await this.#refused(pool);
      throw error;
    } finally {
      pool.underWay--;
      await this.#closeIfOver(pool);
    }
  }

  /** Looks at the gate, and renews, when it is time to. One look serves all who ask meanwhile. */
  async ready(): Promise<void> {
    if (this.#checking === null && this.#isTime()) {
      this.#checking = this.#check().finally(() => {
        this.#checking = null;
      });
    }
    await this.#checking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool, ...this.#retired].map(({ net }) => net[Symbol.asyncDispose]()));
  }

  #isTime(): boolean {
    const { clock } = this.#options;
    return clock.monotonicMs() >= this.#nextCheckMs || clock.nowMs() >= this.files.notAfterMs || this.#isRenewalTime();
  }

  #isRenewalTime(): boolean {
    const { clock, dueMs } = this.#options;
    return clock.nowMs() >= dueMs(this.files) && clock.monotonicMs() >= this.#nextRenewalMs;
  }

  async #check(): Promise<void> {
    const { clock, passGate, renew } = this.#options;
    const found = await passGate();
    this.#nextCheckMs = clock.monotonicMs() + CHECK_INTERVAL_MS;
    // The operator may have mended the files, or another run renewed them.
    if (found.chainPem !== this.files.chainPem || found.keyPem !== this.files.keyPem) await this.#replace(found);
    if (!this.#isRenewalTime()) return;
    this.#nextRenewalMs = clock.monotonicMs() + CHECK_INTERVAL_MS;
    const renewed = await renew(this.#pool.net, this.files);
    if (renewed !== null) await this.#replace(renewed);
  }

  async #replace(files: TlsFiles): Promise<void> {
    const retired = this.#pool;
    this.#pool = { net: this.#options.dial(files), files, underWay: 0 };
    this.#retired.add(retired);
    await this.#closeIfOver(retired);
  }

  /** Goes back to the files before, when the storage node refuses those in force. */
  async #refused(pool: Pool): Promise<void> {
    if (pool !== this.#pool) return;
    const before = await this.#options.onRefused();
    if (before === null || pool !== this.#pool) return;
    this.#nextRenewalMs = this.#options.clock.monotonicMs() + CHECK_INTERVAL_MS;
    await this.#replace(before);
    throw this.#options.tryAgain();
  }

  /** Whether another pool than `pool` is in force now. */
  async #untrusted(pool: Pool): Promise<boolean> {
    if (pool !== this.#pool) return true;
    const other = await this.#options.onUntrusted(pool.files);
    if (other !== null && pool === this.#pool) await this.#replace(other);
    return pool !== this.#pool;
  }

  async #closeIfOver(pool: Pool): Promise<void> {
    if (pool.underWay > 0 || !this.#retired.delete(pool)) return;
    await pool.net[Symbol.asyncDispose]();
  }
}
