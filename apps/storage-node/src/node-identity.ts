/**
 * The node's certificates while it runs: what the ports present, what agents' certificates are issued under, and the
 * revocation lists. The leaf is renewed at two thirds of its life with a fresh key; lists are issued anew daily and
 * whenever a device is revoked.
 */
import { type Bytes, type Clock, Fault, type Random } from "@holdfast/base";
import {
  type Authority,
  type CrlRequest,
  checkCertificate,
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
import type { RevokedCertificate } from "./store/catalog-reader.ts";
import type { TlsMaterial } from "./tls-server.ts";

const CRL_LIFETIME_MS = 7 * DAY_MS;

export class NodeIdentity {
  readonly rootPem: string;
  readonly rootSpkiSha256: Bytes;
  /** The intermediate, which signs leaves. */
  readonly issuer: Authority;
  readonly hostNames: readonly string[];
  readonly #folder: DataFolder;
  readonly #ports: IssuePorts;
  readonly #rootCrlPem: string;
  #leafPem: string;
  #keyPem: string;
  /** Intermediates before this one that have not ended. */
  readonly #previous: readonly Authority[];
  #crlPems: readonly string[] = [];
  #crlIssuedAtMs = 0;
  #revokedKey = "";

  private constructor(folder: DataFolder, ports: IssuePorts, rootSpkiSha256: Bytes, previous: readonly Authority[]) {
    this.#folder = folder;
    this.#previous = previous;
    this.#ports = ports;
    this.rootSpkiSha256 = rootSpkiSha256;
    this.rootPem = folder.readText("pki/root.pem");
    this.issuer = { certificatePem: folder.readText("pki/intermediate.pem"), privateKeyPem: folder.readText("pki/intermediate-key.pem") };
    this.hostNames = folder.config().hostNames;
    this.#rootCrlPem = folder.readText("pki/root.crl.pem");
    this.#leafPem = folder.readText("pki/node.pem");
    this.#keyPem = folder.readText("pki/node-key.pem");
  }

  static async load(folder: DataFolder, ports: { readonly clock: Clock; readonly random: Random }): Promise<NodeIdentity> {
    return new NodeIdentity(folder, ports, await spkiHashOfCertificate(folder.readText("pki/root.pem")), await readPrevious(folder, ports.clock.nowMs()));
  }

  /** What the ports present. */
  tlsMaterial(): TlsMaterial {
    return {
      certificateChain: encodeChain(this.#leafPem, this.issuer.certificatePem),
      privateKey: this.#keyPem,
      authorities: encodeChain(this.issuer.certificatePem, ...this.#previous.map((authority) => authority.certificatePem), this.rootPem),
      revocationLists: this.revocationLists(),
    };
  }

  /** PEM of the lists of the intermediate, of those before it, and of the root. */
  revocationLists(): readonly string[] {
    return [...this.#crlPems, this.#rootCrlPem];
  }

  /** Renews what is due; true when the ports must load it. */
  async refresh(revoked: readonly RevokedCertificate[]): Promise<boolean> {
    const leafRenewed = await this.#renewLeaf();
    const listRenewed = await this.#renewList(revoked);
    return leafRenewed || listRenewed;
  }

  /** The certificate gate: what is wrong with our own certificates now; empty is a pass. */
  async findings(): Promise<GateFinding[]> {
    const crlPem = this.revocationLists().join("");
    const files = { certPem: this.#leafPem, chainPem: this.issuer.certificatePem, keyPem: this.#keyPem, rootPem: this.rootPem, crlPem };
    const findings: GateFinding[] = [];
    for (const name of this.hostNames) findings.push(...(await checkCertificate({ ...files, usage: "server", name, nowMs: this.#ports.clock.nowMs() })));
    return findings.filter((finding, index) => findings.findIndex((other) => other.message === finding.message) === index);
  }

  async #renewLeaf(): Promise<boolean> {
    const { notBeforeMs, notAfterMs } = await parseCertificatePem(this.#leafPem);
    const dueMs = notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;
    const issuerEndMs = (await parseCertificatePem(this.issuer.certificatePem)).notAfterMs;
    // A leaf that ends with its issuer cannot be made to last longer.
    if (this.#ports.clock.nowMs() < dueMs || issuerEndMs <= notAfterMs) return false;
    const keys = await createKeyPair();
    const leafPem = await issueNodeLeaf(this.#ports, this.issuer, keys, this.hostNames);
    // Key and certificate are one file pair: a crash between the two is caught by the gate, and mended by the next renewal.
    this.#folder.writeText("pki/node-key.pem", keys.privateKeyPem);
    this.#folder.writeText("pki/node.pem", leafPem);
    this.#leafPem = leafPem;
    this.#keyPem = keys.privateKeyPem;
    return true;
  }

  async #renewList(revoked: readonly RevokedCertificate[]): Promise<boolean> {
    const nowMs = this.#ports.clock.nowMs();
    const revokedKey = revoked
      .map((certificate) => certificate.serial)
      .sort()
      .join();
    if (this.#crlPems.length > 0 && revokedKey === this.#revokedKey && nowMs - this.#crlIssuedAtMs < DAY_MS) return false;
    const request: CrlRequest = {
      number: Math.floor(nowMs),
      lifetimeMs: CRL_LIFETIME_MS,
      revoked: revoked.map(({ serial, revokedAtMs }) => ({ serial, revokedAtMs, reason: "privilege-withdrawn" })),
    };
    // Serials are drawn at random, so one list of them serves every issuer.
    this.#crlPems = await Promise.all([this.issuer, ...this.#previous].map((authority) => issueCrl(this.#ports, authority, request)));
    this.#crlIssuedAtMs = nowMs;
    this.#revokedKey = revokedKey;
    return true;
  }
}

async function readPrevious(folder: DataFolder, nowMs: number): Promise<Authority[]> {
  const authorities: Authority[] = [];
  for (const name of folder.list("pki").filter((each) => /^previous-\d+\.pem$/.test(each))) {
    const certificatePem = folder.readText(`pki/${name}`);
    const { notAfterMs } = await parseCertificatePem(certificatePem);
    if (notAfterMs > nowMs) authorities.push({ certificatePem, privateKeyPem: folder.readText(`pki/${name.replace(".pem", "-key.pem")}`) });
  }
  return authorities;
}

/** Findings as lines, each with the command that mends it. */
export function findingLines(findings: readonly GateFinding[]): string[] {
  return findings.map(({ message, rule, mend }) => `${message} (rule ${rule}; mend: ${mend})`);
}

/** Refuses to go on when the runtime was told to trust everyone. */
export function requireVerifiedTls(environment: Readonly<Record<string, string | undefined>>): void {
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED === "0") {
    throw new Fault("certificate", "environment: NODE_TLS_REJECT_UNAUTHORIZED=0 turns certificate checks off, unset it");
  }
}
