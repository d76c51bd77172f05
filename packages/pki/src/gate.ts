/**
 * The certificate gate: what must hold before a component opens a port or dials, again hourly, and at expiry.
 *
 * Takes files as they lie on disk and answers with one finding per failed rule, each with the command that mends it.
 * An empty answer is a pass. The rules of the chain itself are in chain.ts.
 */
import { type Bytes, Fault } from "@holdfast/base";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { type Breach, checkChain, type GateRule, type GateSubject, type PeerUsage } from "./chain.ts";
import { type Crl, parseCrl } from "./crl.ts";
import { isPrivateKeyOf } from "./key.ts";
import { type PemLabel, parsePem } from "./pem.ts";
import { CERTIFICATE_PEM_BYTES_MAX, CHAIN_COUNT_MAX, CRL_PEM_BYTES_MAX } from "./profiles.ts";

/** Texts of the files; `null` where a file is missing. */
export interface GateInput {
  /** The leaf alone. */
  readonly certPem: string | null;
  /** From the leaf's issuer upwards. The leaf itself may come first and the root last, as in the file that TLS presents. */
  readonly chainPem: string | null;
  /** Unencrypted PKCS#8. */
  readonly keyPem: string | null;
  readonly rootPem: string | null;
  /** One list or several. Left out, revocation is not looked at; `null` is a missing file. */
  readonly crlPem?: string | null | undefined;
  readonly usage: PeerUsage;
  /** Name or address that the component is configured to answer to. */
  readonly name?: string | undefined;
  /** Wall time, ms since 1970 UTC. */
  readonly nowMs: number;
}

export interface GateFinding {
  readonly certificate: GateSubject;
  readonly rule: GateRule;
  /** `certificate: what is wrong, got, want`. */
  readonly message: string;
  /** The command that mends it. */
  readonly mend: string;
}

/** Commands by who runs them and what is broken. */
export const GATE_MENDS = {
  server: {
    leaf: "holdfast-node certificate issue",
    intermediate: "holdfast-node certificate intermediate",
    root: "holdfast-node certificate root",
    "private key": "holdfast-node certificate issue",
    "issuing key": "holdfast-node certificate intermediate",
    crl: "holdfast-node certificate crl",
  },
  client: {
    leaf: "holdfast enroll",
    intermediate: "holdfast enroll",
    root: "holdfast enroll",
    "private key": "holdfast enroll",
    "issuing key": "holdfast enroll",
    crl: "holdfast enroll",
  },
} as const;

/** All that is wrong, empty for a pass. Never throws for what the files hold; a `name` that is no host name: `input`. */
export async function checkCertificate(input: GateInput): Promise<GateFinding[]> {
  const breaches: Breach[] = [];
  const leaf = await readOne("leaf", input.certPem, breaches);
  const root = await readOne("root", input.rootPem, breaches);
  const above = await readMany(input.chainPem, breaches);
  const crls = input.crlPem === undefined ? undefined : readCrls(input.crlPem, breaches);
  if (leaf !== null) {
    breaches.push(...(await checkPrivateKey("private key", leaf, input.keyPem)));
  } else if (isMissing(input.keyPem)) {
    breaches.push(missing("private key"));
  }
  if (leaf !== null && root !== null && above !== null) {
    const intermediates = above.filter((certificate) => certificate.pem !== leaf.pem && certificate.pem !== root.pem);
    const { usage, name, nowMs } = input;
    // A list that is missing or garbage has its finding already.
    breaches.push(...(await checkChain({ leaf, intermediates, root }, { usage, name, nowMs, crls: crls ?? undefined })));
  }
  return breaches.map((breach) => ({ ...breach, mend: mendOf(input.usage, breach.certificate) }));
}

/** What is wrong with the pair that issues certificates here: an intermediate and its key. `null`: a missing file. */
export async function checkIssuingKey(certPem: string | null, keyPem: string | null): Promise<GateFinding[]> {
  const breaches: Breach[] = [];
  const issuer = await readOne("intermediate 1", certPem, breaches);
  if (issuer !== null) breaches.push(...(await checkPrivateKey("issuing key", issuer, keyPem)));
  else if (isMissing(keyPem)) breaches.push(missing("issuing key"));
  return breaches.map((breach) => ({ ...breach, mend: mendOf("server", breach.certificate) }));
}

/** The findings as the text of one fault, `certificate`, for whoever must stop. */
export function gateFault(findings: readonly GateFinding[]): Fault {
  const lines = findings.map(({ message, rule, mend }) => `${message} (rule ${rule}; mend: ${mend})`);
  return new Fault("certificate", `certificate gate: ${lines.join("; ")}`, { detail: { findings: lines } });
}

async function checkPrivateKey(label: "private key" | "issuing key", owner: Certificate, keyPem: string | null): Promise<Breach[]> {
  if (keyPem === null || isMissing(keyPem)) return [missing(label)];
  try {
    if (await isPrivateKeyOf(keyPem, owner.publicKeySpki, owner.keyKind)) return [];
  } catch (error) {
    return [unparsed(label, error)];
  }
  const message = `${label}: does not belong to the certificate, got another or a damaged key, want the ${owner.keyKind} key of ${owner.subject}`;
  return [{ certificate: label, rule: "private-key", message }];
}

async function readOne(label: "leaf" | "intermediate 1" | "root", pem: string | null, breaches: Breach[]): Promise<Certificate | null> {
  if (pem === null || isMissing(pem)) {
    breaches.push(missing(label));
    return null;
  }
  try {
    return await parseCertificate(blocks("CERTIFICATE", pem, CERTIFICATE_PEM_BYTES_MAX, 1)[0] as Bytes);
  } catch (error) {
    breaches.push(unparsed(label, error));
    return null;
  }
}

/** Certificates above the leaf; none where there is no file, for a leaf may hang from the root itself. `null`: unreadable. */
async function readMany(pem: string | null, breaches: Breach[]): Promise<Certificate[] | null> {
  if (pem === null) return [];
  try {
    return await Promise.all(blocks("CERTIFICATE", pem, CERTIFICATE_PEM_BYTES_MAX, CHAIN_COUNT_MAX).map((der) => parseCertificate(der)));
  } catch (error) {
    breaches.push(unparsed("intermediate 1", error));
    return null;
  }
}

function readCrls(pem: string | null, breaches: Breach[]): Crl[] | null {
  if (pem === null || isMissing(pem)) {
    breaches.push(missing("crl"));
    return null;
  }
  try {
    return blocks("X509 CRL", pem, CRL_PEM_BYTES_MAX, CHAIN_COUNT_MAX).map((der) => parseCrl(der));
  } catch (error) {
    breaches.push(unparsed("crl", error));
    return null;
  }
}

function blocks(label: PemLabel, pem: string, textBytesMax: number, blockCountMax: number): Bytes[] {
  return parsePem(label, pem, { textBytesMax, blockCountMax });
}

function isMissing(pem: string | null): boolean {
  return pem === null || pem.trim() === "";
}

function missing(certificate: GateSubject): Breach {
  return { certificate, rule: "present", message: `${certificate}: missing, got nothing, want a PEM file` };
}

function unparsed(certificate: GateSubject, error: unknown): Breach {
  if (!(error instanceof Fault)) throw error;
  return { certificate, rule: "parse", message: `${certificate}: does not parse, got ${error.message}, want well-formed PEM` };
}

function mendOf(usage: PeerUsage, certificate: GateSubject): string {
  const mends = GATE_MENDS[usage];
  return isIntermediate(certificate) ? mends.intermediate : mends[certificate];
}

function isIntermediate(certificate: GateSubject): certificate is `intermediate ${number}` {
  return certificate.startsWith("intermediate ");
}
