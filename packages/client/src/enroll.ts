/** Enrolment: from an invite code to a certificate, with nothing trusted on sight. */
import { bytesToHex, type Clock, equalBytes, Fault, type Random } from "@holdfast/base";
import { type DeviceId, type EnrollAnswer, encodeMessage, enrollAnswer, type Invite, parseFault, parseMessage, rootAnswer } from "@holdfast/protocol";
import { authorityOf } from "./authority.ts";
import type { DialTls } from "./dial-policy.ts";
import { createHttpsNet } from "./https-net-node.ts";
import { createSignedSession } from "./signed-session.ts";

export interface EnrollOptions {
  readonly invite: Invite;
  readonly clock: Clock;
  readonly random: Random;
  readonly device: DeviceId;
  readonly deviceKey: Uint8Array;
  /** Signs with use `request`. */
  readonly sign: (base: Uint8Array) => Uint8Array;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** SHA-256 of the SPKI of a PEM certificate. Must refuse a text with more than that one: what follows would be trusted unseen. */
  readonly spkiSha256: (certificatePem: string) => Promise<Uint8Array>;
  /** PEM of the certificate request for the device's TLS key. */
  readonly csrPem: string;
  readonly label: string;
  /** What to offer; left out, the profile `modern`. */
  readonly tls?: DialTls | undefined;
}

/** What proves a root: an invite, or what an enrolled device remembers of one. */
export interface PinnedRootOptions extends Pick<EnrollOptions, "spkiSha256" | "tls"> {
  readonly invite: Pick<Invite, "host" | "frontPort" | "rootSpkiSha256">;
}

const ROOT_BYTES_MAX = 32 * 1024;

/**
 * The node's root, proven by the invite. The first connection accepts any certificate, since nothing but the root itself is
 * fetched over it, and the root must hash to the invite's pin. Another root: `certificate`.
 */
export async function fetchPinnedRoot(options: PinnedRootOptions): Promise<string> {
  const { invite } = options;
  await using net = createHttpsNet({ host: invite.host, port: invite.frontPort, rootPem: "", unverified: true, tls: options.tls });
  const headers = { host: authorityOf(invite.host, invite.frontPort) };
  const answer = await net.exchange({ method: "GET", target: "/v1/root", headers, body: [] }, ROOT_BYTES_MAX);
  if (answer.status !== 200) throw parseFault(answer.status, answer.body);
  const { root } = parseMessage(rootAnswer, answer.body, "root answer");
  if (!equalBytes(await options.spkiSha256(root), invite.rootSpkiSha256)) {
    throw new Fault("certificate", "storage node: its root is not the one that the invite names; someone may be in between, or the code is from another node");
  }
  return root;
}

/** Redeems the invite. `denied`: used, expired or unknown code. */
export async function enroll(options: EnrollOptions): Promise<EnrollAnswer> {
  const { invite } = options;
  const rootPem = await fetchPinnedRoot(options);
  await using net = createHttpsNet({ host: invite.host, port: invite.frontPort, rootPem, tls: options.tls });
  const session = createSignedSession({ ...options, net, host: invite.host, port: invite.frontPort });
  const body = encodeMessage({ secret: invite.secret, csr: options.csrPem, deviceKey: options.deviceKey, label: options.label });
  const answer = parseMessage(enrollAnswer, (await session.send({ method: "POST", target: "/v1/enroll", body: [body] })).body, "enroll answer");
  if (!equalBytes(await options.spkiSha256(answer.root), invite.rootSpkiSha256))
    throw new Fault("certificate", `storage node: answered with another root than ${bytesToHex(invite.rootSpkiSha256)}`);
  return answer;
}
