/** A device whose every byte a test decides: it enrols like an agent, and then does what no agent would. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { createCsr, createIntermediate, createKeyPair, createRoot, encodeChain, issueAgentLeaf, parseCertificatePem } from "@holdfast/pki";
import { asAccountId, asLeaseId, encodeMessage, type LeaseId, parseInvite, type RecordId, type RecordStore } from "@holdfast/protocol";
import { JournalBuilder, type TestKey, testKey, testRecord } from "@holdfast/testkit";
import { enrollDevice, TestClient, type TlsIdentity } from "../../../apps/storage-node/src/testing/test-client.ts";
import { importSigningKeys } from "../../../packages/pki/src/key.ts";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  X509CertificateGenerator,
} from "../../../packages/pki/src/x509.ts";
import type { StorageNode } from "./storage-node.ts";

export interface HandMadeDevice extends Disposable {
  readonly client: TestClient;
  readonly key: TestKey;
  readonly identity: TlsIdentity;
  readonly rootPem: string;
  /** Keys of the vault's owner and its chain, before genesis. */
  readonly journal: JournalBuilder;
  readonly store: RecordStore;
  /** Another connection with whatever identity and signer. */
  connect(identity: TlsIdentity | null, signer?: TestKey): TestClient;
}

let keyCount = 100;

/** Enrols a device of `account`; the owner is new unless one is given. */
export async function enrollByHand(node: StorageNode, account: string, owner: TestKey = testKey(++keyCount), roles?: string): Promise<HandMadeDevice> {
  const key = testKey(++keyCount);
  const invite = parseInvite(await node.invite({ account, ...(roles === undefined ? {} : { roles }) }));
  const rootPem = readRoot(node);
  const { answer, identity } = await enrollDevice(invite, rootPem, key);
  const connect = (other: TlsIdentity | null, signer: TestKey = key): TestClient => {
    const client = new TestClient("localhost", node.agentPort, rootPem, signer, other);
    open.push(client);
    return client;
  };
  const open: TestClient[] = [];
  const client = connect(identity);
  return {
    client,
    key,
    identity,
    rootPem,
    journal: new JournalBuilder(owner, key, asAccountId(answer.account)),
    store: client.recordStore(owner.vaultId),
    connect,
    [Symbol.dispose]() {
      for (const each of open) each[Symbol.dispose]();
    },
  };
}

/** Makes the account's vault at the node, and its genesis. */
export async function beginVault(device: HandMadeDevice): Promise<LeaseId> {
  await device.client.send({ target: "/v1/vaults", body: encodeMessage({ vault: device.journal.owner.vaultId }) });
  const { lease } = await device.store.lease(null);
  const config = testRecord(1, 7);
  await device.store.put([{ id: config.id, parts: [config.frame] }], asLeaseId(lease));
  device.journal.begin(config.id);
  for (const frame of device.journal.frames) await device.store.commit(frame, [], []);
  return asLeaseId(lease);
}

/** Stores a frame of random bytes; its id. */
export async function putRecord(device: HandMadeDevice, lease: LeaseId, kind: 3 | 4 | 5 | 6 | 7, seed: number, bodyBytes = 1000): Promise<RecordId> {
  const record = testRecord(kind, seed, bodyBytes);
  await device.store.put([{ id: record.id, parts: [record.frame] }], lease);
  return record.id;
}

export function readRoot(node: StorageNode): string {
  return readPki(node, "root.pem");
}

function readPki(node: StorageNode, name: string): string {
  return readFileSync(join(node.data, "pki", name), "utf8");
}

/** A good leaf of the node's own intermediate that nobody asked the node for. */
export async function unknownIdentity(node: StorageNode, deviceId: Uint8Array): Promise<TlsIdentity> {
  const ports = { clock: createSystemClock(), random: createSystemRandom() };
  const issuer = { certificatePem: readPki(node, "intermediate.pem"), privateKeyPem: readPki(node, "intermediate-key.pem") };
  const keys = await createKeyPair();
  const leaf = await issueAgentLeaf(ports, issuer, await createCsr(keys.privateKeyPem), deviceId);
  return { cert: encodeChain(leaf, issuer.certificatePem), key: keys.privateKeyPem };
}

/** An authority that signs whatever a test asks for. */
export interface Issuer {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** The node's own intermediate. */
export async function issuerOf(node: StorageNode): Promise<Issuer> {
  return { certificatePem: readPki(node, "intermediate.pem"), privateKeyPem: readPki(node, "intermediate-key.pem") };
}

export interface RogueLeaf {
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly usage?: "clientAuth" | "serverAuth";
  readonly isAuthority?: boolean;
}

/** A leaf by `issuer` for the key of `identity`, which our own issuing would never make; by default nothing is wrong with it. */
export async function rogueLeaf(issuer: Issuer, identity: TlsIdentity, leaf: RogueLeaf): Promise<TlsIdentity> {
  const { privateKey } = await importSigningKeys(issuer.privateKeyPem);
  const certificate = await rogueCertificate((await parseCertificatePem(firstOf(issuer.certificatePem))).subjectDer, privateKey, identity, leaf);
  return { cert: encodeChain(certificate, issuer.certificatePem), key: identity.key };
}

/** A certificate of a device that nobody but itself has signed. */
export async function selfSignedIdentity(identity: TlsIdentity): Promise<TlsIdentity> {
  const { privateKey } = await importSigningKeys(identity.key);
  return { cert: await rogueCertificate(null, privateKey, identity, {}), key: identity.key };
}

let rogueCount = 0x4242;

async function rogueCertificate(
  issuerDer: ArrayBuffer | Uint8Array | null,
  signingKey: Awaited<ReturnType<typeof importSigningKeys>>["privateKey"],
  { cert, key }: TlsIdentity,
  { notBeforeMs = Date.now() - 7_200_000, notAfterMs = Date.now() + 7_200_000, usage = "clientAuth", isAuthority = false }: RogueLeaf,
): Promise<string> {
  const subject = new Name([{ CN: ["rogue"] }]);
  const keyUsages = isAuthority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.digitalSignature : KeyUsageFlags.digitalSignature;
  const certificate = await X509CertificateGenerator.create({
    // The number of the certificate that the node knows: it must not be what gives the rogue away.
    serialNumber: cert === "" ? (++rogueCount).toString(16) : (await parseCertificatePem(firstOf(cert))).serial,
    subject,
    issuer: issuerDer === null ? subject : new Name(issuerDer as never),
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    publicKey: (await importSigningKeys(key)).publicKey,
    signingKey,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new BasicConstraintsExtension(isAuthority, undefined, true),
      new KeyUsagesExtension(keyUsages, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage[usage]]),
    ],
  });
  return encodeChain(certificate.toString("pem"));
}

function firstOf(pem: string): string {
  return `${pem.split("-----END CERTIFICATE-----")[0]}-----END CERTIFICATE-----\n`;
}

/** `identity` with a leaf for the same key, by the same intermediate, that ends at `notAfterMs`: in the past, which our own issuing never does. */
export async function reissuedIdentity(node: StorageNode, identity: TlsIdentity, notAfterMs: number): Promise<TlsIdentity> {
  return rogueLeaf(await issuerOf(node), identity, { notAfterMs });
}

/** A good leaf of somebody else's authority. */
export async function foreignIdentity(deviceId: Uint8Array): Promise<TlsIdentity> {
  const ports = { clock: createSystemClock(), random: createSystemRandom() };
  const root = await createRoot(ports, "Another root");
  const issuer = await createIntermediate(ports, root, "Another intermediate");
  const keys = await createKeyPair();
  const leaf = await issueAgentLeaf(ports, issuer, await createCsr(keys.privateKeyPem), deviceId);
  return { cert: encodeChain(leaf, issuer.certificatePem, root.certificatePem), key: keys.privateKeyPem };
}
