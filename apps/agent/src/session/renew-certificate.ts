/**
 * A fresh client certificate, for a fresh key, over the connection that the old one still opens. Asked for when two thirds of the old
 * one's life are over.
 *
 * Order: new key beside the old → certificate from the node → gate over both → certificate in place → key in place. A run that is cut
 * short between the last two leaves the new key beside the new certificate, where `passGate` finds it.
 */
import { utf8 } from "@holdfast/base";
import type { SignedSession } from "@holdfast/client";
import { createCsr, createKeyPair } from "@holdfast/pki";
import { encodeMessage, parseMessage } from "@holdfast/protocol";
import { z } from "zod";
import { OWN_FILE_MODE } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Ports } from "./session.ts";
import { checkFiles, nextKeyPath, passGate, type TlsFiles } from "./tls-files.ts";

/** Answer of `POST /v1/certificates/renew`: PEM of the leaf, then the intermediate. */
const renewAnswer = z.strictObject({ certificate: z.string().max(32_768) });

/** Whether two thirds of the certificate's life are over. */
export function isRenewalDue({ notBeforeMs, notAfterMs }: Pick<TlsFiles, "notBeforeMs" | "notAfterMs">, nowMs: number): boolean {
  return nowMs >= notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;
}

/** The new files, in place and past the gate. A certificate that does not pass it changes nothing. */
export async function renewCertificate(ports: Ports, paths: StatePaths, session: SignedSession, old: TlsFiles): Promise<TlsFiles> {
  const { disk } = ports;
  const { privateKeyPem } = await createKeyPair();
  disk.writeFile(nextKeyPath(paths), utf8(privateKeyPem), OWN_FILE_MODE);
  const body = [encodeMessage({ csr: await createCsr(privateKeyPem) })];
  const { certificate } = parseMessage(renewAnswer, (await session.send({ method: "POST", target: "/v1/certificates/renew", body })).body, "renewal answer");
  await checkFiles(ports, { keyPem: privateKeyPem, chainPem: certificate, rootPem: old.rootPem });
  disk.writeFile(paths.tlsCertificate, utf8(certificate), OWN_FILE_MODE);
  disk.rename(nextKeyPath(paths), paths.tlsKey);
  return passGate(ports, paths);
}
