/**
 * Certificate profiles as data: what each kind of certificate of the private PKI may do and for how long.
 *
 *   root ──► intermediate ──► node   (server on the agent port and the front port)
 *                        └──► agent  (client)
 *
 * Keys are P-256 and signatures ECDSA with SHA-256 in every profile.
 */

export const DAY_MS = 86_400_000;

export type ExtendedUsage = "serverAuth" | "clientAuth";

export interface CertificateProfile {
  readonly name: "root" | "intermediate" | "node" | "agent";
  /** From `notBefore` to `notAfter`. */
  readonly lifetimeMsMax: number;
  /** Authorities below this one that a chain may hold, or `null` for a leaf. */
  readonly pathLength: number | null;
  /** Extended usages, none of them for the root. Those of the intermediate bound its leaves. */
  readonly extendedUsages: readonly ExtendedUsage[];
}

export const CERTIFICATE_PROFILES = {
  root: { name: "root", lifetimeMsMax: 3650 * DAY_MS, pathLength: 1, extendedUsages: [] },
  intermediate: { name: "intermediate", lifetimeMsMax: 365 * DAY_MS, pathLength: 0, extendedUsages: ["serverAuth", "clientAuth"] },
  node: { name: "node", lifetimeMsMax: 90 * DAY_MS, pathLength: null, extendedUsages: ["serverAuth"] },
  agent: { name: "agent", lifetimeMsMax: 30 * DAY_MS, pathLength: null, extendedUsages: ["clientAuth"] },
} as const satisfies Record<string, CertificateProfile>;

/** How far `notBefore` lies in the past, so that a machine whose clock is a little slow accepts a fresh certificate. */
export const BACKDATE_MS = 5 * 60_000;

/** Serial numbers are drawn at random: 126 free bits, twice what the CA/Browser Forum asks for. */
export const SERIAL_BYTES = 16;

/** Certificates of a sent chain, leaf and root included. */
export const CHAIN_COUNT_MAX = 6;
export const CERTIFICATE_PEM_BYTES_MAX = 64 * 1024;
export const CSR_PEM_BYTES_MAX = 8 * 1024;
export const KEY_PEM_BYTES_MAX = 16 * 1024;
/** About 60,000 revocations. */
export const CRL_PEM_BYTES_MAX = 4 * 1024 * 1024;
