/** From an invite, or a certificate about to end, to a client certificate. */
import { Fault } from "@holdfast/base";
import { encodeChain, issueAgentLeaf, parseCertificatePem } from "@holdfast/pki";
import type { DeviceId, EnrollAnswer, EnrollRequest } from "@holdfast/protocol";
import type { AppServices } from "./app-services.ts";

/** Redeems an invite for the device whose key signed the request. */
export async function redeemInvite(services: AppServices, request: EnrollRequest, origin: string): Promise<EnrollAnswer> {
  const { store, clock, identity } = services;
  const nowMs = Math.floor(clock.nowMs());
  try {
    const enrolled = await store.writer.call("enroll", [{ secret: request.secret, deviceKey: request.deviceKey, label: request.label, nowMs }]);
    const certificate = await issueFor(services, request.csr, enrolled.device);
    await audit(services, enrolled.accountName, origin, "done");
    const { account, accountName, edition, vault } = enrolled;
    return { certificate, root: identity.rootPem, account, accountName, edition, vault };
  } catch (error) {
    await audit(services, "", origin, error instanceof Fault ? error.code : "internal");
    throw error;
  }
}

/** Issues a leaf for the key in `csrPem` and ties it to the device. PEM: leaf, then intermediate. */
export async function issueFor(services: AppServices, csrPem: string, device: DeviceId): Promise<string> {
  const { store, clock, random, identity } = services;
  const leafPem = await issueAgentLeaf({ clock, random }, identity.issuer, csrPem, device);
  const leaf = await parseCertificatePem(leafPem);
  await store.writer.call("addCertificate", [
    { device, spkiSha256: leaf.spkiHash, serial: leaf.serial, notAfterMs: leaf.notAfterMs, issuedAtMs: Math.floor(clock.nowMs()) },
  ]);
  return encodeChain(leafPem, identity.issuer.certificatePem);
}

function audit({ store, clock }: AppServices, subject: string, origin: string, result: string): Promise<void> {
  return store.writer.call("audit", [{ atMs: Math.floor(clock.nowMs()), actor: "invite", action: "enroll", subject, origin, result }]);
}
