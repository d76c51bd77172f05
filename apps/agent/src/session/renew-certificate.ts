/**
 * A fresh client certificate, for a fresh key, over the connection that the old one still opens. Asked for when two thirds of the old
 * one's life are over, and a part of its life more that differs from device to device.
 *
 * Order: new key beside the old → certificate from the node → gate over both → old pair kept → certificate in place → key in place.
 * A run that is cut short between the last two leaves the new key beside the new certificate, where `passGate` finds it.
 */
import { utf8 } from "@holdfast/base";
import type { SignedSession } from "@holdfast/client";
import { createCsr, createKeyPair } from "@holdfast/pki";
import { type DeviceId, encodeMessage, parseMessage } from "@holdfast/protocol";
import { z } from "zod";
import { OWN_FILE_MODE } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Ports } from "./session.ts";
import { checkFiles, hasOldPair, keepOldPair, nextKeyPath, passGate, type TlsFiles } from "./tls-files.ts";

/** Answer of `POST /v1/certificates/renew` and `…/reissue`: PEM of the leaf, then the intermediate. */
export const renewAnswer = z.strictObject({ certificate: z.string().max(32_768) });

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

/** The new files, in place and past the gate; the pair before stays beside them. A certificate that does not pass changes nothing. */
export async function renewCertificate(ports: Ports, paths: StatePaths, session: SignedSession, old: TlsFiles): Promise<TlsFiles> {
  const { disk } = ports;
  const { privateKeyPem } = await createKeyPair();
  disk.writeFile(nextKeyPath(paths), utf8(privateKeyPem), OWN_FILE_MODE);
  const body = [encodeMessage({ csr: await createCsr(privateKeyPem) })];
  const { certificate } = parseMessage(renewAnswer, (await session.send({ method: "POST", target: "/v1/certificates/renew", body })).body, "renewal answer");
  await checkFiles(ports, { keyPem: privateKeyPem, chainPem: certificate, rootPem: old.rootPem });
  // One that was never used must not push out the last that was.
  if (!hasOldPair(disk, paths)) keepOldPair(disk, paths, old);
  disk.writeFile(paths.tlsCertificate, utf8(certificate), OWN_FILE_MODE);
  disk.rename(nextKeyPath(paths), paths.tlsKey);
  return passGate(ports, paths, { mayMend: true });
}
