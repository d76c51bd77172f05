/**
 * Refusals in the audit trail: at most one row a minute for each class and peer address, with a count. Memory and rows
 * are bounded: when too many addresses are refused at once, the rest of a class is counted together.
 */
import { type Clock, Fault, type FaultCode, type FaultOptions, isFault } from "@holdfast/base";
import type { AuditTrail } from "./audit-trail.ts";

/** Classes that refusals are counted by. They stay in the node: a peer learns the fault's code and sentence only. */
export const REFUSAL_REASONS = [
  "no-certificate",
  "certificate-expired",
  "unknown-device",
  "revoked-device",
  "signature",
  "clock-skew",
  "replay",
  "version",
  "role",
  "other-vault",
  "invite",
  "rate-limited",
  "handshake",
  "gate",
  "integrity",
  "not-allowed",
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** A fault that says to the trail why a peer was refused. */
export class Refusal extends Fault {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, code: FaultCode, message: string, options: FaultOptions = {}) {
    super(code, message, options);
    this.reason = reason;
  }
}

const REASONS_BY_CODE: Readonly<Partial<Record<FaultCode, RefusalReason>>> = {
  denied: "not-allowed",
  certificate: "gate",
  version: "version",
  integrity: "integrity",
};

/** Class of a refusal, or `null` for what is none: a miss, a conflict, a full disk, a bug. */
export function reasonOf(error: unknown): RefusalReason | null {
  if (error instanceof Refusal) return error.reason;
  return isFault(error) ? (REASONS_BY_CODE[error.code] ?? null) : null;
}

export interface RefusalCounter {
  /** Counts a refusal of the peer at `address`; never throws and never waits. */
  note(reason: RefusalReason, address: string): void;
  /** Writes what is counted and not yet in the trail, and stops. */
  close(): Promise<void>;
}

interface Window {
  readonly reason: RefusalReason;
  readonly address: string;
  /** Refusals since the last row. */
  count: number;
  rowAtMs: number;
}

const WINDOW_MS = 60_000;
/** Class and address pairs within a minute, each one row; beyond, a class has one more for all other addresses. */
export const REFUSAL_WINDOWS_MAX = 64;
const OTHERS = "other addresses";

/** Counts refusals into `trail`. A trail that cannot be written is told to `onFailure`, and costs no request. */
export function createRefusalCounter(trail: AuditTrail, clock: Clock, onFailure: (error: unknown) => void): RefusalCounter {
  const windows = new Map<string, Window>();
  const stopped = new AbortController();
  let watching = false;

  const write = async (window: Window): Promise<void> => {
    const { reason, address, count } = window;
    window.count = 0;
    window.rowAtMs = clock.monotonicMs();
    try {
      await trail.record({ actor: "peer", action: "refused", subject: reason, origin: address, result: String(count) });
    } catch (error) {
      onFailure(error);
    }
  };
  const writeDue = async (): Promise<void> => {
    for (const [key, window] of [...windows]) {
      if (clock.monotonicMs() - window.rowAtMs < WINDOW_MS) continue;
      if (window.count === 0) windows.delete(key);
      else await write(window);
    }
  };
  const watch = async (): Promise<void> => {
    watching = true;
    try {
      while (windows.size > 0) {
        const dueAtMs = Math.min(...[...windows.values()].map((window) => window.rowAtMs)) + WINDOW_MS;
        await clock.sleep(Math.max(dueAtMs - clock.monotonicMs(), 1), stopped.signal);
        await writeDue();
      }
    } catch {
      // Stopped: `close` writes the rest.
    } finally {
      watching = false;
    }
  };

  return {
    note(reason, peerAddress) {
      if (stopped.signal.aborted) return;
      let address = addressGroup(peerAddress);
      if (!windows.has(`${reason} ${address}`) && windows.size >= REFUSAL_WINDOWS_MAX) address = OTHERS;
      const key = `${reason} ${address}`;
      const known = windows.get(key);
      if (known !== undefined) {
        known.count++;
        return;
      }
      const window: Window = { reason, address, count: 1, rowAtMs: clock.monotonicMs() };
      windows.set(key, window);
      void write(window);
      if (!watching) void watch();
    },
    async close() {
      stopped.abort();
      for (const window of windows.values()) if (window.count > 0) await write(window);
      windows.clear();
    },
  };
}

/** An address without its zone, IPv4 out of its IPv6 form, and an IPv6 one as its network of 64 bits: who has one address of it has all. */
export function addressGroup(address: string): string {
  const [bare = ""] = address.toLowerCase().split("%");
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/.exec(bare);
  if (mapped !== null) return mapped[1] as string;
  if (!bare.includes(":") || !/^[0-9a-f:.]{2,45}$/.test(bare)) return bare.slice(0, 64);
  const [head = "", tail] = bare.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = tail === undefined ? left : [...left, ...Array<string>(Math.max(8 - left.length - right.length, 0)).fill("0"), ...right];
  if (groups.slice(0, 7).every((group) => /^0*$/.test(group))) return bare;
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}
