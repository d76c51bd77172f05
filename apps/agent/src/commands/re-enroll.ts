/** `holdfast enroll` for a device that is enrolled already but whose certificate no longer holds: key, vault and slots stay, the certificate is new. */
import { bytesToHex, equalBytes, Fault, isFault, utf8 } from "@holdfast/base";
import { dialRuntime, dialTls } from "@holdfast/client";
import { sha256 } from "@holdfast/crypto";
import { createCsr, createKeyPair, fingerprintWords, spkiHashOfCertificate } from "@holdfast/pki";
import type { Invite } from "@holdfast/protocol";
import type { Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { formatTime } from "../cli/sizes.ts";
import { readDeviceSigner } from "../session/device-keys.ts";
import { placeCertificate } from "../session/reissue-certificate.ts";
import { refuseUnverifiedTls } from "../session/tls-environment.ts";
import { checkFiles, nextKeyPath, passGate, type TlsFiles } from "../session/tls-files.ts";
import { type Identity, readIdentity, requireIdentity, writeIdentity } from "../state/identity.ts";
import { OWN_FILE_MODE } from "../state/own-file.ts";

/** Whether this folder is enrolled, has its device key, and does not pass the certificate gate. */
export async function isCertificateLost(run: Run): Promise<boolean> {
  const { ports, paths } = run;
  try {
    const identity = readIdentity(ports.disk, paths);
    if (identity === null) return false;
    readDeviceSigner(ports.disk, paths, identity);
  } catch (error) {
    if (isFault(error)) return false; // What --force is for, which readOldIdentity then says.
    throw error;
  }
  try {
    await passGate(ports, paths, { mayMend: true });
    return false;
  } catch (error) {
    if (isFault(error, "certificate")) return true;
    throw error;
  }
}

/** Without an invite: the device key vouches. */
export async function recertifyByKey(run: Run): Promise<void> {
  refuseUnverifiedTls(run.environment);
  using _lock = run.lock();
  const { ports, paths } = run;
  const identity = requireIdentity(ports.disk, paths);
  const signer = readDeviceSigner(ports.disk, paths, identity);
  if (!(await isCertificateLost(run))) throw new Fault("input", "enroll: this device is enrolled and its certificate holds; give a CODE to enrol afresh");
  const files = await run.operations.reissue({ ports, paths, identity, signer, tls: dialTls(run.tlsProfile(), dialRuntime()) });
  say(run, identity, files);
}

/** With an invite of the same storage node; the device key proves who redeems it. Called under the lock. */
export async function recertifyByInvite(run: Run, invite: Invite, label: string): Promise<void> {
  const { ports, paths } = run;
  const identity = requireIdentity(ports.disk, paths);
  if (!equalBytes(invite.nodeKey, identity.nodeKey))
    throw new Fault(
      "input",
      `enroll: the code is of another storage node than ${identity.host}, at which this state folder is enrolled; use --force or --state DIR`,
    );
  const signer = readDeviceSigner(ports.disk, paths, identity);
  const { privateKeyPem } = await createKeyPair();
  ports.disk.writeFile(nextKeyPath(paths), utf8(privateKeyPem), OWN_FILE_MODE);
  const answer = await run.operations.enroll({
    invite,
    clock: ports.clock,
    random: ports.random,
    device: identity.device,
    deviceKey: signer.publicKey,
    sign: (base) => signer.sign("request", base),
    sha256: (bytes) => sha256(bytes),
    spkiSha256: spkiHashOfCertificate,
    csrPem: await createCsr(privateKeyPem),
    label,
    tls: dialTls(run.tlsProfile(), dialRuntime()),
  });
  if (!equalBytes(answer.account, identity.account)) throw new Fault("denied", "enroll: the code is for another account; use --force or --state DIR");
  const { host, agentPort, frontPort, rootSpkiSha256 } = invite;
  const found = { keyPem: privateKeyPem, chainPem: answer.certificate, rootPem: answer.root };
  await checkFiles(ports, found);
  // Before the files: cut short in between, the old ones do not pass the gate, and the same code is good again for this device.
  const moved: Identity = { ...identity, host, agentPort, frontPort, rootSpkiSha256 };
  writeIdentity(ports.disk, paths, moved);
  const files = await placeCertificate(ports, paths, found);
  say(run, moved, files);
}

function say(run: Run, identity: Identity, { notAfterMs }: TlsFiles): void {
  const device = bytesToHex(identity.device);
  const [words, rootWords] = [fingerprintWords(identity.device), fingerprintWords(identity.rootSpkiSha256)];
  run.report("re-enrolled", { device, words, rootWords, label: identity.label, certificateEndsMs: notAfterMs }, [
    `"${safeText(identity.label)}" has a new certificate, good until ${formatTime(notAfterMs)}.`,
    `Fingerprint of this device: ${words}`,
    `Fingerprint of the storage node's root: ${rootWords}`,
  ]);
}
