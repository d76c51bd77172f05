/** `holdfast-node init`: makes the keys, certificates and data folder of a new storage node. */
import { hostname } from "node:os";
import { bytesToBase64Url, bytesToHex, type Clock, type Disk, type Random } from "@holdfast/base";
import { generateX25519PrivateKey, x25519PublicKeyOf } from "@holdfast/crypto/hpke";
import { createSigner, generateSigningKey } from "@holdfast/crypto/signature";
import {
  type Authority,
  createCsr,
  createIntermediate,
  createKeyPair,
  createRoot,
  encodeChain,
  issueAgentLeaf,
  issueCrl,
  issueNodeLeaf,
  lockPrivateKey,
  parseCertificatePem,
  parseHostName,
  spkiHashOfCertificate,
} from "@holdfast/pki";
import { asAccountId } from "@holdfast/protocol";
import { DataFolder } from "../data-folder.ts";
import { openStore } from "../store/store.ts";
import { ROOT_CRL_LIFETIME_MS } from "./certificate.ts";
import { OPERATORS, rootNames } from "./node-store.ts";
import { keepRootKeyAt, ROOT_KEY, requireFree } from "./root-key.ts";

export interface InitOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly data: string;
  /** Names and addresses that agents dial; none for localhost and the machine's own name. */
  readonly hostNames: readonly string[];
  /** Where the revocation lists can be had; by default the front port's usual number under the first name. */
  readonly crlUrl?: string;
  /** Locks the root's key; `null` to have one drawn and told. */
  readonly passphrase: string | null;
  /** Where the root's locked key goes, off the data folder. */
  readonly rootKeyOutPath?: string | undefined;
}

export interface InitResult {
  readonly data: string;
  readonly hostNames: readonly string[];
  readonly rootSpkiSha256: string;
  readonly rootWords: string;
  readonly nodeKey: string;
  readonly archiveKey: string;
  readonly importKey: string;
  /** Only when it was drawn: shown once, kept nowhere. */
  readonly rootPassphrase?: string;
}

const DRAWN_PASSPHRASE_BYTES = 18;
const INVITE_MS = 60_000;

/** Sets up `options.data`, which must be empty or missing. */
export async function init(options: InitOptions): Promise<InitResult> {
  const { clock, random } = options;
  const hostNames = options.hostNames.length > 0 ? options.hostNames.map((name) => parseHostName(name).value) : defaultHostNames();
  const folder = new DataFolder(options.disk, options.data);
  if (options.rootKeyOutPath !== undefined) requireFree(options.disk, options.rootKeyOutPath);
  folder.create();
  const passphrase = options.passphrase ?? bytesToBase64Url(random.bytes(DRAWN_PASSPHRASE_BYTES));
  const { rootPem, intermediate } = await makeCertificates(folder, options, hostNames, passphrase);
  const keys = makeKeys(folder, random);
  await makeAdmin(folder, options, intermediate);
  const crlUrl = crlUrlOf(options, hostNames);
  folder.writeConfig({ version: 1, hostNames: [...hostNames], createdAtMs: Math.floor(clock.nowMs()), crlUrl });
  return {
    data: options.data,
    hostNames,
    ...rootNames(await spkiHashOfCertificate(rootPem)),
    ...keys,
    ...(options.passphrase === null ? { rootPassphrase: passphrase } : {}),
  };
}

function defaultHostNames(): string[] {
  return [...new Set(["localhost", "127.0.0.1", parseHostName(hostname()).value])];
}

const FRONT_PORT_DEFAULT = 8444;

/** Where the node's certificates say that the revocation lists are. */
function crlUrlOf({ crlUrl }: Pick<InitOptions, "crlUrl">, hostNames: readonly string[]): string {
  const [host = "localhost"] = hostNames;
  return crlUrl ?? `https://${host.includes(":") ? `[${host}]` : host}:${FRONT_PORT_DEFAULT}/v1/crl`;
}

async function makeCertificates(
  folder: DataFolder,
  options: InitOptions,
  hostNames: readonly string[],
  passphrase: string,
): Promise<{ rootPem: string; intermediate: Authority }> {
  const { clock, random } = options;
  const ports = { clock, random };
  const root = await createRoot(ports, "Holdfast root");
  const intermediate = await createIntermediate(ports, root, "Holdfast intermediate");
  const leafKeys = await createKeyPair();
  folder.writeText("pki/root.pem", root.certificatePem);
  const lockedPem = await lockPrivateKey(random, root.privateKeyPem, passphrase);
  if (options.rootKeyOutPath === undefined) folder.writeText(ROOT_KEY, lockedPem);
  else keepRootKeyAt(options.disk, options.rootKeyOutPath, lockedPem);
  folder.writeText("pki/root.crl.pem", await issueCrl(ports, root, { number: Math.floor(clock.nowMs()), revoked: [], lifetimeMs: ROOT_CRL_LIFETIME_MS }));
  folder.writeText("pki/intermediate.pem", intermediate.certificatePem);
  folder.writeText("pki/intermediate-key.pem", intermediate.privateKeyPem);
  folder.writeText("pki/node.pem", await issueNodeLeaf(ports, intermediate, leafKeys, hostNames, crlUrlOf(options, hostNames)));
  folder.writeText("pki/node-key.pem", leafKeys.privateKeyPem);
  return { rootPem: root.certificatePem, intermediate };
}

function makeKeys(folder: DataFolder, random: Random): Pick<InitResult, "nodeKey" | "archiveKey" | "importKey"> {
  const nodeKey = generateSigningKey(random);
  const [archiveKey, importKey] = [generateX25519PrivateKey(random), generateX25519PrivateKey(random)];
  folder.write("keys/node.seed", nodeKey.seed);
  folder.write("keys/archive.key", archiveKey);
  folder.write("keys/import.key", importKey);
  const hexOf = (key: typeof archiveKey): string => bytesToHex(x25519PublicKeyOf(key));
  return { nodeKey: bytesToHex(nodeKey.publicKey), archiveKey: hexOf(archiveKey), importKey: hexOf(importKey) };
}

/** The operator's own device: enrolled like any other, with the role admin, in an account of its own. */
async function makeAdmin(folder: DataFolder, options: InitOptions, intermediate: Authority): Promise<void> {
  const { clock, random } = options;
  const device = generateSigningKey(random);
  const tlsKeys = await createKeyPair();
  const nowMs = Math.floor(clock.nowMs());
  const secret = random.bytes(16);
  const store = await openStore({ folder: folder.storePath, nodeSeed: folder.read("keys/node.seed") });
  try {
    await store.writer.call("addInvite", [
      {
        secret,
        accountName: OPERATORS,
        edition: "ese",
        quotaBytes: 0,
        roles: ["admin"],
        accountId: asAccountId(random.bytes(16)),
        nowMs,
        expiresAtMs: nowMs + INVITE_MS,
      },
    ]);
    const enrolled = await store.writer.call("enroll", [{ secret, deviceKey: createSigner(device.seed).publicKey, label: "operator", nowMs }]);
    const leafPem = await issueAgentLeaf({ clock, random }, intermediate, await createCsr(tlsKeys.privateKeyPem), enrolled.device);
    const leaf = await parseCertificatePem(leafPem);
    await store.writer.call("addCertificate", [
      { device: enrolled.device, spkiSha256: leaf.spkiHash, serial: leaf.serial, notAfterMs: leaf.notAfterMs, issuedAtMs: nowMs },
    ]);
    await store.writer.call("audit", [{ atMs: nowMs, actor: "operator", action: "init", subject: "storage node", origin: "local", result: "done" }]);
    folder.write("admin/device.seed", device.seed);
    folder.writeText("admin/tls-key.pem", tlsKeys.privateKeyPem);
    folder.writeText("admin/certificate.pem", encodeChain(leafPem, intermediate.certificatePem));
  } finally {
    await store.close();
  }
}
