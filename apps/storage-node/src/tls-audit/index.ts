export { fetchChainNode } from "./certificate-node.ts";
export { type CipherAuditOptions, failedAudit, runCipherAudit } from "./cipher-audit.ts";
export { dialNode } from "./dial-node.ts";
export { runOpensslNode } from "./openssl-node.ts";
export type { ProbeTarget } from "./probe.ts";
export { type AuditFinding, type CipherAuditReport, isClean, logLevelOf } from "./report.ts";
export { type RunningPorts, targetsOf } from "./running-ports.ts";
export { CIPHER_AUDIT_INTERVAL_MS, CipherAuditSchedule } from "./schedule.ts";
export { SEVERITIES, type Severity } from "./suite-class.ts";
