/**
 * One X.509 certificate, parsed once into plain data that rules can be written over (RFC 5280 §4).
 *
 * Everything a rule reads is read here, so that a malformed extension is a `format` fault now and no surprise
 * later. Parsing proves nothing: `isSignedBy` and chain.ts do.
 */
import { type Bytes, Fault } from "@holdfast/base";
import { isOneSequence } from "./der.ts";
import { type HostName, toHostName } from "./host-name.ts";
import { spkiHash } from "./key.ts";
import { encodePem } from "./pem.ts";
import type { ExtendedUsage } from "./profiles.ts";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from "./x509.ts";

export type KeyUsage = "digitalSignature" | "keyCertSign" | "cRLSign";

export interface Certificate {
  readonly der: Bytes;
  readonly pem: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** For messages only: names are compared as DER. */
  readonly subject: string;
  readonly issuer: string;
  readonly subjectDer: Bytes;
  readonly issuerDer: Bytes;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKeySpki: Bytes;
  /** SHA-256 of `publicKeySpki`, 32 bytes. */
  readonly spkiHash: Bytes;
  /** As in `EC P-256`, `RSA 2048`, `Ed25519`, or the name or OID of something else. */
  readonly keyKind: string;
  /** Hash that the signature is made over, as in `SHA-256`; `Ed25519` brings its own. */
  readonly signatureHash: string;
  readonly isAuthority: boolean;
  /** `null` is no bound. */
  readonly pathLength: number | null;
  /** `null` where the extension is absent. */
  readonly keyUsages: readonly KeyUsage[] | null;
  /** `serverAuth`, `clientAuth`, else the OID. */
  readonly extendedUsages: readonly string[] | null;
  /** DNS names and addresses in canonical form. Wildcards are left out: our authority issues none and none is honoured. */
  readonly hostNames: readonly HostName[];
  /** Hex, or `null` where absent. */
  readonly subjectKeyId: string | null;
  /** OIDs of critical extensions that no rule here understands; a chain that holds one is refused (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[];
  /** Whether the signature verifies under the key of `issuer`. Never throws: what cannot be verified is not signed. */
  isSignedBy(issuer: Certificate): Promise<boolean>;
}

const UNDERSTOOD = [BasicConstraintsExtension, KeyUsagesExtension, ExtendedKeyUsageExtension, SubjectAlternativeNameExtension];

const EXTENDED_USAGE_NAMES = new Map<string, ExtendedUsage>([
  [String(ExtendedKeyUsage.serverAuth), "serverAuth"],
  [String(ExtendedKeyUsage.clientAuth), "clientAuth"],
]);

/** Parses exactly one DER certificate. Anything else, also bytes left over or an extension given twice: `format`. */
export async function parseCertificate(der: Bytes): Promise<Certificate> {
  try {
    if (!isOneSequence(der)) throw new Fault("format", "certificate: bytes left over");
    return await describe(new X509Certificate(der), der);
  } catch (cause) {
    throw new Fault("format", "certificate: does not parse", { cause });
  }
}

/** Serial as it is compared here: lower-case hex without leading zeros. */
export function canonicalSerial(serialHex: string): string {
  return serialHex.toLowerCase().replace(/^0+(?=.)/, "");
}

async function describe(x509: X509Certificate, der: Bytes): Promise<Certificate> {
  const types = x509.extensions.map((extension) => extension.type);
  if (new Set(types).size !== types.length) throw new Fault("format", "certificate: an extension is given twice");
  const basic = x509.getExtension(BasicConstraintsExtension);
  const usages = x509.getExtension(KeyUsagesExtension);
  const extended = x509.getExtension(ExtendedKeyUsageExtension);
  const publicKeySpki = new Uint8Array(x509.publicKey.rawData);
  const notBeforeMs = x509.notBefore.getTime();
  const notAfterMs = x509.notAfter.getTime();
  if (!Number.isFinite(notBeforeMs) || !Number.isFinite(notAfterMs)) throw new Fault("format", "certificate: dates do not parse");
  return {
    der,
    pem: encodePem("CERTIFICATE", der),
    serial: canonicalSerial(x509.serialNumber),
    subject: x509.subject,
    issuer: x509.issuer,
    subjectDer: new Uint8Array(x509.subjectName.toArrayBuffer()),
    issuerDer: new Uint8Array(x509.issuerName.toArrayBuffer()),
    notBeforeMs,
    notAfterMs,
    publicKeySpki,
    spkiHash: await spkiHash(publicKeySpki),
    keyKind: keyKindOf(x509.publicKey.algorithm as AlgorithmLike),
    signatureHash: signatureHashOf(x509.signatureAlgorithm as AlgorithmLike),
    isAuthority: basic?.ca ?? false,
    pathLength: basic?.pathLength ?? null,
    keyUsages: usages === null ? null : keyUsageNames(usages.usages),
    extendedUsages: extended === null ? null : [...extended.usages].map((oid) => EXTENDED_USAGE_NAMES.get(String(oid)) ?? String(oid)),
    hostNames: hostNamesOf(x509),
    subjectKeyId: x509.getExtension(SubjectKeyIdentifierExtension)?.keyId.toLowerCase() ?? null,
    unknownCritical: [...x509.extensions] // A plain array, not the library's own kind.
      .filter((extension) => extension.critical && !UNDERSTOOD.some((known) => extension instanceof known))
      .map((extension) => extension.type),
    async isSignedBy(issuer) {
      try {
        return await x509.verify({ publicKey: issuer.publicKeySpki, signatureOnly: true });
      } catch {
        return false;
      }
    },
  };
}

/** What the library tells of an algorithm, as far as it is read here. */
export interface AlgorithmLike {
  readonly name: string;
  readonly namedCurve?: string;
  readonly modulusLength?: number;
  readonly hash?: { readonly name: string };
}

function keyKindOf(algorithm: AlgorithmLike): string {
  if (algorithm.modulusLength !== undefined) return `RSA ${algorithm.modulusLength}`;
  if (algorithm.name.startsWith("EC")) return `EC ${algorithm.namedCurve ?? "without a named curve"}`;
  return algorithm.name;
}

/** Name of the hash a signature is made over, or of the whole algorithm when it brings its own. */
export function signatureHashOf(algorithm: AlgorithmLike): string {
  return algorithm.hash?.name ?? algorithm.name;
}

function keyUsageNames(flags: number): KeyUsage[] {
  const names: KeyUsage[] = [];
  if ((flags & KeyUsageFlags.digitalSignature) !== 0) names.push("digitalSignature");
  if ((flags & KeyUsageFlags.keyCertSign) !== 0) names.push("keyCertSign");
  if ((flags & KeyUsageFlags.cRLSign) !== 0) names.push("cRLSign");
  return names;
}

function hostNamesOf(x509: X509Certificate): HostName[] {
  const names: HostName[] = [];
  for (const name of x509.getExtension(SubjectAlternativeNameExtension)?.names.items ?? []) {
    if (name.type !== "dns" && name.type !== "ip") continue;
    const parsed = toHostName(name.value);
    // A DNS entry that looks like an address is not the address: only iPAddress entries are (RFC 2818 §3.1).
    if (parsed?.kind === name.type) names.push(parsed);
  }
  return names;
}
