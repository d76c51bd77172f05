/**
 * `holdfast-node certificate …`: mends what the certificate gate finds, on a node that is stopped. The intermediate and
 * the root's revocation list need the root's key, which its passphrase opens.
 */
import type { Clock, Disk, Random } from "@holdfast/base";
import { createIntermediate, createKeyPair, DAY_MS, issueCrl, issueNodeLeaf, parseCertificatePem, unlockPrivateKey } from "@holdfast/pki";
import { DataFolder } from "../data-folder.ts";
import { ownFolder } from "../ownership.ts";

export interface CertificateOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly data: string;
}

export interface CertificateResult {
  readonly certificate: "node" | "intermediate" | "root revocation list";
  readonly validUntil: string;
}

export const ROOT_CRL_LIFETIME_MS: number = 365 * DAY_MS;

/** A fresh key and leaf for the node, under the intermediate. */
export async function issueLeaf(options: CertificateOptions): Promise<CertificateResult> {
  const folder = new DataFolder(options.disk, options.data);
  folder.requireUsable();
  using _owned = await ownFolder(options.data);
  return writeLeaf(folder, options);
}

/** A fresh intermediate under the root, then a leaf under it. The old one is kept for the agents' certificates under it, until they end. */
export async function issueIntermediate(options: CertificateOptions, rootPassphrase: string): Promise<CertificateResult> {
  const folder = new DataFolder(options.disk, options.data);
  folder.requireUsable();
  using _owned = await ownFolder(options.data);
  const root = await openRoot(folder, rootPassphrase);
  const intermediate = await createIntermediate(options, root, "Holdfast intermediate");
  const previousNo = folder.list("pki").filter((name) => /^previous-\d+\.pem$/.test(name)).length + 1;
  // Kept first: without its key no revocation list could be issued for the certificates under it.
  folder.writeText(`pki/previous-${previousNo}-key.pem`, folder.readText("pki/intermediate-key.pem"));
  folder.writeText(`pki/previous-${previousNo}.pem`, folder.readText("pki/intermediate.pem"));
  folder.writeText("pki/intermediate-key.pem", intermediate.privateKeyPem);
  folder.writeText("pki/intermediate.pem", intermediate.certificatePem);
  await writeRootList(folder, options, root);
  await writeLeaf(folder, options);
  return { certificate: "intermediate", validUntil: await endOf(intermediate.certificatePem) };
}

/** A fresh revocation list of the root, good for a year. */
export async function issueRootList(options: CertificateOptions, rootPassphrase: string): Promise<CertificateResult> {
  const folder = new DataFolder(options.disk, options.data);
  folder.requireUsable();
  using _owned = await ownFolder(options.data);
  const endMs = await writeRootList(folder, options, await openRoot(folder, rootPassphrase));
  return { certificate: "root revocation list", validUntil: new Date(endMs).toISOString() };
}

async function openRoot(folder: DataFolder, passphrase: string): Promise<{ certificatePem: string; privateKeyPem: string }> {
  return { certificatePem: folder.readText("pki/root.pem"), privateKeyPem: await unlockPrivateKey(folder.readText("pki/root-key.locked.pem"), passphrase) };
}

async function writeLeaf(folder: DataFolder, ports: CertificateOptions): Promise<CertificateResult> {
  const issuer = { certificatePem: folder.readText("pki/intermediate.pem"), privateKeyPem: folder.readText("pki/intermediate-key.pem") };
  const keys = await createKeyPair();
  const leafPem = await issueNodeLeaf(ports, issuer, keys, folder.config().hostNames);
  folder.writeText("pki/node-key.pem", keys.privateKeyPem);
  folder.writeText("pki/node.pem", leafPem);
  return { certificate: "node", validUntil: await endOf(leafPem) };
}

async function writeRootList(folder: DataFolder, ports: CertificateOptions, root: { certificatePem: string; privateKeyPem: string }): Promise<number> {
  const nowMs = Math.floor(ports.clock.nowMs());
  folder.writeText("pki/root.crl.pem", await issueCrl(ports, root, { number: nowMs, revoked: [], lifetimeMs: ROOT_CRL_LIFETIME_MS }));
  return nowMs + ROOT_CRL_LIFETIME_MS;
}

async function endOf(certificatePem: string): Promise<string> {
  return new Date((await parseCertificatePem(certificatePem)).notAfterMs).toISOString();
}
