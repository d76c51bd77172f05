/** The node's certificate files as they lie in the data folder: texts, which may be missing or broken. */
import { isFault } from "@holdfast/base";
import { type Authority, checkIssuingKey, parseCertificatePem, parseCrl, parseOnePem } from "@holdfast/pki";
import type { DataFolder } from "./data-folder.ts";

/** PEM texts; `null` where a file is missing. */
export interface NodeFiles {
  readonly root: string | null;
  readonly rootCrl: string | null;
  readonly intermediate: string | null;
  readonly issuingKey: string | null;
  /** The first block of node.pem. */
  readonly leaf: string | null;
  /** What follows the leaf in node.pem, or else the intermediate. */
  readonly chain: string | null;
  readonly key: string | null;
  readonly previous: readonly { readonly certificate: string | null; readonly key: string | null }[];
}

const FIRST_BLOCK = /^\s*-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\r?\n?/;
const CRL_CHARACTERS_MAX = 4 * 1024 * 1024;

export function readNodeFiles(folder: DataFolder): NodeFiles {
  const text = (name: string): string | null => folder.tryReadText(`pki/${name}`);
  const node = text("node.pem");
  const leaf = node === null ? null : (FIRST_BLOCK.exec(node)?.[0] ?? node);
  const rest = node === null || leaf === null ? "" : node.slice(leaf.length);
  const intermediate = text("intermediate.pem");
  const previous = folder
    .list("pki")
    .filter((name) => /^previous-\d+\.pem$/.test(name))
    .map((name) => ({ certificate: text(name), key: text(name.replace(".pem", "-key.pem")) }));
  return {
    root: text("root.pem"),
    rootCrl: text("root.crl.pem"),
    intermediate,
    issuingKey: text("intermediate-key.pem"),
    leaf,
    chain: rest.trim() === "" ? intermediate : rest,
    key: text("node-key.pem"),
    previous,
  };
}

/**
 * Intermediates of before that agents' certificates may still be under. One that has ended, is revoked, or cannot be used is
 * left out: certificates under it are refused, and their devices enrol again.
 */
export async function readPrevious(files: NodeFiles, nowMs: number): Promise<Authority[]> {
  const revoked = revokedSerials(files.rootCrl);
  const authorities: Authority[] = [];
  for (const { certificate, key } of files.previous) {
    if (certificate === null || key === null || (await checkIssuingKey(certificate, key)).length > 0) continue;
    const { notAfterMs, serial } = await parseCertificatePem(certificate);
    if (notAfterMs > nowMs && !revoked.has(serial)) authorities.push({ certificatePem: certificate, privateKeyPem: key });
  }
  return authorities;
}

function revokedSerials(rootCrl: string | null): { has(serial: string): boolean } {
  if (rootCrl === null) return new Set();
  try {
    return parseCrl(parseOnePem("X509 CRL", rootCrl, CRL_CHARACTERS_MAX)).revokedAtMsBySerial;
  } catch (error) {
    if (isFault(error)) return new Set(); // The gate has a finding for it.
    throw error;
  }
}
