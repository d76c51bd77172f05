/**
 * TLS policy profiles as data, in the form that `tls.createServer` and `node:https` take.
 *
 * | profile      | protocols | key exchange, cipher           | for                     |
 * | modern       | 1.3       | all of TLS 1.3                 | agent port, the default |
 * | intermediate | 1.2, 1.3  | ECDHE with GCM or ChaCha20     | front port, the default |
 * | v8r4         | 1.0 - 1.2 | not offered by this version    | old agents              |
 *
 * SSL 2 and 3, RC4, 3DES, NULL, EXPORT, anonymous and MD5 suites are in no profile. No cipher string here
 * may hold `@SECLEVEL`: Bun throws on it. Under Bun the suites of TLS 1.3 cannot be chosen; all of them are sound.
 */
import { Fault } from "@holdfast/base";

export type TlsVersion = "TLSv1.2" | "TLSv1.3";

export interface TlsPolicy {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
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

const TLS_POLICIES: Readonly<Record<TlsProfileName, TlsPolicy | null>> = {
  modern: { minVersion: "TLSv1.3", maxVersion: "TLSv1.3", ciphers: TLS_13_SUITES.join(":"), honorCipherOrder: true },
  intermediate: { minVersion: "TLSv1.2", maxVersion: "TLSv1.3", ciphers: [...TLS_13_SUITES, ...TLS_12_SUITES].join(":"), honorCipherOrder: true },
  v8r4: null,
};

/** Options for a server or a client. An unknown name, or `v8r4`, which this version does not offer: `input`. */
export function tlsPolicy(name: string): TlsPolicy {
  if (!isTlsProfileName(name)) {
    throw new Fault("input", `tls policy: unknown, got ${JSON.stringify(name.slice(0, 32))}, want ${TLS_PROFILE_NAMES.join(", ")}`);
  }
  const policy = TLS_POLICIES[name];
  if (policy === null) {
    throw new Fault("input", `tls policy: ${name} is not offered by this version; it comes later, got ${name}, want modern or intermediate`);
  }
  return policy;
}

function isTlsProfileName(name: string): name is TlsProfileName {
  return (TLS_PROFILE_NAMES as readonly string[]).includes(name);
}
