/**
 * TLS policy profiles as data, in the form that `tls.createServer` and `node:https` take.
 *
 * | profile      | protocols | key exchange, cipher                               | for                     |
 * | modern       | 1.3       | all of TLS 1.3                                     | agent port, the default |
 * | intermediate | 1.2, 1.3  | ECDHE with GCM or ChaCha20                         | front port, the default |
 * | v8r4         | 1.0 - 1.2 | those of intermediate, then AES-CBC-SHA with ECDHE, then with static RSA | old agents |
 *
 * SSL 2 and 3, RC4, 3DES, NULL, EXPORT, anonymous and MD5 suites are in no profile. No cipher string here
 * may hold `@SECLEVEL`: Bun throws on it. Under Bun the suites of TLS 1.3 cannot be chosen; all of them are sound.
 * Runtimes other than Bun may refuse TLS 1.0 and 1.1 whatever they are asked: who opens a port under `v8r4` must prove first
 * that it is really offered.
 */
import { Fault } from "@holdfast/base";

export type TlsVersion = "TLSv1" | "TLSv1.2" | "TLSv1.3";

export interface TlsPolicy {
  readonly minVersion: TlsVersion;
  readonly maxVersion: Exclude<TlsVersion, "TLSv1">;
  /** OpenSSL cipher string. */
  readonly ciphers: string;
  readonly honorCipherOrder: boolean;
}

export const TLS_PROFILE_NAMES = ["modern", "intermediate", "v8r4"] as const;
export type TlsProfileName = (typeof TLS_PROFILE_NAMES)[number];

const TLS_13_SUITES = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];
const TLS_12_SUITES = [
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
];
/** TLS 1.0 and 1.1 know no AEAD. */
const TLS_10_SUITES = ["ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA"];
/** Without forward secrecy; last, for peers of TLS 1.0 that know no elliptic curves. Needs a node certificate with an RSA key. */
const STATIC_RSA_SUITES = ["AES256-SHA", "AES128-SHA"];

const TLS_POLICIES: Readonly<Record<TlsProfileName, TlsPolicy>> = {
  modern: { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: TLS_13_SUITES.join(":"), honorCipherOrder: true },
  intermediate: { minVersion: "TLSv1.2", maxVersion: "TLSv1.3", ciphers: [...TLS_13_SUITES, ...TLS_12_SUITES].join(":"), honorCipherOrder: true },
  v8r4: { minVersion: "TLSv1", maxVersion: "TLSv1.2", ciphers: [...TLS_12_SUITES, ...TLS_10_SUITES, ...STATIC_RSA_SUITES].join(":"), honorCipherOrder: true },
};

/** Options for a server or a client. An unknown name: `input`. */
export function tlsPolicy(name: string): TlsPolicy {
  return TLS_POLICIES[asTlsProfileName(name)];
}

/** `name` if it is a profile's. Anything else: `input`. */
export function asTlsProfileName(name: string): TlsProfileName {
  if (isTlsProfileName(name)) return name;
  throw new Fault("input", `tls policy: unknown, got ${JSON.stringify(name.slice(0, 32))}, want ${TLS_PROFILE_NAMES.join(", ")}`);
}

/** Whether a profile offers protocols that are known to be weak: to be named by hand, and warned of at every start. */
export function isLegacyTls(policy: TlsPolicy): boolean {
  return policy.minVersion === "TLSv1";
}

function isTlsProfileName(name: string): name is TlsProfileName {
  return (TLS_PROFILE_NAMES as readonly string[]).includes(name);
}
