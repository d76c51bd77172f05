/** What the ports tell the audit trail by themselves: no person or device did it. */
import type { Clock } from "@holdfast/base";
import type { TlsProfileName } from "@holdfast/pki";
import type { Log } from "./log.ts";
import { type RefusedHandshake, RefusedHandshakes } from "./refused-handshakes.ts";
import type { RefusalCounter } from "./store/audit-refusals.ts";
import { type AuditEntry, createAuditTrail } from "./store/audit-trail.ts";
import type { Store } from "./store/store.ts";

export type SecurityEvent = Omit<AuditEntry, "actor">;

export type PortName = "agent port" | "front port";

export interface SecurityEvents {
  /** Appends to the audit trail, in the order of the calls. A failure to do so is logged. */
  tell(event: SecurityEvent): void;
  /** Logs, and counts for the audit trail, both within their limits. */
  refused(port: PortName, handshake: RefusedHandshake): void;
  warnOfLegacyTls(port: PortName, profile: TlsProfileName): void;
  /** Tells the counts of windows that are over. */
  flush(): void;
  /** Resolves when all that was told is in the trail. */
  settled(): Promise<void>;
}

const LOG_WINDOW_MS = 60_000;

export function createSecurityEvents(store: Pick<Store, "writer">, clock: Clock, log: Log, refusals: Pick<RefusalCounter, "note">): SecurityEvents {
  const trail = createAuditTrail(store.writer, clock);
  let last: Promise<unknown> = Promise.resolve();
  const tell = (event: SecurityEvent): void => {
    last = last
      .then(() => trail.record({ actor: "storage node", ...event }))
      .catch((error: unknown) => log("error", "audit trail: not written", { error: String(error) }));
  };
  const logged = new RefusedHandshakes(clock, LOG_WINDOW_MS, ({ address, offered, reason, count }) =>
    log("warning", "handshake refused", { address, offered, reason, count }),
  );
  return {
    tell,
    refused(port, { address, offered, reason }) {
      logged.add({ address, offered, reason: `${port}: ${reason}` });
      refusals.note("handshake", address);
    },
    warnOfLegacyTls(port, profile) {
      log("warning", `${port}: policy ${profile} offers TLS 1.0 and 1.1, which are known to be weak; leave it as soon as the old agents are gone`, { profile });
      tell({ action: "tls-profile", subject: `${port}: ${profile}`, origin: "local", result: "weak" });
    },
    flush: () => logged.flush(),
    async settled() {
      await last;
    },
  };
}
