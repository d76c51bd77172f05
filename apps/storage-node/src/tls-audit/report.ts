/** What an audit found, as plain data: it goes into the log (one line), the audit trail, the metric and `--json`. */
import { formatSuiteCode, insecureSuiteOf } from "./insecure-suites.ts";
import type { OpensslPolicy } from "./openssl-policy.ts";
import { type ProbeResult, type ProbeTarget, reachableProtocols } from "./probe.ts";
import type { ProtocolName } from "./protocols.ts";
import { SEVERITIES, type Severity, worseOf } from "./suite-class.ts";

export interface AuditFinding {
  /** Label of the port, as in `agent port`. */
  readonly port: string;
  readonly kind: "protocol" | "suite" | "certificate";
  /** `null` for certificates. */
  readonly protocol: ProtocolName | null;
  /** IANA name and code as in `0x000A`; `null` unless a suite was found. */
  readonly suite: { readonly code: string; readonly name: string } | null;
  /** What is wrong, as in `3DES` or `expired`. */
  readonly class: string;
  readonly severity: Severity;
}

export interface PortReport {
  readonly label: string;
  readonly host: string;
  readonly port: number;
  readonly reachableProtocols: readonly ProtocolName[];
  /** Why this port's result may be incomplete. */
  readonly failures: readonly string[];
}

export interface CipherAuditReport {
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly ports: readonly PortReport[];
  /** The worst first. */
  readonly findings: readonly AuditFinding[];
  /** `null` where nothing was found. */
  readonly worst: Severity | null;
  /** Why the audit may be incomplete. Not empty: nothing may be called clean. */
  readonly failures: readonly string[];
  /** What OpenSSL on this machine would still allow; `null` where a distant host was audited. It is no finding: our ports do not follow it. */
  readonly openssl: OpensslPolicy | null;
  /** The one log line: `none reachable`, or the list. Holds no text that a server chose. */
  readonly summary: string;
}

const SUMMARY_ITEMS_MAX = 100;

/** The findings of a port as its probes showed them, without those of its certificates. */
export function findingsOfProbe({ label }: ProbeTarget, result: ProbeResult): AuditFinding[] {
  return result.protocols.flatMap(({ protocol, isReachable, insecureSuites }) => {
    const found: AuditFinding[] = [];
    const common = { port: label, protocol: protocol.name };
    if (isReachable && protocol.severity !== null)
      found.push({ ...common, kind: "protocol", suite: null, class: "obsolete protocol", severity: protocol.severity });
    for (const code of insecureSuites) {
      const suite = insecureSuiteOf(code);
      if (suite === null) continue;
      found.push({ ...common, kind: "suite", suite: { code: formatSuiteCode(code), name: suite.name }, class: suite.class, severity: suite.severity });
    }
    return found;
  });
}

export function portReport({ label, host, port }: ProbeTarget, result: ProbeResult): PortReport {
  return { label, host, port, reachableProtocols: reachableProtocols(result), failures: result.failures };
}

/** Puts it together; `failures` are those of the audit as a whole, beside the ports' own. */
export function createReport(parts: {
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly ports: readonly PortReport[];
  readonly findings: readonly AuditFinding[];
  readonly failures: readonly string[];
  readonly openssl: OpensslPolicy | null;
}): CipherAuditReport {
  const findings = parts.findings.toSorted((left, right) => rankOf(right) - rankOf(left));
  const failures = [...parts.failures, ...parts.ports.flatMap(({ label, failures: own }) => own.map((failure) => `${label}: ${failure}`))];
  const worst = findings.reduce<Severity | null>((worse, { severity }) => worseOf(worse, severity), null);
  return { ...parts, findings, failures, worst, summary: summarize(findings, failures) };
}

/** Whether an operator need not act: nothing of `medium` or worse, and nothing left unasked. */
export function isClean({ worst, failures }: CipherAuditReport): boolean {
  return failures.length === 0 && (worst === null || worst === "info");
}

/** Level of the log line. An audit that failed is an error: nobody knows what is reachable. */
export function logLevelOf({ worst, failures }: CipherAuditReport): "info" | "warning" | "error" {
  if (failures.length > 0 || worst === "critical" || worst === "high") return "error";
  return worst === "medium" ? "warning" : "info";
}

/** By severity; within one a protocol or certificate comes before the many suites. */
function rankOf({ severity, kind }: AuditFinding): number {
  return SEVERITIES.indexOf(severity) * 2 + (kind === "suite" ? 0 : 1);
}

function summarize(findings: readonly AuditFinding[], failures: readonly string[]): string {
  const parts = [...failures.map((failure) => `not audited: ${failure}`), ...mergedFindings(findings)];
  if (parts.length === 0) return "none reachable";
  const shown = parts.slice(0, SUMMARY_ITEMS_MAX);
  return parts.length > shown.length ? `${shown.join("; ")}; and ${parts.length - shown.length} more` : shown.join("; ");
}

/** One text for each port and weakness, with all the protocol versions that show it. */
function mergedFindings(findings: readonly AuditFinding[]): string[] {
  const protocolsByText = new Map<string, string[]>();
  for (const { port, protocol, suite, kind, class: what, severity } of findings) {
    const subject = kind === "certificate" ? `certificate ${what}` : suite === null ? what : `${suite.name} ${suite.code} ${what}`;
    const text = `${port}: ${subject} (${severity})`;
    const protocols = protocolsByText.get(text) ?? [];
    if (protocol !== null) protocols.push(protocol);
    protocolsByText.set(text, protocols);
  }
  return [...protocolsByText].map(([text, protocols]) => (protocols.length === 0 ? text : `${text} in ${protocols.join(", ")}`));
}
