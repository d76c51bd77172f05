/**
 * `holdfast-node certificate import`: certificates of the operator's own authority, on a node that is stopped. Everything is made and
 * passes the gate before any file is replaced, and then all of them are replaced in one step.
 *
 * An authority's certificate becomes the one that the node issues under: its own leaf and those of agents hang from it, and it hangs
 * from the root directly. A leaf is one for the node's ports; it must hang from what the node issues under, whose revocation list the
 * node makes itself.
 */
import { Fault, utf8ToText } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { asSigningSeed, createSigner } from "@holdfast/crypto/signature";
import {
  type Authority,
  type Certificate,
  checkCertificate,
  checkIssuingKey,
  createCsr,
  createKeyPair,
  DAY_MS,
  encodeChain,
  type GateFinding,
  gateFault,
  issueAgentLeaf,
  issueCrl,
  parseCertificatePem,
  parseCrl,
  parseOnePem,
} from "@holdfast/pki";
import { asDeviceId } from "@holdfast/protocol";
import { DataFolder } from "../data-folder.ts";
import { ownFolder } from "../ownership.ts";
import { type PkiChange, replacePki } from "../pki-files.ts";
import { NEXT_ROOT_STATE } from "../root-announcement.ts";
import type { Store } from "../store/store.ts";
import { type CertificateOptions, endOf, intermediateOf, keptIntermediate, newLeaf, ownCertificates, previousNames } from "./certificate.ts";
import { listOthersDevices, noteAuthority, withStore } from "./node-store.ts";
import { ROOT_KEY } from "./root-key.ts";

export interface ImportOptions extends CertificateOptions {
  /** Of an authority, or a leaf. */
  readonly certificatePath: string;
  /** Its key: P-256, unencrypted PKCS#8. */
  readonly keyPath: string;
  /** The root that it hangs from, where that is another than now, with its revocation list. */
  readonly rootPath?: string | undefined;
  readonly rootCrlPath?: string | undefined;
  /** Goes on although the devices that are enrolled must then enrol again. */
  readonly enrollAgain: boolean;
}

export interface ImportResult {
  readonly imported: "issuing certificate" | "node certificate";
  readonly subject: string;
  readonly validUntil: string;
}

const FILE_BYTES_MAX = 4 * 1024 * 1024;
const LIST_MS = 7 * DAY_MS;
const RETIRED = "pki/retired-root";

interface Trust {
  readonly rootPem: string;
  readonly rootCrlPem: string;
  readonly isNew: boolean;
}

/** What does not pass the gate: `certificate`, with every finding, and nothing is replaced. */
export async function importCertificate(options: ImportOptions): Promise<ImportResult> {
  using _stopped = await ownFolder(options.data); // The store is read and written to as well.
  using _owned = await ownCertificates(options);
  const folder = new DataFolder(options.disk, options.data);
  if (folder.list("pki").includes(NEXT_ROOT_STATE)) throw new Fault("conflict", "root: is being replaced; run holdfast-node ca rotate --finish first");
  const brought: Authority = { certificatePem: readBrought(options, options.certificatePath), privateKeyPem: readBrought(options, options.keyPath) };
  const certificate = await parseCertificatePem(brought.certificatePem);
  const trust = await trustOf(options, folder);
  if (certificate.isAuthority) await importAuthority(options, folder, brought, trust);
  else await importLeaf(options, folder, brought, trust);
  const imported = certificate.isAuthority ? "issuing certificate" : "node certificate";
  return { imported, subject: certificate.subject, validUntil: await endOf(brought.certificatePem) };
}

async function importAuthority(options: ImportOptions, folder: DataFolder, issuer: Authority, trust: Trust): Promise<void> {
  refuse(await checkIssuingKey(issuer.certificatePem, issuer.privateKeyPem));
  const leaf = await newLeaf(folder, options, issuer);
  await requireServerGate(options, folder, { issuer, trust, certPem: leaf["pki/node.pem"], keyPem: leaf["pki/node-key.pem"] });
  await withStore(folder, async (store) => {
    if (trust.isNew && !options.enrollAgain) await requireNoDevices(store);
    const admin = await certifyOperator(options, folder, store, issuer, trust);
    replacePki(options.disk, options.data, {
      ...(trust.isNew ? newRootFiles(folder, trust) : keptIntermediate(folder)),
      ...leaf,
      "pki/intermediate.pem": issuer.certificatePem,
      "pki/intermediate-key.pem": issuer.privateKeyPem,
      ...admin,
    });
    await noteAuthority(store, options.clock.nowMs(), `issuing certificate ${(await parseCertificatePem(issuer.certificatePem)).subject} imported`);
  });
}

async function importLeaf(options: ImportOptions, folder: DataFolder, brought: Authority, trust: Trust): Promise<void> {
  if (trust.isNew) throw new Fault("input", "--root: agents have one root for both sides; import an issuing certificate of the new root first");
  const issuer = intermediateOf(folder);
  await requireServerGate(options, folder, { issuer, trust, certPem: brought.certificatePem, keyPem: brought.privateKeyPem });
  replacePki(options.disk, options.data, { "pki/node.pem": brought.certificatePem, "pki/node-key.pem": brought.privateKeyPem });
}

async function requireServerGate(
  options: ImportOptions,
  folder: DataFolder,
  { issuer, trust, certPem, keyPem }: { issuer: Authority; trust: Trust; certPem: string; keyPem: string },
): Promise<void> {
  const nowMs = options.clock.nowMs();
  const crlPem = `${await issueCrl(options, issuer, { number: Math.floor(nowMs), revoked: [], lifetimeMs: LIST_MS })}${trust.rootCrlPem}`;
  const files = { certPem, chainPem: issuer.certificatePem, keyPem, rootPem: trust.rootPem, crlPem };
  const findings: GateFinding[] = [];
  for (const name of folder.config().hostNames) findings.push(...(await checkCertificate({ ...files, usage: "server", name, nowMs })));
  refuse(findings);
}

/** The operator's own device under `issuer`, with a fresh key; it also shows that agents' certificates pass their gate. */
async function certifyOperator(options: ImportOptions, folder: DataFolder, store: Store, issuer: Authority, trust: Trust): Promise<PkiChange> {
  const { privateKeyPem: keyPem } = await createKeyPair();
  const device = asDeviceId(sha256(createSigner(asSigningSeed(folder.read("admin/device.seed"))).publicKey).slice(0, 16));
  const leafPem = await issueAgentLeaf(options, issuer, await createCsr(keyPem), device);
  const nowMs = Math.floor(options.clock.nowMs());
  refuse(await checkCertificate({ certPem: leafPem, chainPem: issuer.certificatePem, keyPem, rootPem: trust.rootPem, usage: "client", nowMs }));
  const leaf: Certificate = await parseCertificatePem(leafPem);
  await store.writer.call("addCertificate", [{ device, spkiSha256: leaf.spkiHash, serial: leaf.serial, notAfterMs: leaf.notAfterMs, issuedAtMs: nowMs }]);
  return { "admin/tls-key.pem": keyPem, "admin/certificate.pem": encodeChain(leafPem, issuer.certificatePem) };
}

async function trustOf(options: ImportOptions, folder: DataFolder): Promise<Trust> {
  const rootPem = folder.readText("pki/root.pem");
  const broughtPem = options.rootPath === undefined ? rootPem : readBrought(options, options.rootPath);
  const isNew = (await parseCertificatePem(broughtPem)).pem !== (await parseCertificatePem(rootPem)).pem;
  if (isNew && options.rootCrlPath === undefined) throw new Fault("input", "--root-crl: a new root needs its revocation list, also when that is empty");
  const rootCrlPem = options.rootCrlPath === undefined ? folder.readText("pki/root.crl.pem") : readBrought(options, options.rootCrlPath);
  await requireListOf(broughtPem, rootCrlPem);
  return { rootPem: broughtPem, rootCrlPem, isNew };
}

/** The gate looks at a list of the root only when there is one: here there must be. */
async function requireListOf(rootPem: string, rootCrlPem: string): Promise<void> {
  const list = parseCrl(parseOnePem("X509 CRL", rootCrlPem, FILE_BYTES_MAX));
  if (!(await list.isSignedBy(await parseCertificatePem(rootPem))))
    throw new Fault("certificate", "--root-crl: is not signed by the root, want the root's own list");
}

async function requireNoDevices(store: Store): Promise<void> {
  const devices = await listOthersDevices(store);
  if (devices.length === 0) return;
  throw new Fault("conflict", `root: ${devices.length} devices are pinned to the present one and must enrol again under another; to go on say --enroll-again`);
}

/** The old root stays beside the new one, so that the change can be taken back; what hangs from it alone goes. */
function newRootFiles(folder: DataFolder, { rootPem, rootCrlPem }: Trust): PkiChange {
  const files: Record<string, string | null> = { [ROOT_KEY]: null, [`${RETIRED}.pem`]: folder.readText("pki/root.pem") };
  if (folder.list("pki").includes("root-key.locked.pem")) files[`${RETIRED}-key.locked.pem`] = folder.readText(ROOT_KEY);
  for (const name of previousNames(folder)) {
    files[`pki/${name}`] = null;
    files[`pki/${name.replace(".pem", "-key.pem")}`] = null;
  }
  return { ...files, "pki/root.pem": rootPem, "pki/root.crl.pem": rootCrlPem };
}

function refuse(findings: readonly GateFinding[]): void {
  if (findings.length > 0) throw gateFault(findings);
}

/** A file with Windows line ends or without its last one is as good as any. */
function readBrought({ disk }: CertificateOptions, path: string): string {
  const bytes = disk.readFile(path, FILE_BYTES_MAX);
  const text = bytes === null ? null : utf8ToText(bytes);
  if (text === null) throw new Fault("missing", `file: cannot be read, got ${path}`);
  return `${text.replaceAll("\r\n", "\n").trim()}\n`;
}
