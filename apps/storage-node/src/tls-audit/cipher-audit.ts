/** The cipher audit: real probes of the ports, their certificates, and the machine's OpenSSL policy, in one report. */
import type { Clock, Disk, Random } from "@holdfast/base";
import { certificateFindings } from "./certificate-findings.ts";
import { withDeadline } from "./deadline.ts";
import type { Dial, FetchChain } from "./dial.ts";
import { carriesCertificate } from "./insecure-suites.ts";
import { type OpensslPolicy, type RunOpenssl, readOpensslPolicy } from "./openssl-policy.ts";
import { type ProbeResult, type ProbeTarget, probePort } from "./probe.ts";
import { type AuditFinding, type CipherAuditReport, createReport, findingsOfProbe, type PortReport, portReport } from "./report.ts";

export interface CipherAuditOptions {
  readonly ports: readonly ProbeTarget[];
  readonly dial: Dial;
  readonly fetchChain: FetchChain;
  readonly clock: Clock;
  readonly random: Random;
  /** The machine's openssl and its configuration; left out where another machine is audited. */
  readonly openssl?: { readonly run: RunOpenssl; readonly disk: Pick<Disk, "readFile">; readonly configPath?: string };
  /** Ends the audit early; the report then says so. */
  readonly signal?: AbortSignal;
}

/** How long the audit of one port may take, ms. */
export const PORT_AUDIT_MS_MAX = 300_000;
const HANDSHAKE_MS_MAX = 5_000;

/** Audits the ports one after the other. Never rejects: what could not be done is in the report's `failures`. */
export async function runCipherAudit(options: CipherAuditOptions): Promise<CipherAuditReport> {
  const startedAtMs = Math.floor(options.clock.nowMs());
  const ports: PortReport[] = [];
  const findings: AuditFinding[] = [];
  const failures: string[] = [];
  let openssl: OpensslPolicy | null = null;
  try {
    for (const target of options.ports) {
      const { port, found } = await auditPort(target, options);
      ports.push(port);
      findings.push(...found);
    }
    if (options.openssl !== undefined) openssl = await readOpensslPolicy(options.openssl.run, options.openssl.disk, options.openssl.configPath);
    if (options.signal?.aborted === true) failures.push("the audit was stopped before its end");
  } catch (error) {
    failures.push(`the audit itself failed: ${oneLine(error)}`);
  }
  return createReport({ startedAtMs, finishedAtMs: Math.floor(options.clock.nowMs()), ports, findings, failures, openssl });
}

/** The report of an audit that could not even run. */
export function failedAudit(clock: Clock, error: unknown): CipherAuditReport {
  const nowMs = Math.floor(clock.nowMs());
  return createReport({
    startedAtMs: nowMs,
    finishedAtMs: nowMs,
    ports: [],
    findings: [],
    failures: [`the audit itself failed: ${oneLine(error)}`],
    openssl: null,
  });
}

async function auditPort(target: ProbeTarget, options: CipherAuditOptions): Promise<{ port: PortReport; found: AuditFinding[] }> {
  return withDeadline(options.clock, PORT_AUDIT_MS_MAX, options.signal, async (signal) => {
    const probed = await probePort(target, options, signal);
    const chains = await readChains(target, options, probed, signal);
    const failures = [...probed.failures];
    if (signal.aborted && options.signal?.aborted !== true) failures.push(`not finished in ${PORT_AUDIT_MS_MAX / 1000} s`);
    if (chains.length === 0 && showsCertificate(probed)) failures.push("its certificate could not be read");
    const found = findingsOfProbe(target, probed);
    const seen = new Set<string>();
    for (const finding of (await Promise.all(chains.map((chain) => certificateFindings(target.label, chain, options.clock.nowMs())))).flat()) {
      if (!seen.has(finding.class)) found.push(finding);
      seen.add(finding.class);
    }
    return { port: portReport(target, { ...probed, failures }), found };
  });
}

/** The chain in the clear, and the one of a whole handshake: a server may show another certificate under TLS 1.3. */
async function readChains(
  { host, port, serverName }: ProbeTarget,
  options: CipherAuditOptions,
  probed: ProbeResult,
  signal: AbortSignal,
): Promise<(readonly Uint8Array[])[]> {
  const chains = probed.chain.length > 0 ? [probed.chain] : [];
  const speaksTls13 = probed.protocols.some(({ protocol, isReachable }) => isReachable && protocol.name === "TLS 1.3");
  if (!speaksTls13 && chains.length > 0) return chains;
  if (!probed.protocols.some(({ isReachable }) => isReachable)) return chains;
  const target = { host, port, ...(serverName === undefined ? {} : { serverName }) };
  const whole = await withDeadline(options.clock, HANDSHAKE_MS_MAX, signal, (inTime) => options.fetchChain({ ...target, signal: inTime }));
  if (whole !== null) chains.push(whole);
  return chains;
}

/** Whether the server has chosen a suite that comes with a certificate. */
function showsCertificate({ protocols }: ProbeResult): boolean {
  return protocols.some(({ suitesThatWork }) => suitesThatWork.some(carriesCertificate));
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").slice(0, 200);
}
