/**
 * The node's certificates while it runs: what the ports present, what agents' certificates are issued under, and the
 * revocation lists. The leaf is renewed at two thirds of its life with a fresh key; lists are issued anew daily and
 * whenever a device is revoked.
 *
 * Files may be missing, broken or swapped at any time: that is for the certificate gate to find, so nothing here throws
 * for what they hold until somebody asks for a part that is not there.
 */
import { type Bytes, type Clock, Fault, isFault, type Random } from "@holdfast/base";
import {
  type Authority,
  type Certificate,
  type CrlRequest,
  checkCertificate,
  checkIssuingKey,
  createKeyPair,
  DAY_MS,
  encodeChain,
  type GateFinding,
  type IssuePorts,
  issueCrl,
  issueNodeLeaf,
  parseCertificatePem,
  spkiHashOfCertificate,
} from "@holdfast/pki";
import type { DataFolder } from "./data-folder.ts";
import { type NodeFiles, readNodeFiles, readPrevious } from "./node-files.ts";
import { ownPki } from "./ownership.ts";
import { replacePki } from "./pki-files.ts";
import type { RevokedCertificate } from "./store/catalog-reader.ts";
import type { TlsMaterial } from "./tls-server.ts";

const CRL_LIFETIME_MS = 7 * DAY_MS;

export class NodeIdentity {
  readonly hostNames: readonly string[];
  readonly #folder: DataFolder;
  readonly #ports: IssuePorts;
  #files: NodeFiles;
  #issuer: Authority | null = null;
  #rootSpkiSha256: Bytes | null = null;
  /** Intermediates before this one that have not ended. */
  #previous: readonly Authority[] = [];
  #crlPems: readonly string[] = [];
  #crlIssuedAtMs = 0;
  #revokedKey = "";

  private constructor(folder: DataFolder, ports: IssuePorts) {
    this.#folder = folder;
    this.#ports = ports;
    this.#files = readNodeFiles(folder);
    this.hostNames = folder.config().hostNames;
  }

  static async load(folder: DataFolder, ports: { readonly clock: Clock; readonly random: Random }): Promise<NodeIdentity> {
    const identity = new NodeIdentity(folder, ports);
    await identity.#take(identity.#files);
    return identity;
  }

  /** The root that agents are pinned to. Missing: `certificate`. */
  get rootPem(): string {
    return present(this.#files.root, "root");
  }

  get rootSpkiSha256(): Bytes {
    return present(this.#rootSpkiSha256, "root");
  }

  /** The intermediate, which signs leaves. Missing or broken: `certificate`. */
  get issuer(): Authority {
    return present(this.#issuer, "intermediate");
  }

  /** Reads the files again; true when any of them has changed. */
  async reread(): Promise<boolean> {
    const files = readNodeFiles(this.#folder);
    if (JSON.stringify(files) === JSON.stringify(this.#files)) return false;
    await this.#take(files);
    return true;
  }

  /** What the ports present. */
  tlsMaterial(): TlsMaterial {
    const { leaf, chain, key } = this.#files;
    return {
      certificateChain: encodeChain(present(leaf, "leaf"), present(chain, "intermediate")),
      privateKey: present(key, "private key"),
      authorities: encodeChain(this.issuer.certificatePem, ...this.#previous.map((authority) => authority.certificatePem), this.rootPem),
    };
  }

  /** PEM of the lists of the intermediate, of those before it, and of the root. */
  revocationLists(): readonly string[] {
    return [...this.#crlPems, ...(this.#files.rootCrl === null ? [] : [this.#files.rootCrl])];
  }

  /** Renews what is due; true when the ports must load it. */
  async refresh(revoked: readonly RevokedCertificate[]): Promise<boolean> {
    const leafRenewed = await this.#renewLeaf();
    await this.renewLists(revoked);
    return leafRenewed;
  }

  /** The certificate gate: what is wrong with our own certificates now; empty is a pass. */
  async findings(): Promise<GateFinding[]> {
    const { leaf, chain, key, root, rootCrl, intermediate, issuingKey } = this.#files;
    const issuing = await checkIssuingKey(intermediate, issuingKey);
    const crlPem = rootCrl === null ? null : this.revocationLists().join("");
    const files = { certPem: leaf, chainPem: chain, keyPem: key, rootPem: root, crlPem };
    const found: GateFinding[] = [];
    for (const name of this.hostNames) found.push(...(await checkCertificate({ ...files, usage: "server", name, nowMs: this.#ports.clock.nowMs() })));
    // Without the issuing key there are no lists: one cause, one line.
    const own = issuing.length === 0 ? found : found.filter(({ certificate, rule }) => certificate !== "crl" || rule !== "revoked");
    const all = [...own, ...issuing];
    return all.filter((finding, index) => all.findIndex((other) => other.message === finding.message) === index);
  }

  /** When the first certificate in use ends, ms since 1970 UTC; infinity when none is left. */
  async nextExpiryMs(): Promise<number> {
    const { leaf, intermediate, root } = this.#files;
    const certificates = await Promise.all([leaf, intermediate, root].map(tryParse));
    const nowMs = this.#ports.clock.nowMs();
    return Math.min(...certificates.flatMap((certificate) => (certificate === null || certificate.notAfterMs <= nowMs ? [] : [certificate.notAfterMs])));
  }

  /** Issues the lists anew when they are a day old or `revoked` has changed. Without an issuing key there are none. */
  async renewLists(revoked: readonly RevokedCertificate[]): Promise<void> {
    const nowMs = this.#ports.clock.nowMs();
    const revokedKey = revoked
      .map((certificate) => certificate.serial)
      .sort()
      .join();
    if (this.#issuer === null || (this.#crlPems.length > 0 && revokedKey === this.#revokedKey && nowMs - this.#crlIssuedAtMs < DAY_MS)) return;
    const request: CrlRequest = {
      number: Math.floor(nowMs),
      lifetimeMs: CRL_LIFETIME_MS,
      revoked: revoked.map(({ serial, revokedAtMs }) => ({ serial, revokedAtMs, reason: "privilege-withdrawn" })),
    };
    // Serials are drawn at random, so one list of them serves every issuer.
    this.#crlPems = await Promise.all([this.#issuer, ...this.#previous].map((authority) => issueCrl(this.#ports, authority, request)));
    this.#crlIssuedAtMs = nowMs;
    this.#revokedKey = revokedKey;
  }

  async #take(files: NodeFiles): Promise<void> {
    const { intermediate, issuingKey, root } = files;
    const issues = intermediate !== null && issuingKey !== null && (await checkIssuingKey(intermediate, issuingKey)).length === 0;
    this.#rootSpkiSha256 = root === null ? null : await spkiHashOfCertificate(root).catch(nullForFault);
    this.#previous = await readPrevious(files, this.#ports.clock.nowMs());
    this.#issuer = issues ? { certificatePem: intermediate, privateKeyPem: issuingKey } : null;
    this.#files = files;
    this.#crlPems = [];
  }

  /** A leaf that has ended, or that another authority made, is left to the gate and the operator: the clock may be what is wrong. */
  async #renewLeaf(): Promise<boolean> {
    const leaf = await tryParse(this.#files.leaf);
    const nowMs = this.#ports.clock.nowMs();
    if (this.#issuer === null || leaf === null || nowMs >= leaf.notAfterMs) return false;
    const issuer = await parseCertificatePem(this.#issuer.certificatePem);
    const dueMs = leaf.notBeforeMs + ((leaf.notAfterMs - leaf.notBeforeMs) * 2) / 3;
    // A leaf that ends with its issuer cannot be made to last longer.
    if (nowMs < dueMs || issuer.notAfterMs <= leaf.notAfterMs || !(await leaf.isSignedBy(issuer))) return false;
    const keys = await createKeyPair();
    const leafPem = await issueNodeLeaf(this.#ports, this.#issuer, keys, this.hostNames, this.#folder.config().crlUrl);
    using _owned = await ownPki(this.#folder.path);
    replacePki(this.#folder.disk, this.#folder.path, { "pki/node-key.pem": keys.privateKeyPem, "pki/node.pem": leafPem });
    return this.reread();
  }
}

async function tryParse(pem: string | null): Promise<Certificate | null> {
  return pem === null ? null : parseCertificatePem(pem).catch(nullForFault);
}

function nullForFault(error: unknown): null {
  if (isFault(error)) return null;
  throw error;
}

function present<Part>(part: Part | null, what: string): Part {
  if (part === null) throw new Fault("certificate", `storage node: its ${what} is missing or broken; see holdfast-node doctor`);
  return part;
}

/** Findings as lines, each with the command that mends it. */
export function findingLines(findings: readonly GateFinding[]): string[] {
  return findings.map(({ message, rule, mend }) => `${message} (rule ${rule}; mend: ${mend})`);
}

/** Refuses to go on when the runtime was told to trust everyone, or to write down the keys of its sessions. */
export function requireVerifiedTls(environment: Readonly<Record<string, string | undefined>>): void {
  const [weakness] = weakTlsSettings(environment);
  if (weakness !== undefined) throw new Fault("certificate", `environment: ${weakness}, unset it`);
}

/** Environment variables that take the protection of TLS away, each with what it does; values are not told. */
export function weakTlsSettings(environment: Readonly<Record<string, string | undefined>>): string[] {
  const weaknesses: string[] = [];
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED === "0") weaknesses.push("NODE_TLS_REJECT_UNAUTHORIZED=0 turns certificate checks off");
  if ((environment.SSLKEYLOGFILE ?? "") !== "") weaknesses.push("SSLKEYLOGFILE writes the keys of TLS sessions to a file");
  if (/--tls-(min|max)-v|--tls-cipher-list|--tls-keylog/.test(environment.NODE_OPTIONS ?? "")) weaknesses.push("NODE_OPTIONS changes TLS settings");
  return weaknesses;
}
