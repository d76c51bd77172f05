/** What is wrong with a cipher suite, told from its IANA name: RFC 7465 (RC4), 8996, 9155, 9325 §4 and 9846. */

export const SEVERITIES = ["info", "medium", "high", "critical"] as const;
/** From harmless to worst. From `medium` on, an audit is not clean. */
export type Severity = (typeof SEVERITIES)[number];

/** Classes of insecure suites, the gravest first: a suite counts to the first one that fits its name. */
export const SUITE_CLASSES = [
  { name: "NULL encryption", severity: "critical", pattern: /_NULL_|^TLS_SHA(?:256|384)_SHA(?:256|384)$/ },
  { name: "EXPORT", severity: "critical", pattern: /EXPORT/ },
  { name: "anonymous key exchange", severity: "critical", pattern: /_anon_|^TLS_SRP_SHA_WITH/ },
  { name: "DES", severity: "critical", pattern: /_DES_/ },
  { name: "RC4", severity: "high", pattern: /RC4/ },
  { name: "RC2", severity: "high", pattern: /RC2/ },
  { name: "MD5", severity: "high", pattern: /_MD5$/ },
  { name: "3DES", severity: "high", pattern: /3DES/ },
  { name: "IDEA or SEED", severity: "medium", pattern: /IDEA|SEED/ },
  { name: "static-RSA key exchange", severity: "medium", pattern: /^TLS_RSA_/ },
  { name: "static key exchange", severity: "medium", pattern: /^TLS_(?:ECDH|DH|PSK|KRB5)_/ },
  { name: "DSS signature", severity: "medium", pattern: /_DSS_/ },
  { name: "CBC with SHA-1", severity: "medium", pattern: /_CBC_SHA$/ },
  { name: "CBC", severity: "info", pattern: /_CBC_SHA(?:256|384)$/ },
  { name: "short authentication tag", severity: "info", pattern: /_CCM_8/ },
] as const satisfies readonly { name: string; severity: Severity; pattern: RegExp }[];

export type SuiteClassName = (typeof SUITE_CLASSES)[number]["name"];

/** The class of an IANA suite name, or `null` for a suite that is sound. */
export function classOfSuite(ianaName: string): { readonly name: SuiteClassName; readonly severity: Severity } | null {
  return SUITE_CLASSES.find(({ pattern }) => pattern.test(ianaName)) ?? null;
}

/** The worse of two severities; `null` is nothing found. */
export function worseOf(left: Severity | null, right: Severity | null): Severity | null {
  if (left === null) return right;
  if (right === null) return left;
  return SEVERITIES.indexOf(left) >= SEVERITIES.indexOf(right) ? left : right;
}
