/** The node's audit of its own ports: its line in the log, its row in the audit trail, its last report. */
import type { Clock, Disk, Random } from "@holdfast/base";
import type { Log } from "./log.ts";
import type { AuditTrail } from "./store/audit-trail.ts";
import {
  type CipherAuditReport,
  CipherAuditSchedule,
  dialNode,
  fetchChainNode,
  logLevelOf,
  type RunningPorts,
  runCipherAudit,
  runOpensslNode,
  targetsOf,
} from "./tls-audit/index.ts";

export interface OwnAuditOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly log: Log;
  readonly trail: AuditTrail;
  readonly ports: RunningPorts;
}

/** Ready to start; one line and one row for each audit, every 24 hours. */
export function createOwnAudit({ clock, random, disk, log, trail, ports }: OwnAuditOptions): CipherAuditSchedule {
  const openssl = { run: runOpensslNode, disk };
  return new CipherAuditSchedule({
    clock,
    audit: (signal) => runCipherAudit({ ports: targetsOf(ports), dial: dialNode, fetchChain: fetchChainNode, clock, random, openssl, signal }),
    async onReport(report) {
      log(logLevelOf(report), `cipher audit: ${report.summary}`);
      await trail.record({ actor: "storage node", action: "cipher-audit", subject: "own ports", origin: "local", result: resultOf(report) });
    },
    onError: (error) => log("error", "cipher audit: its result was not recorded", { error: error instanceof Error ? error.message : String(error) }),
  });
}

/** Short: the list is in the log line. */
function resultOf({ worst, findings, failures, summary }: CipherAuditReport): string {
  if (failures.length > 0) return `incomplete, ${failures.length} failures`;
  return worst === null ? summary : `${findings.length} findings, worst ${worst}`;
}
