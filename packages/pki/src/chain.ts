/**
 * The rules of a certificate chain (RFC 5280 §6, narrowed to one private root): leaf, intermediates, root, in the
 * order in which they are presented. No path is searched for: the order is the path.
 *
 * Every rule looks at every certificate, so one run names all that is wrong. Only public keys prove who signed.
 */
import { type Bytes, bytesToHex, equalBytes } from "@holdfast/base";
import type { Certificate } from "./certificate.ts";
import type { Crl } from "./crl.ts";
import { parseHostName } from "./host-name.ts";
import { BACKDATE_MS } from "./profiles.ts";

export type GateRule =
  | "present"
  | "parse"
  | "chain"
  | "dates"
  | "private-key"
  | "usage"
  | "authority"
  | "path-length"
  | "extension"
  | "name"
  | "revoked"
  | "strength";

/** Which of the things checked a finding is about. */
export type GateSubject = "leaf" | `intermediate ${number}` | "root" | "private key" | "issuing key" | "crl";

export interface Breach {
  readonly certificate: GateSubject;
  readonly rule: GateRule;
  /** As in `leaf: expired, got 2026-02-01T00:00:00.000Z, want before 2026-01-31T12:00:00.000Z`. */
  readonly message: string;
}

export type PeerUsage = "server" | "client";

export interface Chain {
  readonly leaf: Certificate;
  /** From the issuer of the leaf upwards. */
  readonly intermediates: readonly Certificate[];
  /** Trusted because the caller says so: by configuration, or by its pinned hash. */
  readonly root: Certificate;
}

export interface ChainDemands {
  readonly usage: PeerUsage;
  /** Name or address that the leaf must cover. */
  readonly name?: string | undefined;
  readonly nowMs: number;
  /** With lists, the issuer of the leaf must have one that is current; without, revocation is not looked at. */
  readonly crls?: readonly Crl[] | undefined;
}

interface Link {
  readonly label: GateSubject;
  readonly certificate: Certificate;
  /** Itself for the root. */
  readonly issuer: Certificate;
}

const EXTENDED_USAGE = { server: "serverAuth", client: "clientAuth" } as const;
const STRONG_KEYS: ReadonlySet<string> = new Set(["EC P-256", "EC P-384", "EC P-521", "Ed25519"]);
const STRONG_HASHES: ReadonlySet<string> = new Set(["SHA-256", "SHA-384", "SHA-512", "Ed25519"]);
const RSA_BITS_MIN = 2048;

/** All breaches of `chain`, leaf first; none is a pass. A name that is no host name: `input`. */
export async function checkChain(chain: Chain, demands: ChainDemands): Promise<Breach[]> {
  const links = linksOf(chain);
  const breaches = [
    ...(await checkSignatures(links)),
    ...checkDates(links, demands.nowMs),
    ...checkLeafUsage(chain.leaf, demands.usage),
    ...checkAuthorities(links, demands.usage),
    ...checkExtensions(links),
    ...checkStrength(links),
  ];
  if (demands.name !== undefined) breaches.push(...checkName(chain.leaf, demands.name));
  if (demands.crls !== undefined) breaches.push(...(await checkRevocation(links, demands.crls, demands.nowMs)));
  return breaches;
}

function linksOf({ leaf, intermediates, root }: Chain): Link[] {
  const certificates = [leaf, ...intermediates, root];
  return certificates.map((certificate, index) => ({
    label: index === 0 ? "leaf" : index === certificates.length - 1 ? "root" : (`intermediate ${index}` as const),
    certificate,
    issuer: certificates[index + 1] ?? root,
  }));
}

async function checkSignatures(links: readonly Link[]): Promise<Breach[]> {
  const breaches: Breach[] = [];
  for (const { label, certificate, issuer } of links) {
    if (!equalBytes(certificate.issuerDer, issuer.subjectDer)) {
      breaches.push(breach(label, "chain", "does not lead to our root", `issuer ${certificate.issuer}`, `issuer ${issuer.subject}`));
    } else if (!(await certificate.isSignedBy(issuer))) {
      breaches.push(
        breach(label, "chain", "signature does not verify", "another signature", `one by the key ${shortHash(issuer.spkiHash)} of ${issuer.subject}`),
      );
    }
  }
  return breaches;
}

/** The last second is over when it begins, as in OpenSSL: RFC 5280 would still count it in. */
function checkDates(links: readonly Link[], nowMs: number): Breach[] {
  const breaches: Breach[] = [];
  for (const { label, certificate } of links) {
    if (nowMs < certificate.notBeforeMs) {
      breaches.push(breach(label, "dates", "not valid yet", isoTime(nowMs), `from ${isoTime(certificate.notBeforeMs)}`));
    } else if (nowMs >= certificate.notAfterMs) {
      breaches.push(breach(label, "dates", "expired", isoTime(nowMs), `before ${isoTime(certificate.notAfterMs)}`));
    }
  }
  return breaches;
}

function checkLeafUsage(leaf: Certificate, usage: PeerUsage): Breach[] {
  const breaches: Breach[] = [];
  if (leaf.isAuthority || leaf.keyUsages?.includes("keyCertSign") === true) {
    breaches.push(breach("leaf", "authority", "an authority is used as a leaf", leaf.subject, "a certificate that may not sign others"));
  }
  if (leaf.keyUsages?.includes("digitalSignature") !== true) {
    breaches.push(breach("leaf", "usage", "key usage", listed(leaf.keyUsages), "digitalSignature"));
  }
  if (leaf.extendedUsages?.includes(EXTENDED_USAGE[usage]) !== true) {
    breaches.push(breach("leaf", "usage", "extended key usage", listed(leaf.extendedUsages), EXTENDED_USAGE[usage]));
  }
  return breaches;
}

function checkAuthorities(links: readonly Link[], usage: PeerUsage): Breach[] {
  const breaches: Breach[] = [];
  for (const [index, { label, certificate }] of links.entries()) {
    if (index === 0) continue;
    if (!certificate.isAuthority || certificate.keyUsages?.includes("keyCertSign") !== true) {
      const got = `${certificate.isAuthority ? "CA" : "no CA"}, key usage ${listed(certificate.keyUsages)}`;
      breaches.push(breach(label, "authority", "may not sign certificates", got, "CA, key usage keyCertSign"));
    }
    if (certificate.extendedUsages !== null && !certificate.extendedUsages.includes(EXTENDED_USAGE[usage])) {
      breaches.push(breach(label, "usage", "extended key usage", listed(certificate.extendedUsages), EXTENDED_USAGE[usage]));
    }
    const authoritiesBelow = index - 1;
    if (certificate.pathLength !== null && authoritiesBelow > certificate.pathLength) {
      breaches.push(breach(label, "path-length", "too many authorities below", `${authoritiesBelow}`, `at most ${certificate.pathLength}`));
    }
  }
  return breaches;
}

function checkExtensions(links: readonly Link[]): Breach[] {
  return links
    .filter(({ certificate }) => certificate.unknownCritical.length > 0)
    .map(({ label, certificate }) => breach(label, "extension", "critical extension", certificate.unknownCritical.join(", "), "only those we understand"));
}

function checkStrength(links: readonly Link[]): Breach[] {
  const breaches: Breach[] = [];
  for (const { label, certificate } of links) {
    if (!isStrongKey(certificate.keyKind)) {
      breaches.push(breach(label, "strength", "weak key", certificate.keyKind, `EC P-256 or more, RSA ${RSA_BITS_MIN} or more, or Ed25519`));
    }
    if (!STRONG_HASHES.has(certificate.signatureHash)) {
      breaches.push(breach(label, "strength", "weak signature", certificate.signatureHash, "SHA-256 or more"));
    }
  }
  return breaches;
}

function checkName(leaf: Certificate, name: string): Breach[] {
  const wanted = parseHostName(name);
  if (leaf.hostNames.some(({ kind, value }) => kind === wanted.kind && value === wanted.value)) return [];
  return [breach("leaf", "name", "does not cover the configured name", listed(leaf.hostNames.map(({ value }) => value)), wanted.value)];
}

async function checkRevocation(links: readonly Link[], crls: readonly Crl[], nowMs: number): Promise<Breach[]> {
  const breaches: Breach[] = [];
  for (const { label, certificate, issuer } of links) {
    if (label === "root") continue; // Nobody above could revoke it; a root is replaced.
    const named = crls.filter((crl) => equalBytes(crl.issuerDer, issuer.subjectDer));
    if (named.length === 0) {
      if (label === "leaf") breaches.push(breach("crl", "revoked", "no list of the leaf's issuer", `${crls.length} other`, `one by ${issuer.subject}`));
      continue;
    }
    const newest = await newestSigned(named, issuer);
    if (newest === null) {
      breaches.push(breach("crl", "revoked", "list is not signed by the issuer", "another signature", `one by ${issuer.subject} with SHA-256 or more`));
      continue;
    }
    if (newest.thisUpdateMs > nowMs + BACKDATE_MS || newest.nextUpdateMs <= nowMs) {
      const span = `${isoTime(newest.thisUpdateMs)} to ${isoTime(newest.nextUpdateMs)}`;
      breaches.push(breach("crl", "revoked", `list by ${issuer.subject} is not current`, span, `one for ${isoTime(nowMs)}`));
    }
    const revokedAtMs = newest.revokedAtMsBySerial.get(certificate.serial);
    if (revokedAtMs !== undefined) {
      breaches.push(breach(label, "revoked", "revoked", `serial ${certificate.serial} at ${isoTime(revokedAtMs)}`, "a serial that is not on the list"));
    }
  }
  return breaches;
}

async function newestSigned(crls: readonly Crl[], issuer: Certificate): Promise<Crl | null> {
  let newest: Crl | null = null;
  if (issuer.keyUsages?.includes("cRLSign") !== true) return null;
  for (const crl of crls) {
    if (!STRONG_HASHES.has(crl.signatureHash) || !(await crl.isSignedBy(issuer))) continue;
    if (newest === null || crl.thisUpdateMs > newest.thisUpdateMs) newest = crl;
  }
  return newest;
}

function isStrongKey(keyKind: string): boolean {
  if (keyKind.startsWith("RSA ")) return Number(keyKind.slice(4)) >= RSA_BITS_MIN;
  return STRONG_KEYS.has(keyKind);
}

function breach(certificate: GateSubject, rule: GateRule, wrong: string, got: string, want: string): Breach {
  return { certificate, rule, message: `${certificate}: ${wrong}, got ${got}, want ${want}` };
}

function listed(values: readonly string[] | null): string {
  return values === null || values.length === 0 ? "none" : values.join(" ");
}

function shortHash(hash: Bytes): string {
  return bytesToHex(hash).slice(0, 16);
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
