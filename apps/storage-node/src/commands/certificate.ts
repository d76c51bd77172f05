/**
 * `holdfast-node certificate …`: mends what the certificate gate finds, on a node that is stopped. The intermediate and
 * the root's revocation list need the root's key, which its passphrase opens.
 */
import { type Clock, type Disk, Fault, type Random } from "@holdfast/base";
import { type Authority, createIntermediate, createKeyPair, DAY_MS, issueCrl, issueNodeLeaf, parseCertificatePem } from "@holdfast/pki";
import { DataFolder } from "../data-folder.ts";
import { ownPki } from "../ownership.ts";
import { type PkiChange, replacePki, settlePki } from "../pki-files.ts";
import { NEXT_ROOT_STATE } from "../root-announcement.ts";
import { openRoot } from "./root-key.ts";

export interface CertificateOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly data: string;
  /** File of the root's locked key, where it is kept off the data folder. */
  readonly rootKeyPath?: string | undefined;
}

export interface CertificateResult {
  readonly certificate: "node" | "intermediate" | "root revocation list";
  readonly validUntil: string;
}

export const ROOT_CRL_LIFETIME_MS: number = 365 * DAY_MS;

/** A fresh key and leaf for the node, under the intermediate. */
export async function issueLeaf(options: CertificateOptions): Promise<CertificateResult> {
  using _owned = await ownCertificates(options);
  const folder = new DataFolder(options.disk, options.data);
  const leaf = await newLeaf(folder, options, intermediateOf(folder));
  replacePki(options.disk, options.data, leaf);
  return { certificate: "node", validUntil: await endOf(leaf["pki/node.pem"]) };
}

/** A fresh intermediate under the root, then a leaf under it. The old one is kept for the agents' certificates under it, until they end. */
export async function issueIntermediate(options: CertificateOptions, rootPassphrase: string): Promise<CertificateResult> {
  using _owned = await ownCertificates(options);
  const folder = new DataFolder(options.disk, options.data);
  if (folder.list("pki").includes(NEXT_ROOT_STATE)) {
    throw new Fault("conflict", "root: is being replaced, and the new one has certified the present intermediate; run holdfast-node ca rotate --finish first");
  }
  const root = await openRoot(options, rootPassphrase);
  const intermediate = await createIntermediate(options, root, "Holdfast intermediate");
  replacePki(options.disk, options.data, {
    ...keptIntermediate(folder),
    "pki/intermediate-key.pem": intermediate.privateKeyPem,
    "pki/intermediate.pem": intermediate.certificatePem,
    "pki/root.crl.pem": await newRootList(options, root),
    ...(await newLeaf(folder, options, intermediate)),
  });
  return { certificate: "intermediate", validUntil: await endOf(intermediate.certificatePem) };
}

/** A fresh revocation list of the root, good for a year. */
export async function issueRootList(options: CertificateOptions, rootPassphrase: string): Promise<CertificateResult> {
  using _owned = await ownCertificates(options);
  const folder = new DataFolder(options.disk, options.data);
  const endMs = options.clock.nowMs() + ROOT_CRL_LIFETIME_MS;
  folder.writeText("pki/root.crl.pem", await newRootList(options, await openRoot(options, rootPassphrase)));
  return { certificate: "root revocation list", validUntil: new Date(endMs).toISOString() };
}

/** The node's certificates for this process alone, whatever was cut short before made good. */
export async function ownCertificates({ disk, data }: Pick<CertificateOptions, "disk" | "data">): Promise<Disposable> {
  new DataFolder(disk, data).requireUsable();
  const owned = await ownPki(data);
  settlePki(disk, data);
  return owned;
}

export function intermediateOf(folder: DataFolder): Authority {
  return { certificatePem: folder.readText("pki/intermediate.pem"), privateKeyPem: folder.readText("pki/intermediate-key.pem") };
}

/** The present intermediate under a name of those before it: without its key no revocation list could be issued for the certificates under it. */
export function keptIntermediate(folder: DataFolder): PkiChange {
  const previousNo = previousNames(folder).length + 1;
  const { certificatePem, privateKeyPem } = intermediateOf(folder);
  return { [`pki/previous-${previousNo}.pem`]: certificatePem, [`pki/previous-${previousNo}-key.pem`]: privateKeyPem };
}

/** Files of intermediates before the present one, as in `previous-1.pem`. */
export function previousNames(folder: DataFolder): string[] {
  return folder.list("pki").filter((name) => /^previous-\d+\.pem$/.test(name));
}

/** A fresh key and leaf under `issuer`. */
export async function newLeaf(
  folder: DataFolder,
  ports: CertificateOptions,
  issuer: Authority,
): Promise<{ readonly "pki/node-key.pem": string; readonly "pki/node.pem": string }> {
  const keys = await createKeyPair();
  const { hostNames, crlUrl } = folder.config();
  return { "pki/node-key.pem": keys.privateKeyPem, "pki/node.pem": await issueNodeLeaf(ports, issuer, keys, hostNames, crlUrl) };
}

export function newRootList(ports: CertificateOptions, root: Authority): Promise<string> {
  return issueCrl(ports, root, { number: Math.floor(ports.clock.nowMs()), revoked: [], lifetimeMs: ROOT_CRL_LIFETIME_MS });
}

export async function endOf(certificatePem: string): Promise<string> {
  return new Date((await parseCertificatePem(certificatePem)).notAfterMs).toISOString();
}
