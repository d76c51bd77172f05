/**
 * The audit trail as the rest of the program writes to it. What changes the catalog is recorded by catalog-writer.ts in the
 * same transaction; what happens elsewhere (ports, probes, the gate, start and stop) comes through `AuditTrail`.
 */
import type { Clock } from "@holdfast/base";
import type { AuditEvent } from "./catalog-writer.ts";
import type { Store } from "./store.ts";

/** Every action that a row may name: one word for one thing, so that a filter finds all of it. */
export const AUDIT_ACTIONS = [
  "init",
  "node-started",
  "node-stopped",
  "tls-profile",
  "cipher-audit",
  "gate",
  "invite",
  "enroll",
  "certificate-issued",
  "certificate-renewed",
  "certificate-revoked",
  "authority-rotated",
  "revoke",
  "rename",
  "policy",
  "journal",
  "refused",
  "audit-damaged",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What happened, without its time. Texts are cut at `AUDIT_TEXT_LENGTH_MAX`; none holds a secret. */
export interface AuditEntry {
  /** A device id in hex, `operator`, `storage node`, or `peer` for someone unknown. */
  readonly actor: string;
  readonly action: AuditAction;
  readonly subject: string;
  /** Address of the peer, `control socket`, `journal` or `local`. */
  readonly origin: string;
  /** `done`, a fault code, or a short finding. */
  readonly result: string;
}

/** Who did something that the catalog records in the transaction of the change itself. */
export type AuditSource = Pick<AuditEntry, "actor" | "origin">;

export interface AuditTrail {
  /** Appends a row; resolves once it is durable. */
  record(entry: AuditEntry): Promise<void>;
}

/** The trail behind the writer of a store. */
export function createAuditTrail(writer: Store["writer"], clock: Clock): AuditTrail {
  return {
    record(entry) {
      const event: AuditEvent = { ...entry, atMs: Math.floor(clock.nowMs()) };
      return writer.call("audit", [event]);
    },
  };
}
