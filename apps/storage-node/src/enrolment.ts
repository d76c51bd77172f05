/** From an invite, or a certificate about to end, to a client certificate. */
import { bytesToHex, equalBytes } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { DAY_MS, encodeChain, issueAgentLeaf, type NextRoot, parseCertificatePem } from "@holdfast/pki";
import { asDeviceId, type DeviceId, type EnrollAnswer, type EnrollRequest, type ReissueRequest, SHORT_ID_BYTES } from "@holdfast/protocol";
import type { AppServices } from "./app-services.ts";
import { EnrolmentLimit } from "./enrolment-limit.ts";
import { noteTold } from "./root-announcement.ts";
import { Refusal } from "./store/audit-refusals.ts";

/** Answer of a renewal: PEM of leaf and intermediate, and the root that is to follow while one is. */
export interface RenewAnswer {
  readonly certificate: string;
  readonly nextRoot?: NextRoot;
}

/** A refusal is answered so long after the request, so that what it took to find out tells nothing. */
const REFUSAL_MS = 250;

/** One for each store, which lives as long as the node that these tries are made at. */
const limits = new WeakMap<AppServices["store"], EnrolmentLimit>();

/** Redeems an invite for the device whose key signed the request. Too many failures from `origin`, or in all: `busy`. */
export async function redeemInvite(services: AppServices, request: EnrollRequest, origin: string): Promise<EnrollAnswer> {
  const { clock } = services;
  const startedAtMs = clock.monotonicMs();
  const giveBack = limitOf(services).take(origin);
  try {
    const answer = await redeem(services, request, origin);
    giveBack();
    return answer;
  } catch (error) {
    await clock.sleep(Math.max(0, startedAtMs + REFUSAL_MS - clock.monotonicMs()));
    throw error;
  }
}

/** Renews the certificate of `device` with the key in `csrPem`, and tells it of `nextRoot` when there is one. */
export async function renewFor(services: AppServices, csrPem: string, device: DeviceId, nextRoot: NextRoot | null, origin: string): Promise<RenewAnswer> {
  const certificate = await issueFor(services, csrPem, device, origin);
  if (nextRoot === null) return { certificate };
  await noteTold(services.store, device, nextRoot);
  return { certificate, nextRoot };
}

/** How long after the end of its last certificate a device may come back without an invite, unless the operator says otherwise. */
export const REISSUE_GRACE_MS: number = 90 * DAY_MS;

/** A certificate for an enrolled device that slept past the end of its own; its key signed the request. */
export async function reissueFor(services: AppServices, request: ReissueRequest, origin: string): Promise<RenewAnswer> {
  const { store, clock, reissueGraceMs = REISSUE_GRACE_MS } = services;
  const giveBack = limitOf(services).take(origin);
  const device = asDeviceId(sha256(request.deviceKey).slice(0, SHORT_ID_BYTES));
  const known = await store.reader.call("device", [device]);
  if (known === null || !equalBytes(known.publicKey, request.deviceKey)) {
    throw new Refusal("unknown-device", "denied", "device: unknown to this storage node, enroll it with an invite");
  }
  if (known.revoked) {
    const message = "device: revoked; ask the operator for a new invite and enroll with a new device key";
    throw new Refusal("revoked-device", "denied", message, { detail: { reason: "revoked" } });
  }
  const endedAtMs = await store.reader.call("lastCertificateEnd", [device]);
  if (endedAtMs === null || endedAtMs + reissueGraceMs < clock.nowMs()) {
    throw new Refusal("certificate-expired", "denied", "device: its certificate ended too long ago; ask the operator for an invite and enroll again");
  }
  giveBack();
  return { certificate: await issueFor(services, request.csr, device, origin) };
}

/** Issues a leaf for the key in `csrPem` and ties it to the device. PEM: leaf, then intermediate. */
export async function issueFor(services: AppServices, csrPem: string, device: DeviceId, origin = "agent port"): Promise<string> {
  const { store, clock, random, identity } = services;
  const leafPem = await issueAgentLeaf({ clock, random }, identity.issuer, csrPem, device);
  const leaf = await parseCertificatePem(leafPem);
  await store.writer.call("addCertificate", [
    {
      device,
      spkiSha256: leaf.spkiHash,
      serial: leaf.serial,
      notAfterMs: leaf.notAfterMs,
      issuedAtMs: Math.floor(clock.nowMs()),
      by: { actor: bytesToHex(device), origin },
    },
  ]);
  return encodeChain(leafPem, identity.issuer.certificatePem);
}

async function redeem(services: AppServices, request: EnrollRequest, origin: string): Promise<EnrollAnswer> {
  const { store, clock, identity } = services;
  const nowMs = Math.floor(clock.nowMs());
  const enrolled = await store.writer.call("enroll", [
    { secret: request.secret, deviceKey: request.deviceKey, label: request.label, nowMs, by: { actor: "peer", origin } },
  ]);
  const certificate = await issueFor(services, request.csr, enrolled.device, origin);
  const { account, accountName, edition, vault } = enrolled;
  return { certificate, root: identity.rootPem, account, accountName, edition, vault };
}

function limitOf({ store, clock }: AppServices): EnrolmentLimit {
  const known = limits.get(store);
  if (known !== undefined) return known;
  const limit = new EnrolmentLimit(clock);
  limits.set(store, limit);
  return limit;
}
