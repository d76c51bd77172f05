/**
 * What monitoring reads from the front port, in the text format of Prometheus. Anyone may: it says nothing that a prober of the
 * ports could not find out.
 */
import type { AppServices } from "./app-services.ts";
import { type CipherAuditReport, SEVERITIES } from "./tls-audit/index.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** One page of gauges. */
export function metricsOf({ problems, cipherAudit }: Pick<AppServices, "problems" | "cipherAudit">): string {
  const report = cipherAudit?.() ?? null;
  const gate = gauge("holdfast_gate_problems", "Rules of the certificate gate that fail.", [["", problems().length]]);
  return [gate, ...(report === null ? [] : ofAudit(report))].join("");
}

function ofAudit({ findings, failures, finishedAtMs }: CipherAuditReport): string[] {
  const counts = SEVERITIES.map((severity): Value => [`{severity="${severity}"}`, findings.filter((finding) => finding.severity === severity).length]);
  return [
    gauge("holdfast_tls_audit_findings", "Insecure protocols, suites and certificates that the last cipher audit reached.", counts),
    gauge("holdfast_tls_audit_failures", "What the last cipher audit could not look at.", [["", failures.length]]),
    gauge("holdfast_tls_audit_timestamp_seconds", "When the last cipher audit ended.", [["", finishedAtMs / 1000]]),
  ];
}

type Value = readonly [labels: string, value: number];

function gauge(name: string, help: string, values: readonly Value[]): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${values.map(([labels, value]) => `${name}${labels} ${value}\n`).join("")}`;
}
