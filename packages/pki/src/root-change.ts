/**
 * Moving to a new root: who trusts the old one need not take the new one on sight, since the old root has signed for it.
 *
 *   old root ──► cross: the new root's name and key ... new root, self-signed, with the same name and key
 *
 * The channel that brings both is authenticated already, by a key that lies on the storage node. The cross certificate is signed by the
 * root's key, which does not: a thief of the node alone cannot move agents to a root of their own.
 */
import { bytesToHex, equalBytes, Fault } from "@holdfast/base";
import type { Certificate } from "./certificate.ts";
import { checkChain } from "./chain.ts";
import { parseCertificatePem } from "./issue.ts";

/** A root that is to follow, as the storage node tells of it. Both PEM. */
export interface NextRoot {
  readonly root: string;
  /** The same name and key under the root before. */
  readonly cross: string;
  /** The authority that signs leaves, under the next root: same name and key as now, so that a leaf hangs from either. */
  readonly intermediate: string;
}

/** The next root, once `trustedRootPem` has vouched for it. Else `certificate`; what does not parse: `format`. */
export async function checkNextRoot(trustedRootPem: string, next: NextRoot, nowMs: number): Promise<Certificate> {
  const trusted = await parseCertificatePem(trustedRootPem);
  const root = await parseCertificatePem(next.root);
  const cross = await parseCertificatePem(next.cross);
  const isSame = equalBytes(cross.spkiHash, root.spkiHash) && equalBytes(cross.subjectDer, root.subjectDer);
  if (!isSame) throw new Fault("certificate", `next root: its cross certificate is for another, got ${shortHash(cross)}, want ${shortHash(root)}`);
  const vouched = await checkAuthority(cross, trusted, nowMs);
  const own = await checkAuthority(root, root, nowMs);
  const below = await checkAuthority(await parseCertificatePem(next.intermediate), root, nowMs);
  const messages = [...vouched.map((message) => `cross certificate: ${message}`), ...own, ...below];
  if (messages.length > 0) throw new Fault("certificate", `next root: ${messages.join("; ")}`, { detail: { findings: messages } });
  return root;
}

/** What is wrong with `authority` under `root`: every rule of a chain but those that are about leaves. */
async function checkAuthority(authority: Certificate, root: Certificate, nowMs: number): Promise<string[]> {
  const breaches = await checkChain({ leaf: authority, intermediates: [], root }, { usage: "server", nowMs });
  const messages = breaches.filter(({ certificate, rule }) => certificate === "root" || (rule !== "authority" && rule !== "usage"));
  const mayNot = authority.isAuthority && authority.keyUsages?.includes("keyCertSign") === true ? [] : [`${authority.subject} may not sign certificates`];
  return [...messages.map(({ message }) => message), ...mayNot];
}

function shortHash({ spkiHash }: Certificate): string {
  return bytesToHex(spkiHash).slice(0, 16);
}
