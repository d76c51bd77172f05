/** What is wrong with the certificates that a port shows. Trust is not judged here: that is the certificate gate's and the peers' work. */
import { type Bytes, equalBytes, isFault } from "@holdfast/base";
import { type Certificate, parseCertificate } from "@holdfast/pki";
import type { AuditFinding } from "./report.ts";
import { CHAIN_CERTIFICATES_MAX } from "./server-answer.ts";
import type { Severity } from "./suite-class.ts";

type Weakness = readonly [what: string, severity: Severity];

const RSA_BITS_MIN = 2048;
const RSA_BITS_BROKEN = 1024;
const EC_BITS_MIN = 256;
const RSA_SPKI_BYTES_MIN = 270;
const EC_KEY_OID = "1.2.840.10045.2.1";

/** Findings of a chain in DER, the leaf first; the same one in several certificates counts once. */
export async function certificateFindings(label: string, chain: readonly Uint8Array[], nowMs: number): Promise<AuditFinding[]> {
  const severities = new Map<string, Severity>();
  for (const [index, der] of chain.slice(0, CHAIN_CERTIFICATES_MAX).entries()) {
    const place = index === 0 ? "" : " (of an authority)";
    for (const [what, severity] of await weaknessesOf(der, index === 0, nowMs)) severities.set(`${what}${place}`, severity);
  }
  return [...severities].map(([what, severity]) => ({ port: label, kind: "certificate", protocol: null, suite: null, class: what, severity }));
}

async function weaknessesOf(der: Uint8Array, isLeaf: boolean, nowMs: number): Promise<Weakness[]> {
  let certificate: Certificate;
  try {
    certificate = await parseCertificate(der as Bytes);
  } catch (error) {
    if (!isFault(error)) throw error;
    return [["that does not parse", "high"]];
  }
  const isSelfSigned = await isSignedByItself(certificate);
  const found: Weakness[] = [];
  if (nowMs > certificate.notAfterMs) found.push(["expired", "high"]);
  if (nowMs < certificate.notBeforeMs) found.push(["not yet valid", "high"]);
  if (isLeaf && isSelfSigned) found.push(["self-signed", "medium"]);
  found.push(...weakKey(certificate));
  // Nobody checks the signature of a root: it is trusted or not, as a whole.
  if (isLeaf || !isSelfSigned) found.push(...weakSignature(certificate.signatureHash));
  return found;
}

/** By its signature; by its names alone where the signature is of a kind that cannot be verified here any more. */
async function isSignedByItself(certificate: Certificate): Promise<boolean> {
  if (!equalBytes(certificate.subjectDer, certificate.issuerDer)) return false;
  const isVerifiable = certificate.keyKind !== EC_KEY_OID && weakSignature(certificate.signatureHash).length === 0;
  return !isVerifiable || (await certificate.isSignedBy(certificate));
}

function weakKey({ keyKind, publicKeySpki }: Certificate): Weakness[] {
  const rsaBits = /^RSA (\d+)$/.exec(keyKind)?.[1];
  if (rsaBits !== undefined) {
    if (Number(rsaBits) < RSA_BITS_BROKEN) return [["with a key of RSA below 1024 bits", "critical"]];
    return Number(rsaBits) < RSA_BITS_MIN ? [["with a key of RSA below 2048 bits", "high"]] : [];
  }
  // The parser tells no length of this kind, but a modulus of 2048 bits makes the key longer than this.
  if (keyKind === "RSA-PSS") return publicKeySpki.length < RSA_SPKI_BYTES_MIN ? [["with a key of RSA below 2048 bits", "high"]] : [];
  if (keyKind.startsWith("EC ") || keyKind === EC_KEY_OID) {
    const bits = curveBits(publicKeySpki);
    if (bits !== null && bits < EC_BITS_MIN) return [["with a key on a curve below 256 bits", "high"]];
    return keyKind === EC_KEY_OID ? [["with a key on a curve that is not known here", "medium"]] : [];
  }
  return /^Ed(?:25519|448|DSA)$/.test(keyKind) ? [] : [["with a key of a kind that is not known here", "medium"]];
}

/** Size of the field of an elliptic curve, from the length of the point in a short SubjectPublicKeyInfo; `null` where it is not one. */
function curveBits(spki: Uint8Array): number | null {
  const pointAt = 4 + (spki[3] ?? 0); // After the headers of the outer sequence and of the algorithm.
  const [bitString, byteCount, unused, form] = spki.subarray(pointAt, pointAt + 4);
  if ((spki[1] ?? 0x80) >= 0x80 || bitString !== 0x03 || byteCount === undefined || byteCount < 4 || unused !== 0) return null;
  const coordinateBytes = form === 4 ? (byteCount - 2) / 2 : byteCount - 2;
  return coordinateBytes * 8;
}

function weakSignature(hash: string): Weakness[] {
  if (/^SHA-?1$/i.test(hash) || SHA1_OIDS.has(hash)) return [["signed with SHA-1", "high"]];
  if (/^MD[245]$/i.test(hash) || MD_OIDS.has(hash)) return [["signed with MD5 or older", "critical"]];
  return [];
}

/** As far as the parser names no hash it gives the OID of the signature: PKCS #1 (RFC 8017 §A.2.4), ECDSA (RFC 5758 §3.2), DSA (RFC 3279). */
const SHA1_OIDS: ReadonlySet<string> = new Set(["1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.2.840.10040.4.3"]);
const MD_OIDS: ReadonlySet<string> = new Set(["1.2.840.113549.1.1.2", "1.2.840.113549.1.1.3", "1.2.840.113549.1.1.4"]);
