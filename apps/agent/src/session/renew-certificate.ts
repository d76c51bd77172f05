/**
 * A fresh client certificate, for a fresh key, over the connection that the old one still opens. Asked for when two thirds of the old
 * one's life are over, and a part of its life more that differs from device to device.
 *
 * Order: new key beside the old → certificate from the node → gate over both → old pair kept → certificate in place → key in place.
 * A root that is to follow, when the answer tells of one, is kept before the gate (next-root.ts).
 * A run that is cut short between the last two leaves the new key beside the new certificate, where `passGate` finds it.
 */
import { isFault, utf8 } from "@holdfast/base";
import type { SignedSession } from "@holdfast/client";
import { createCsr, createKeyPair, type NextRoot } from "@holdfast/pki";
import { type DeviceId, encodeMessage, parseMessage, renewAnswer } from "@holdfast/protocol";
import { OWN_FILE_MODE } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { keepNextRoot } from "./next-root.ts";
import type { Ports } from "./session.ts";
import { checkUnderEither, hasOldPair, keepOldPair, nextKeyPath, passGate, type TlsFiles, underRootInPlace } from "./tls-files.ts";

/** Part of the life over which the renewals of a fleet are spread: three days of thirty. */
const JITTER_SHARE = 0.1;

/**
 * When the certificate is to be renewed, ms since 1970. The jitter is the device's own: its id is a hash, so the devices of a fleet that
 * were enrolled in one hour come back spread out, and one device at the same point of every certificate.
 */
export function renewalDueMs({ notBeforeMs, notAfterMs }: Pick<TlsFiles, "notBeforeMs" | "notAfterMs">, device: DeviceId): number {
  const chance = new DataView(device.buffer, device.byteOffset, device.byteLength).getUint32(0) / 2 ** 32;
  return notBeforeMs + (notAfterMs - notBeforeMs) * (2 / 3 + JITTER_SHARE * chance);
}

/**
 * The new files, in place and past the gate; the pair before stays beside them. A certificate that does not pass changes none of them.
 *
 * @param onNote - Told when the root that is to follow was not vouched for, and so not kept.
 */
export async function renewCertificate(
  ports: Ports,
  paths: StatePaths,
  session: SignedSession,
  old: TlsFiles,
  onNote?: (note: string) => void,
): Promise<TlsFiles> {
  const { disk } = ports;
  const { privateKeyPem } = await createKeyPair();
  disk.writeFile(nextKeyPath(paths), utf8(privateKeyPem), OWN_FILE_MODE);
  const body = [encodeMessage({ csr: await createCsr(privateKeyPem) })];
  const answer = await session.send({ method: "POST", target: "/v1/certificates/renew", body });
  const { certificate, nextRoot } = parseMessage(renewAnswer, answer.body, "renewal answer");
  const { rootPem } = underRootInPlace(old);
  if (nextRoot !== undefined) await takeNextRoot(ports, paths, rootPem, nextRoot, onNote);
  await checkUnderEither(ports, paths, { keyPem: privateKeyPem, chainPem: certificate, rootPem });
  // One that was never used must not push out the last that was.
  if (!hasOldPair(disk, paths)) keepOldPair(disk, paths, old);
  disk.writeFile(paths.tlsCertificate, utf8(certificate), OWN_FILE_MODE);
  disk.rename(nextKeyPath(paths), paths.tlsKey);
  return passGate(ports, paths, { mayMend: true });
}

/** The certificate is taken whatever comes of the root: the one in place still holds. */
async function takeNextRoot(ports: Ports, paths: StatePaths, rootPem: string, next: NextRoot, onNote?: (note: string) => void): Promise<void> {
  try {
    await keepNextRoot(ports, paths, rootPem, next);
  } catch (error) {
    if (!isFault(error)) throw error;
    onNote?.(`warning: the storage node names another root that is to follow, which was not taken: ${error.message}; ask the operator`);
  }
}
