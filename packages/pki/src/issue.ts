/**
 * Issuing for the private PKI: root, intermediate, the leaf of a storage node, the leaf of an agent from its CSR.
 *
 * What a certificate says comes from its profile and from the issuer's own records, never from the request.
 * After every signature the new certificate is checked against its issuer, so that a wrong key file cannot
 * put out certificates that no one accepts.
 */
import { assert, type Bytes, bytesToHex, type Clock, equalBytes, Fault, type Random } from "@holdfast/base";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { isOneSequence } from "./der.ts";
import { parseHostName } from "./host-name.ts";
import { createKeyPair, importSigningKeys, type KeyPair, SIGNING_ALGORITHM, spkiHash } from "./key.ts";
import { encodePem, parseOnePem } from "./pem.ts";
import { BACKDATE_MS, CERTIFICATE_PEM_BYTES_MAX, CERTIFICATE_PROFILES, type CertificateProfile, CSR_PEM_BYTES_MAX, SERIAL_BYTES } from "./profiles.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  CRLDistributionPointsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "./x509.ts";

/** Where time and serial numbers come from. */
export interface IssuePorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** A certificate that may sign others, with its key: the root or an intermediate. */
export interface Authority {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

interface Draft {
  readonly profile: CertificateProfile;
  readonly subject: Name;
  readonly publicKeySpki: Bytes;
  /** Hex, of an authority that has a certificate already; others get one that follows from their key. */
  readonly keyId?: string | null;
  /** Ends the certificate before its profile would. */
  readonly lifetimeMs?: number;
  /** Where revocation lists are published. */
  readonly crlUrl?: string | undefined;
  /** DNS names and addresses of the SAN; none leaves the extension out. */
  readonly hostNames: readonly string[];
}

const HOST_NAME_COUNT_MAX = 64;
const COMMON_NAME = /^[A-Za-z0-9 ._:-]{1,64}$/; // 64 is ub-common-name of RFC 5280.
const KEY_ID_BYTES = 20; // RFC 7093 §2 method 1 keeps 160 bits of a SHA-256.

/** A self-signed root with a fresh key. Keep the key locked (`lockPrivateKey`) or offline. */
export async function createRoot(ports: IssuePorts, commonName: string): Promise<Authority> {
  const { privateKeyPem, publicKeySpki } = await createKeyPair();
  const draft = { profile: CERTIFICATE_PROFILES.root, subject: toName(commonName), publicKeySpki, hostNames: [] };
  return { certificatePem: await sign(ports, null, privateKeyPem, draft), privateKeyPem };
}

/** An intermediate under `root`, with a fresh key, for a year at most. */
export async function createIntermediate(ports: IssuePorts, root: Authority, commonName: string): Promise<Authority> {
  const { privateKeyPem, publicKeySpki } = await createKeyPair();
  const draft = { profile: CERTIFICATE_PROFILES.intermediate, subject: toName(commonName), publicKeySpki, hostNames: [] };
  return { certificatePem: await issue(ports, root, draft), privateKeyPem };
}

/**
 * Another certificate for the key and name of the authority in `certificatePem`, under `issuer`: how what hangs from that authority comes
 * to hang from `issuer` too, and how one root vouches for another. For `lifetimeMs` at most. No authority: `certificate`.
 */
export async function recertify(ports: IssuePorts, issuer: Authority, certificatePem: string, lifetimeMs: number): Promise<string> {
  const { isAuthority, subject, subjectDer, issuerDer, publicKeySpki, subjectKeyId } = await parseCertificatePem(certificatePem);
  if (!isAuthority) throw new Fault("certificate", `certificate: may not sign others, got ${subject}, want an authority`);
  const profile = equalBytes(subjectDer, issuerDer) ? CERTIFICATE_PROFILES.root : CERTIFICATE_PROFILES.intermediate;
  return issue(ports, issuer, { profile, subject: new Name(subjectDer), publicKeySpki, hostNames: [], keyId: subjectKeyId, lifetimeMs });
}

/**
 * The server leaf of a storage node as PEM, for a key made by `createKeyPair`. `crlUrl` is for others: nothing of ours fetches what a
 * certificate names. No host name, or a bad one: `input`.
 */
export async function issueNodeLeaf(ports: IssuePorts, issuer: Authority, keys: KeyPair, hostNames: readonly string[], crlUrl?: string): Promise<string> {
  if (hostNames.length === 0 || hostNames.length > HOST_NAME_COUNT_MAX) {
    throw new Fault("input", `node certificate: number of host names, got ${hostNames.length}, want 1 to ${HOST_NAME_COUNT_MAX}`);
  }
  const draft = { profile: CERTIFICATE_PROFILES.node, subject: toName("storage node"), publicKeySpki: keys.publicKeySpki, hostNames, crlUrl };
  return issue(ports, issuer, draft);
}

/** A request for the key `privateKeyPem`, as PEM. It carries no name: the issuer gives one. */
export async function createCsr(privateKeyPem: string): Promise<string> {
  const keys = await importSigningKeys(privateKeyPem);
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: SIGNING_ALGORITHM });
  return encodePem("CERTIFICATE REQUEST", new Uint8Array(request.rawData));
}

/**
 * The client leaf of the agent `deviceId`, as PEM. Of the request only the key is taken, once the request's
 * signature proves possession of it; subject and extensions are ignored. A request that does not parse: `format`;
 * whose signature fails, or whose key is not P-256: `certificate`.
 */
export async function issueAgentLeaf(ports: IssuePorts, issuer: Authority, csrPem: string, deviceId: Uint8Array): Promise<string> {
  const publicKeySpki = await provenKeyOf(csrPem);
  const draft = { profile: CERTIFICATE_PROFILES.agent, subject: toName(bytesToHex(deviceId)), publicKeySpki, hostNames: [] };
  return issue(ports, issuer, draft);
}

/** Leaf first, then each issuer: what a server or client presents. Give the root last only on the enrolment port. */
export function encodeChain(...certificatePems: readonly string[]): string {
  return certificatePems.map((pem) => (pem.endsWith("\n") ? pem : `${pem}\n`)).join("");
}

/** SHA-256 of the public key in a certificate, 32 bytes: what invites pin and device tables hold. */
export async function spkiHashOfCertificate(certificatePem: string): Promise<Bytes> {
  return (await parseCertificatePem(certificatePem)).spkiHash;
}

/** The one certificate of `pem`; else `format`. */
export async function parseCertificatePem(pem: string): Promise<Certificate> {
  return parseCertificate(parseOnePem("CERTIFICATE", pem, CERTIFICATE_PEM_BYTES_MAX));
}

async function provenKeyOf(csrPem: string): Promise<Bytes> {
  const der = parseOnePem("CERTIFICATE REQUEST", csrPem, CSR_PEM_BYTES_MAX);
  let request: Pkcs10CertificateRequest;
  let publicKeySpki: Bytes;
  try {
    if (!isOneSequence(der)) throw new Fault("format", "certificate request: bytes left over");
    request = new Pkcs10CertificateRequest(der);
    publicKeySpki = new Uint8Array(request.publicKey.rawData);
  } catch (cause) {
    throw new Fault("format", "certificate request: does not parse", { cause });
  }
  const algorithm = request.publicKey.algorithm as { name: string; namedCurve?: string };
  if (algorithm.namedCurve !== "P-256") {
    throw new Fault("certificate", `certificate request: key, got ${algorithm.namedCurve ?? algorithm.name}, want P-256`);
  }
  const isProven = await request.verify().catch(() => false);
  if (!isProven) throw new Fault("certificate", "certificate request: its signature does not verify under its own key");
  return publicKeySpki;
}

async function issue(ports: IssuePorts, issuer: Authority, draft: Draft): Promise<string> {
  const authority = await parseCertificatePem(issuer.certificatePem);
  const nowMs = ports.clock.nowMs();
  if (!authority.isAuthority || authority.keyUsages?.includes("keyCertSign") !== true) {
    throw new Fault("certificate", `issuer: may not sign certificates, got ${authority.subject}, want an authority`);
  }
  if (nowMs < authority.notBeforeMs || nowMs >= authority.notAfterMs) {
    throw new Fault("certificate", `issuer: outside its dates, got ${isoTime(nowMs)}, want until ${isoTime(authority.notAfterMs)}`);
  }
  return sign(ports, authority, issuer.privateKeyPem, draft);
}

/** Signs `draft` with the key of `issuer`, or with its own when that is `null`. */
async function sign(ports: IssuePorts, issuer: Certificate | null, privateKeyPem: string, draft: Draft): Promise<string> {
  const { privateKey } = await importSigningKeys(privateKeyPem);
  const notBeforeMs = wholeSeconds(ports.clock.nowMs() - BACKDATE_MS);
  const lifetimeMs = Math.min(draft.profile.lifetimeMsMax, draft.lifetimeMs ?? Number.POSITIVE_INFINITY);
  const notAfterMs = Math.min(wholeSeconds(notBeforeMs + lifetimeMs), issuer?.notAfterMs ?? Number.POSITIVE_INFINITY);
  const x509 = await X509CertificateGenerator.create({
    serialNumber: randomSerial(ports.random),
    subject: draft.subject,
    issuer: issuer === null ? draft.subject : new Name(issuer.subjectDer),
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    publicKey: draft.publicKeySpki,
    signingKey: privateKey,
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: await extensionsOf(draft, issuer),
  });
  const certificate = await parseCertificate(new Uint8Array(x509.rawData));
  assert(equalBytes(certificate.publicKeySpki, draft.publicKeySpki), "a new certificate carries the key it was asked for");
  if (!(await certificate.isSignedBy(issuer ?? certificate))) {
    throw new Fault("certificate", `issuer: its private key does not belong to its certificate, got another key, want the key of ${issuer?.subject}`);
  }
  return certificate.pem;
}

async function extensionsOf(draft: Draft, issuer: Certificate | null): Promise<Extension[]> {
  const { pathLength, extendedUsages } = draft.profile;
  const isAuthority = pathLength !== null;
  const usages = isAuthority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature;
  const keyId = draft.keyId ?? bytesToHex((await spkiHash(draft.publicKeySpki)).subarray(0, KEY_ID_BYTES));
  const extensions: Extension[] = [
    new BasicConstraintsExtension(isAuthority, pathLength ?? undefined, true),
    new KeyUsagesExtension(usages, true),
    new SubjectKeyIdentifierExtension(keyId),
    new AuthorityKeyIdentifierExtension(issuer?.subjectKeyId ?? keyId),
  ];
  if (extendedUsages.length > 0) extensions.push(new ExtendedKeyUsageExtension(extendedUsages.map((usage) => ExtendedKeyUsage[usage])));
  if (draft.hostNames.length > 0) {
    const names = draft.hostNames.map((text) => parseHostName(text));
    extensions.push(new SubjectAlternativeNameExtension(names.map((name) => ({ type: name.kind, value: name.value }))));
  }
  if (draft.crlUrl !== undefined) extensions.push(new CRLDistributionPointsExtension([draft.crlUrl]));
  return extensions;
}

function toName(commonName: string): Name {
  if (!COMMON_NAME.test(commonName)) throw new Fault("input", "certificate name: want 1 to 64 letters, digits, spaces or any of . _ : -");
  return new Name([{ CN: [commonName] }]);
}

/** Hex of a positive integer of exactly `SERIAL_BYTES`: the top bit clear, the next one set. */
function randomSerial(random: Random): string {
  const bytes = random.bytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] as number) & 0x3f) | 0x40;
  return bytesToHex(bytes);
}

/** X.509 has no fractions of a second. */
function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000) * 1000;
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
