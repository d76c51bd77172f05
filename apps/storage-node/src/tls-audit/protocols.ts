/** The protocol versions that the audit probes, and the suites that it offers in each. */
import { INSECURE_SUITES } from "./insecure-suites.ts";
import type { Severity } from "./suite-class.ts";

export type ProtocolName = "SSL 2" | "SSL 3" | "TLS 1.0" | "TLS 1.1" | "TLS 1.2" | "TLS 1.3";

export interface AuditProtocol {
  readonly name: ProtocolName;
  /** As in `legacy_version` or, for TLS 1.3, `supported_versions`. */
  readonly wireVersion: number;
  /** Of a server that speaks it at all; `null` where that is fine. */
  readonly severity: Severity | null;
  /** Codes of the insecure suites that this version can carry. */
  readonly insecureSuites: readonly number[];
  /** Codes that tell whether a sound server speaks this version. Before TLS 1.2 no suite is sound. */
  readonly soundSuites: readonly number[];
}

const TLS_13_SUITES = [0x1301, 0x1302, 0x1303, 0x1304];
const TLS_12_SUITES = [0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0x009e, 0x009f, 0xccaa, 0xc0ac, 0xc0ad, 0xc09e, 0xc09f];
const TLS_13_INSECURE = new Set([0x1305, 0xc0b4, 0xc0b5]);

const aead = new Set(INSECURE_SUITES.filter(({ name }) => /_GCM_|_CCM|POLY1305/.test(name)).map(({ code }) => code));
const tls12 = INSECURE_SUITES.map(({ code }) => code).filter((code) => !TLS_13_INSECURE.has(code));
const before12 = tls12.filter((code) => !aead.has(code));

/** RFC 6176 (SSL 2), 7568 (SSL 3) and 8996 (TLS 1.0 and 1.1) forbid all but the last two. */
export const AUDIT_PROTOCOLS: readonly AuditProtocol[] = [
  { name: "SSL 2", wireVersion: 0x0002, severity: "critical", insecureSuites: [], soundSuites: [] },
  { name: "SSL 3", wireVersion: 0x0300, severity: "high", insecureSuites: before12, soundSuites: [] },
  { name: "TLS 1.0", wireVersion: 0x0301, severity: "medium", insecureSuites: before12, soundSuites: [] },
  { name: "TLS 1.1", wireVersion: 0x0302, severity: "medium", insecureSuites: before12, soundSuites: [] },
  { name: "TLS 1.2", wireVersion: 0x0303, severity: null, insecureSuites: tls12, soundSuites: TLS_12_SUITES },
  { name: "TLS 1.3", wireVersion: 0x0304, severity: null, insecureSuites: [...TLS_13_INSECURE], soundSuites: TLS_13_SUITES },
];
