/** `holdfast enroll`: from an invite code to a device with a key, a certificate, and the node's root and key pinned. */
import { bytesToHex, Fault } from "@holdfast/base";
import { asSigningSeed, createSigner, deviceIdOf, generateSigningKey, type Signer, sha256 } from "@holdfast/crypto";
import { createCsr, createKeyPair, spkiHashOfCertificate } from "@holdfast/pki";
import { asAccountId, type EnrollAnswer, type Invite, LABEL_BYTES_MAX, parseInvite } from "@holdfast/protocol";
import { utf8, utf8ToText } from "@holdfast/base";
import { fingerprintWords } from "../cli/fingerprint.ts";
import type { Registry, Run } from "../cli/run.ts";
import { refuseUnverifiedTls } from "../session/connection.ts";
import { type Identity, readIdentity, writeIdentity } from "../state/identity.ts";
import { OWN_FILE_MODE, OWN_FOLDER_MODE, readOwnFile } from "../state/own-file.ts";

interface EnrollCommandOptions {
  readonly name?: string;
  readonly force?: true;
}

const SEED_BYTES = 32;
const KEY_PEM_BYTES_MAX = 16 * 1024;

export function registerEnroll({ program, action }: Registry): void {
  const command = program
    .command("enroll")
    .summary("enrol this device with an invite code")
    .description("Enrols this device at a storage node. The code pins the node's root certificate and key, so nothing is trusted on sight.")
    .argument("<code>", "invite code that the storage node printed (holdfast1:…); - reads it from $HOLDFAST_INVITE")
    .option("--name <label>", "what people call this device (default: host name)")
    .option("--force", "enrol afresh although this state folder is enrolled; the old state is moved aside")
    .addHelpText("after", "\nExamples:\n  holdfast enroll holdfast1:hGlsb2NhbGhvc3Q…\n  holdfast enroll --name web-1 holdfast1:hGlsb2NhbGhvc3Q…");
  action<EnrollCommandOptions>(command, async (run, options, [code]) => {
    await enrollDevice(run, options, code as string);
    return undefined;
  });
}

/** Enrols. Keys are durable before the code is spent, so that a lost answer can be asked for again with the same keys. */
export async function enrollDevice(run: Run, options: EnrollCommandOptions, code: string): Promise<void> {
  refuseUnverifiedTls(run.environment);
  const invite = parseInvite(code === "-" ? (run.environment["HOLDFAST_INVITE"] ?? "") : code);
  const label = options.name ?? run.hostName;
  if (label === "" || utf8(label).length > LABEL_BYTES_MAX) throw new Fault("input", `--name: want 1 to ${LABEL_BYTES_MAX} bytes`);
  using _lock = run.lock();
  const old = prepareFolder(run, options.force === true);
  const signer = deviceKey(run);
  const keyPem = await tlsKey(run);
  const answer = await run.operations.enroll({
    invite,
    clock: run.ports.clock,
    random: run.ports.random,
    device: deviceIdOf(signer.publicKey),
    deviceKey: signer.publicKey,
    sign: (base) => signer.sign("request", base),
    sha256: (bytes) => sha256(bytes),
    spkiSha256: spkiHashOfCertificate,
    csrPem: await createCsr(keyPem),
    label,
  });
  const identity = keepAnswer(run, invite, answer, signer, label);
  keepMark(run, old, identity);
  const device = bytesToHex(identity.device);
  const words = fingerprintWords(identity.device);
  const next = identity.vault === null && answer.vault === null ? "holdfast init" : "holdfast join";
  run.report("enrolled", { device, words, account: bytesToHex(identity.account), accountName: identity.accountName, edition: identity.edition, label, hasVault: answer.vault !== null }, [
    `Enrolled as "${label}" in account ${identity.accountName} at ${identity.host}:${identity.agentPort}.`,
    `Device ${device}`,
    `Fingerprint: ${words}`,
    "The operator sees the same words for this device; compare them over another channel.",
    `Next: ${next}`,
  ]);
}

/** Refuses an enrolled folder, or moves what is in it aside. The identity that was there, with where it is now. */
function prepareFolder(run: Run, force: boolean): { readonly identity: Identity; readonly folder: string } | null {
  const { disk, clock } = run.ports;
  const { paths } = run;
  const identity = force ? readOldIdentity(run) : readIdentity(disk, paths);
  if (identity !== null && !force) {
    throw new Fault("input", `state folder ${paths.root}: enrolled already, as "${identity.label}" at ${identity.host}; to enrol afresh use --force, another state folder with --state DIR`);
  }
  disk.makeFolder(paths.root, OWN_FOLDER_MODE);
  if (!force || disk.stat(paths.deviceKey) === null) return null;
  const folder = `${paths.root}/old-${Math.floor(clock.nowMs())}`;
  disk.makeFolder(folder, OWN_FOLDER_MODE);
  // The identity goes first: without it the rest is an enrolment that was cut short.
  const { identity: identityPath, deviceKey: deviceKeyPath, tlsKey: tlsKeyPath, tlsCertificate, tlsRoot, deviceSlot, deviceSlotKey, mark, cache } = paths;
  for (const path of [identityPath, deviceKeyPath, tlsKeyPath, tlsCertificate, tlsRoot, deviceSlot, deviceSlotKey, mark, cache]) {
    if (disk.stat(path) !== null) disk.rename(path, `${folder}/${path.slice(path.lastIndexOf("/") + 1)}`);
  }
  run.note(`The old state is now in ${folder}.`);
  return identity === null ? null : { identity, folder };
}

/** With --force even an identity that cannot be read gives way. */
function readOldIdentity(run: Run): Identity | null {
  try {
    return readIdentity(run.ports.disk, run.paths);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

/** The device key of an enrolment that was cut short, or a fresh one, durable. */
function deviceKey(run: Run): Signer {
  const { disk, random } = run.ports;
  const present = readOwnFile(disk, run.paths.deviceKey, SEED_BYTES);
  const seed = present?.length === SEED_BYTES ? asSigningSeed(present) : generateSigningKey(random).seed;
  if (present === null) disk.writeFile(run.paths.deviceKey, seed, OWN_FILE_MODE);
  return createSigner(seed);
}

async function tlsKey(run: Run): Promise<string> {
  const { disk } = run.ports;
  const present = readOwnFile(disk, run.paths.tlsKey, KEY_PEM_BYTES_MAX);
  if (present !== null) return utf8ToText(present) ?? "";
  const { privateKeyPem } = await createKeyPair();
  disk.writeFile(run.paths.tlsKey, utf8(privateKeyPem), OWN_FILE_MODE);
  return privateKeyPem;
}

/** Certificate and root first; the identity, which says that this device is enrolled, last. */
function keepAnswer(run: Run, invite: Invite, answer: EnrollAnswer, signer: Signer, label: string): Identity {
  const { disk, clock } = run.ports;
  disk.writeFile(run.paths.tlsRoot, utf8(answer.root), OWN_FILE_MODE);
  disk.writeFile(run.paths.tlsCertificate, utf8(answer.certificate), OWN_FILE_MODE);
  const identity: Identity = {
    host: invite.host,
    agentPort: invite.agentPort,
    frontPort: invite.frontPort,
    device: deviceIdOf(signer.publicKey),
    account: asAccountId(answer.account),
    accountName: answer.accountName,
    edition: answer.edition,
    label,
    nodeKey: invite.nodeKey,
    rootSpkiSha256: invite.rootSpkiSha256,
    vault: null,
    enrolledAtMs: Math.floor(clock.nowMs()),
  };
  writeIdentity(disk, run.paths, identity);
  return identity;
}

/** What was seen of a vault's journal stays seen when the same vault at the same node is enrolled for again. */
function keepMark(run: Run, old: ReturnType<typeof prepareFolder>, identity: Identity): void {
  if (old === null || bytesToHex(old.identity.nodeKey) !== bytesToHex(identity.nodeKey) || bytesToHex(old.identity.account) !== bytesToHex(identity.account)) return;
  const bytes = run.ports.disk.readFile(`${old.folder}/mark.json`, KEY_PEM_BYTES_MAX);
  if (bytes !== null) run.ports.disk.writeFile(run.paths.mark, bytes, OWN_FILE_MODE);
}
