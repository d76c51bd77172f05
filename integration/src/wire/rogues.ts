/**
 * Rogue certificates: thirteen ways to come to the agent port, or to be dialled, with something that is almost right. Wherever
 * it can, a rogue holds the key of an enrolled device and signs its requests rightly, so that the certificate alone is wrong.
 */
import { join } from "node:path";
import { isFault } from "@holdfast/base";
import { createHttpsNet } from "@holdfast/client";
import { createKeyPair, encodeChain } from "@holdfast/pki";
import { type TestAnswer, TestClient, type TlsIdentity } from "../../../apps/storage-node/src/testing/test-client.ts";
import { enrollByHand, foreignIdentity, type HandMadeDevice, issuerOf, readRoot, rogueLeaf, selfSignedIdentity } from "../harness/hand-made-device.ts";
import { run } from "../harness/run.ts";
import type { StorageNode } from "../harness/storage-node.ts";

export const ROGUE_KINDS = [
  "none",
  "self-signed",
  "other root",
  "expired",
  "not yet valid",
  "revoked",
  "wrong usage",
  "wrong name, dialling",
  "authority as leaf",
  "over-long chain",
  "other root, without SNI",
  "resumed session after revocation",
  "another device's signature",
] as const;
export type RogueKind = (typeof ROGUE_KINDS)[number];

/** One try; `true` when it was let in. */
export type RogueAttempt = () => Promise<boolean>;

export interface Rogues extends Disposable {
  readonly attempts: Readonly<Record<RogueKind, RogueAttempt>>;
  /** The device whose certificate is in order, to show that the door opens at all. */
  readonly honest: RogueAttempt;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TARGET = "/v1/account";

/** Enrols what the rogues need at `node`, whose own authority they abuse. `scratch` is a folder for session files. */
export async function prepareRogues(node: StorageNode, scratch: string): Promise<Rogues> {
  const device = await enrollByHand(node, "rogues");
  const other = await enrollByHand(node, "rogues-another");
  const gone = await enrollByHand(node, "rogues-revoked");
  const rootPem = readRoot(node);
  const issuer = await issuerOf(node);
  const now = Date.now();
  const leaf = (change: Parameters<typeof rogueLeaf>[2]): Promise<TlsIdentity> => rogueLeaf(issuer, device.identity, change);
  const foreign = await foreignIdentity(device.key.deviceId);
  const selfSigned = await selfSignedIdentity(device.identity);
  const subordinate = await rogueLeaf(issuer, { cert: "", key: (await createKeyPair()).privateKeyPem }, { isAuthority: true });
  const overLong = await rogueLeaf({ certificatePem: subordinate.cert, privateKeyPem: subordinate.key }, device.identity, {});
  const sessionPath = join(scratch, "rogue-session.pem");
  await saveSession(node, gone, scratch, sessionPath);
  await node.revoke(gone.key.deviceId);

  const by =
    (identity: TlsIdentity | null): RogueAttempt =>
    () =>
      tryFresh(node, device, identity);
  return {
    honest: by(device.identity),
    attempts: {
      none: by(null),
      "self-signed": by(selfSigned),
      "other root": by(foreign),
      expired: by(await leaf({ notBeforeMs: now - 2 * DAY_MS, notAfterMs: now - HOUR_MS })),
      "not yet valid": by(await leaf({ notBeforeMs: now + HOUR_MS, notAfterMs: now + DAY_MS })),
      revoked: () => tryFresh(node, gone, gone.identity),
      "wrong usage": by(await leaf({ usage: "serverAuth" })),
      "wrong name, dialling": () => tryDialling(node, device, rootPem),
      "authority as leaf": by(await leaf({ isAuthority: true })),
      "over-long chain": by({ cert: encodeChain(overLong.cert, issuer.certificatePem), key: overLong.key }),
      "other root, without SNI": () => tryFresh(node, device, foreign, { servername: "" }),
      "resumed session after revocation": () => tryResuming(node, gone, scratch, sessionPath),
      "another device's signature": () => tryFresh(node, device, device.identity, {}, other),
    },
    [Symbol.dispose]() {
      for (const each of [device, other, gone]) each[Symbol.dispose]();
    },
  };
}

/** A request on a connection of its own. */
async function tryFresh(
  node: StorageNode,
  device: HandMadeDevice,
  identity: TlsIdentity | null,
  tls: { readonly servername?: string } = {},
  signer: HandMadeDevice = device,
): Promise<boolean> {
  using client = new TestClient("localhost", node.agentPort, device.rootPem, device.key, identity, tls);
  return await isLetIn(client.exchange({ target: TARGET, signer: signer.key, device: signer.key.deviceId }));
}

async function isLetIn(answer: Promise<TestAnswer>): Promise<boolean> {
  try {
    return (await answer).status < 400;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** The agent's own client dials the node under a name that its certificate does not have. */
async function tryDialling(node: StorageNode, device: HandMadeDevice, rootPem: string): Promise<boolean> {
  await using net = createHttpsNet({
    host: "127.0.0.1",
    port: node.agentPort,
    rootPem,
    identity: { certificatePem: device.identity.cert, keyPem: device.identity.key },
  });
  try {
    await net.exchange({ method: "GET", target: TARGET, headers: {}, body: [] }, 1_000_000);
    return true;
  } catch (error) {
    if (isFault(error, "certificate")) return false;
    throw error;
  }
}

async function saveSession(node: StorageNode, device: HandMadeDevice, scratch: string, sessionPath: string): Promise<void> {
  await Bun.write(join(scratch, "rogue-cert.pem"), device.identity.cert);
  await Bun.write(join(scratch, "rogue-key.pem"), device.identity.key);
  await Bun.write(join(scratch, "rogue-root.pem"), device.rootPem);
  await run(clientCommand(node, scratch, ["-sess_out", sessionPath]), { limitMs: 20_000 });
}

/** Let in is whoever resumes; a session that was never given away cannot be, and then a full handshake must end at the request. */
async function tryResuming(node: StorageNode, device: HandMadeDevice, scratch: string, sessionPath: string): Promise<boolean> {
  if (await Bun.file(sessionPath).exists()) {
    const ran = await run(clientCommand(node, scratch, ["-sess_in", sessionPath]), { limitMs: 20_000 });
    if (/^Reused, /m.test(ran.stdout)) return true;
  }
  return tryFresh(node, device, device.identity);
}

/** `openssl s_client` as the device in `scratch`. It ends when its input does. */
function clientCommand(node: StorageNode, scratch: string, more: readonly string[]): string[] {
  const at = (name: string): string => join(scratch, name);
  const identity = ["-cert", at("rogue-cert.pem"), "-cert_chain", at("rogue-cert.pem"), "-key", at("rogue-key.pem"), "-CAfile", at("rogue-root.pem")];
  return ["openssl", "s_client", "-connect", `127.0.0.1:${node.agentPort}`, "-servername", "localhost", ...identity, ...more];
}

export interface RogueCount {
  readonly kind: RogueKind;
  readonly attempts: number;
  readonly accepted: number;
}

/** Tries every kind `attempts` times, a few at once. */
export async function countRogues(rogues: Rogues, attempts: number, kinds: readonly RogueKind[] = ROGUE_KINDS): Promise<RogueCount[]> {
  const counts: RogueCount[] = [];
  for (const kind of kinds) {
    let [left, accepted] = [attempts, 0];
    const work = async (): Promise<void> => {
      while (left-- > 0) if (await rogues.attempts[kind]()) accepted++;
    };
    await Promise.all(Array.from({ length: 4 }, work));
    counts.push({ kind, attempts, accepted });
  }
  return counts;
}
