/** `holdfast-node tls audit`: probes ports now and says what it found. */
import { type Clock, type Disk, Fault, type Random } from "@holdfast/base";
import { parseHostName } from "@holdfast/pki";
import { DataFolder } from "../data-folder.ts";
import { fetchChainNode } from "../tls-audit/certificate-node.ts";
import { runCipherAudit } from "../tls-audit/cipher-audit.ts";
import { dialNode } from "../tls-audit/dial-node.ts";
import { runOpensslNode } from "../tls-audit/openssl-node.ts";
import type { OpensslPolicy } from "../tls-audit/openssl-policy.ts";
import type { ProbeTarget } from "../tls-audit/probe.ts";
import type { CipherAuditReport } from "../tls-audit/report.ts";
import { askForPorts, targetsOf } from "../tls-audit/running-ports.ts";

export interface TlsAuditOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** `name:port`, `1.2.3.4:port` or `[::1]:port`: what to probe. */
  readonly host?: string;
  /** Folder of a running node, whose ports are probed where `host` is left out. */
  readonly data?: string;
}

export interface TlsAuditResult {
  readonly report: CipherAuditReport;
  /** 0 clean, 1 a finding of medium or worse, 5 something could not be audited. */
  readonly exitCode: 0 | 1 | 5;
}

/** Neither `host` nor `data`, or a `host` that is none: `input`. */
export async function tlsAudit({ disk, clock, random, host, data }: TlsAuditOptions): Promise<TlsAuditResult> {
  const ports = { dial: dialNode, fetchChain: fetchChainNode, clock, random };
  const report = await (host === undefined
    ? runCipherAudit({ ...ports, ports: await portsOfNode(disk, data), openssl: { run: runOpensslNode, disk } })
    : runCipherAudit({ ...ports, ports: [parseTarget(host)] }));
  return { report, exitCode: exitCodeOf(report) };
}

/** The report in lines for a person; the last one is the log line. */
export function tlsAuditLines(report: CipherAuditReport): string[] {
  const lines: string[] = [];
  for (const { label, host, port, reachableProtocols, failures } of report.ports) {
    const spoken = reachableProtocols.length === 0 ? "speaks no TLS" : `speaks ${reachableProtocols.join(", ")}`;
    lines.push(`${label}${label.includes(`:${port}`) ? "" : ` (${host}:${port})`}: ${spoken}${failures.map((failure) => `; ${failure}`).join("")}`);
  }
  for (const { severity, port, protocol, suite, class: what, kind } of report.findings) {
    const subject = [protocol, kind === "certificate" ? "certificate" : null, suite === null ? null : `${suite.name} ${suite.code}`, what];
    lines.push(`${severity.padEnd(8)}  ${port}: ${subject.filter((part) => part !== null).join("  ")}`);
  }
  if (report.openssl !== null) lines.push(opensslLine(report.openssl));
  lines.push(`cipher audit: ${report.summary}`);
  return lines;
}

function opensslLine({ version, allowedSuites, availableSuites, configPath, minProtocol }: OpensslPolicy): string {
  if (version === null) return "OpenSSL of this machine: none on the path, so its policy is not known";
  const policy =
    configPath === null ? "its configuration cannot be read" : `${configPath} sets ${minProtocol === null ? "no MinProtocol" : `MinProtocol ${minProtocol}`}`;
  const counts = `${allowedSuites.length} insecure suites for programs that ask for nothing special, ${availableSuites.length} for those that ask`;
  return `OpenSSL of this machine: ${version} still allows ${counts}; ${policy}`;
}

function exitCodeOf({ worst, failures }: CipherAuditReport): TlsAuditResult["exitCode"] {
  if (worst !== null && worst !== "info") return 1;
  return failures.length > 0 ? 5 : 0;
}

async function portsOfNode(disk: Disk, data: string | undefined): Promise<readonly ProbeTarget[]> {
  if (data === undefined) throw new Fault("input", "tls audit: nothing to probe, want --host HOST:PORT or --data FOLDER");
  return targetsOf(await askForPorts(new DataFolder(disk, data).controlPath));
}

function parseTarget(text: string): ProbeTarget {
  const [, hostText = "", portText = ""] = /^(.{1,255}):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(portText);
  if (port < 1 || port > 65_535) throw new Fault("input", `tls audit: not a host and port, got ${JSON.stringify(text.slice(0, 64))}, want HOST:PORT`);
  const { kind, value } = parseHostName(hostText);
  const label = kind === "ip" && value.includes(":") ? `[${value}]:${port}` : `${value}:${port}`;
  return { label, host: value, port, ...(kind === "dns" ? { serverName: value } : {}) };
}
