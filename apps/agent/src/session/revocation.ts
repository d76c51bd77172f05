/** How an agent learns that it was revoked: the storage node says so, or hangs up in the handshake, and then its revocation list tells. */
import { Fault, isFault, type NetResponse, utf8ToText } from "@holdfast/base";
import { createHttpsNet, type DialTls } from "@holdfast/client";
import { parseFault } from "@holdfast/protocol";
import type { Identity } from "../state/identity.ts";
import type { Ports } from "./session.ts";
import { gateFindings, type TlsFiles } from "./tls-files.ts";

const CRL_BYTES_MAX = 4 * 1024 * 1024;
/** A device that is not known to the storage node gets the same answer: it does not tell strangers which of the two holds. */
const REVOKED = /\brevoked\b/;

/** Whether the storage node refuses this device, or its certificate, and not only this request. */
export function isRefusalOfDevice({ status, body }: NetResponse): boolean {
  if (status === 495) return true;
  return status === 403 && isRevocation(parseFault(status, body));
}

/** What the user is told when the storage node refuses the device; any other error as it is. */
export function explainRevocation(error: unknown, identity: Identity): unknown {
  return isFault(error) && isRevocation(error) ? revokedFault(identity, error) : error;
}

/** The fault that ends a run of a revoked device: nothing retries it, and its exit code is 5. */
export function revokedFault(identity: Identity, cause?: unknown): Fault {
  const { label, host, agentPort } = identity;
  return new Fault(
    "denied",
    `this device (${label}): was revoked at storage node ${host}:${agentPort}, or is not known there; nothing is saved or restored any more; ` +
      "ask the operator, and if it was a mistake enrol again with a new invite: holdfast enroll CODE --force",
    { cause, detail: { reason: "revoked" } },
  );
}

/** Whether the certificate stands on the revocation list of the storage node's authority. A list that cannot be had, or does not verify, proves nothing. */
export async function isOnRevocationList(ports: Ports, { host, frontPort }: Identity, files: TlsFiles, tls: DialTls): Promise<boolean> {
  try {
    await using net = createHttpsNet({ host, port: frontPort, rootPem: files.rootPem, tls, stallMs: 10_000 });
    const answer = await net.exchange({ method: "GET", target: "/v1/crl", headers: {}, body: [] }, CRL_BYTES_MAX);
    const crlPem = answer.status === 200 ? utf8ToText(answer.body) : null;
    if (crlPem === null) return false;
    const findings = await gateFindings(ports, files, crlPem);
    return findings.some(({ certificate, rule }) => certificate === "leaf" && rule === "revoked");
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}

function isRevocation(fault: Fault): boolean {
  return fault.code === "denied" && (fault.detail["reason"] === "revoked" || REVOKED.test(fault.message));
}
