/**
 * Trust on enrolment: an agent that has no root yet checks the chain that the node presents against the hash in its
 * invite. The chain must end in the root, whose public key hash is pinned; from there on every rule of chain.ts holds.
 *
 * The handshake itself must then run with `rejectUnauthorized: false`, so nothing may be sent before
 * `verifyPeerChain` has returned.
 */
import { type Bytes, bytesToHex, equalBytes, Fault } from "@holdfast/base";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { checkChain } from "./chain.ts";
import { CHAIN_COUNT_MAX } from "./profiles.ts";

export interface PeerChain {
  /** DER as presented: leaf first, root last. */
  readonly chainDer: readonly Bytes[];
  /** SHA-256 of the root's SubjectPublicKeyInfo, 32 bytes, from the invite. */
  readonly pinnedSpkiHash: Uint8Array;
  /** Name or address that was dialled. */
  readonly host: string;
  readonly nowMs: number;
}

export interface VerifiedPeer {
  readonly leaf: Certificate;
  /** To be kept: from now on the usual verification runs against it. */
  readonly rootPem: string;
}

/** The part of a `tls.TLSSocket` that is read here; the same in Node, Bun and Deno. */
export interface PeerSocket {
  getPeerCertificate(detailed: true): PeerSocketCertificate;
}

export interface PeerSocketCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: PeerSocketCertificate;
}

/** What a connected server has presented, leaf first; empty for nothing. Longer than any chain of ours: `certificate`. */
export function peerChainOf(socket: PeerSocket): Bytes[] {
  const chainDer: Bytes[] = [];
  let at: PeerSocketCertificate | undefined = socket.getPeerCertificate(true);
  while (at?.raw !== undefined) {
    const der = new Uint8Array(at.raw);
    const last = chainDer.at(-1);
    if (last !== undefined && equalBytes(last, der)) break; // A self-signed certificate is its own issuer.
    if (chainDer.length === CHAIN_COUNT_MAX) throw chainCountFault(chainDer.length + 1);
    chainDer.push(der);
    at = at.issuerCertificate;
  }
  return chainDer;
}

/** Throws `certificate` unless the chain is good for a server at `host` and its root is the pinned one. */
export async function verifyPeerChain(peer: PeerChain): Promise<VerifiedPeer> {
  const count = peer.chainDer.length;
  if (count < 2 || count > CHAIN_COUNT_MAX) throw chainCountFault(count);
  const [leaf, ...above] = await Promise.all(peer.chainDer.map(parsePeerCertificate));
  const root = above.pop() as Certificate;
  if (!equalBytes(root.spkiHash, peer.pinnedSpkiHash)) {
    throw new Fault("certificate", `peer: its root is not the pinned one, got ${bytesToHex(root.spkiHash)}, want ${bytesToHex(peer.pinnedSpkiHash)}`);
  }
  const chain = { leaf: leaf as Certificate, intermediates: above, root };
  const breaches = await checkChain(chain, { usage: "server", name: peer.host, nowMs: peer.nowMs });
  if (breaches.length > 0) {
    const messages = breaches.map(({ message }) => message);
    throw new Fault("certificate", `peer: ${messages.join("; ")}`, { detail: { findings: messages } });
  }
  return { leaf: chain.leaf, rootPem: root.pem };
}

async function parsePeerCertificate(der: Bytes): Promise<Certificate> {
  try {
    return await parseCertificate(der);
  } catch (cause) {
    throw new Fault("certificate", "peer: a certificate of its chain does not parse", { cause });
  }
}

function chainCountFault(count: number): Fault {
  return new Fault("certificate", `peer: number of certificates, got ${count}, want 2 to ${CHAIN_COUNT_MAX} with the root last`);
}
