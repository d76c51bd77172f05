/** `holdfast enroll`: from an invite code to a device with a key, a certificate, and the node's root and key pinned. */
import { bytesToHex, equalBytes, Fault, isFault, utf8, utf8ToText } from "@holdfast/base";
import { dialRuntime, dialTls } from "@holdfast/client";
import { asSigningSeed, createSigner, deviceIdOf, generateSigningKey, type Signer, sha256 } from "@holdfast/crypto";
import { createCsr, createKeyPair, fingerprintWords, spkiHashOfCertificate } from "@holdfast/pki";
import { asAccountId, type EnrollAnswer, type Invite, LABEL_BYTES_MAX, parseInvite } from "@holdfast/protocol";
import type { Registry, Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { refuseUnverifiedTls } from "../session/tls-environment.ts";
import { type Identity, readIdentity, writeIdentity } from "../state/identity.ts";
import { OWN_FILE_MODE, OWN_FOLDER_MODE, readOwnFile } from "../state/own-file.ts";
import { type StatePaths, statePaths } from "../state/state-paths.ts";
import { isCertificateLost, recertifyByInvite, recertifyByKey } from "./re-enroll.ts";

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
    .description(
      "Enrols this device at a storage node. The code pins the node's root certificate and key, so nothing is trusted on sight. A device whose certificate has ended or is damaged gets another one, without a code as long as the operator's grace lasts; its key, its vault and its keys stay.",
    )
    .argument("[code]", "invite code that the storage node printed (holdfast1:…); - reads it from $HOLDFAST_INVITE")
    .option("--name <label>", "what people call this device (default: host name)")
    .option("--force", "enrol afresh although this state folder is enrolled; the old state is moved aside")
    .addHelpText(
      "after",
      "\nExamples:\n  holdfast enroll holdfast1:hGlsb2NhbGhvc3Q…\n  holdfast enroll --name web-1 holdfast1:hGlsb2NhbGhvc3Q…\n  holdfast enroll",
    );
  action<EnrollCommandOptions>(command, async (run, options, [code]) => {
    if (code === undefined) await recertifyByKey(run);
    else await enrollDevice(run, options, code);
    return undefined;
  });
}

/**
 * Enrols. Everything is made in a folder beside the state: its keys are durable before the code is spent, so that a lost answer can be
 * asked for again with the same keys, and an old state stays as it is until the node has accepted the new one.
 */
export async function enrollDevice(run: Run, options: EnrollCommandOptions, code: string): Promise<void> {
  refuseUnverifiedTls(run.environment);
  const invite = parseInvite(code === "-" ? (run.environment["HOLDFAST_INVITE"] ?? "") : code);
  const label = options.name ?? run.hostName;
  if (label === "" || utf8(label).length > LABEL_BYTES_MAX) throw new Fault("input", `--name: want 1 to ${LABEL_BYTES_MAX} bytes`);
  using _lock = run.lock();
  if (options.force !== true && (await isCertificateLost(run))) return recertifyByInvite(run, invite, label);
  const old = readOldIdentity(run, options.force === true);
  const staging = statePaths(`${run.paths.root}/enrolling`);
  run.ports.disk.makeFolder(staging.root, OWN_FOLDER_MODE);
  const signer = deviceKey(run, staging);
  const keyPem = await tlsKey(run, staging);
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
    tls: dialTls(run.tlsProfile(), dialRuntime()),
  });
  const identity = identityOf(run, invite, answer, signer, label);
  keepAnswer(run, staging, answer, old, identity);
  const device = bytesToHex(identity.device);
  const words = fingerprintWords(identity.device);
  const rootWords = fingerprintWords(identity.rootSpkiSha256);
  run.report(
    "enrolled",
    {
      device,
      words,
      rootWords,
      account: bytesToHex(identity.account),
      accountName: identity.accountName,
      edition: identity.edition,
      label,
      hasVault: answer.vault !== null,
    },
    [
      `Enrolled as "${safeText(label)}" in account ${safeText(identity.accountName)} at ${identity.host}:${identity.agentPort}.`,
      `Device ${device}`,
      `Fingerprint of this device: ${words}`,
      `Fingerprint of the storage node's root: ${rootWords}`,
      "The operator sees the same words for both; compare them over another channel.",
      `Next: ${answer.vault === null ? "holdfast init" : "holdfast join"}`,
    ],
  );
}

/** The identity that is there. Without `force` there must be none; with it, one that cannot be read counts as none. */
function readOldIdentity(run: Run, force: boolean): Identity | null {
  const { paths } = run;
  let identity: Identity | null = null;
  try {
    identity = readIdentity(run.ports.disk, paths);
  } catch (error) {
    if (!isFault(error) || !force) throw error;
  }
  if (identity !== null && !force) {
    throw new Fault(
      "input",
      `state folder ${paths.root}: enrolled already, as "${identity.label}" at ${identity.host}; to enrol afresh use --force, for another vault --state DIR`,
    );
  }
  return identity;
}

/** The device key of an enrolment that was cut short, or a fresh one, durable. */
function deviceKey(run: Run, staging: StatePaths): Signer {
  const { disk, random } = run.ports;
  const present = readOwnFile(disk, staging.deviceKey, SEED_BYTES);
  const seed = present?.length === SEED_BYTES ? asSigningSeed(present) : generateSigningKey(random).seed;
  if (present === null) disk.writeFile(staging.deviceKey, seed, OWN_FILE_MODE);
  return createSigner(seed);
}

async function tlsKey(run: Run, staging: StatePaths): Promise<string> {
  const { disk } = run.ports;
  const present = readOwnFile(disk, staging.tlsKey, KEY_PEM_BYTES_MAX);
  if (present !== null) return utf8ToText(present) ?? "";
  const { privateKeyPem } = await createKeyPair();
  disk.writeFile(staging.tlsKey, utf8(privateKeyPem), OWN_FILE_MODE);
  return privateKeyPem;
}

function identityOf(run: Run, invite: Invite, answer: EnrollAnswer, signer: Signer, label: string): Identity {
  return {
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
    enrolledAtMs: Math.floor(run.ports.clock.nowMs()),
  };
}

/** Old state aside, new files in its place, and last the identity, which says that this device is enrolled. */
function keepAnswer(run: Run, staging: StatePaths, answer: EnrollAnswer, old: Identity | null, identity: Identity): void {
  const { disk } = run.ports;
  const { paths } = run;
  disk.writeFile(staging.tlsRoot, utf8(answer.root), OWN_FILE_MODE);
  disk.writeFile(staging.tlsCertificate, utf8(answer.certificate), OWN_FILE_MODE);
  const aside = moveAside(run);
  for (const file of ["deviceKey", "tlsKey", "tlsRoot", "tlsCertificate"] as const) disk.rename(staging[file], paths[file]);
  if (old !== null && aside !== null) keepMark(run, old, aside, identity);
  writeIdentity(disk, paths, identity);
  disk.remove(staging.root);
}

/** Moves what an earlier enrolment left into a folder of its own, the identity first. Its paths, or `null` when there was nothing. */
function moveAside(run: Run): StatePaths | null {
  const { disk, clock } = run.ports;
  const { paths } = run;
  const files = ["identity", "deviceKey", "tlsKey", "tlsCertificate", "tlsRoot", "deviceSlot", "deviceSlotKey", "mark", "cache"] as const;
  const present = files.filter((file) => disk.stat(paths[file]) !== null);
  if (present.length === 0) return null;
  const aside = statePaths(`${paths.root}/old-${Math.floor(clock.nowMs())}`);
  disk.makeFolder(aside.root, OWN_FOLDER_MODE);
  for (const file of present) disk.rename(paths[file], aside[file]);
  run.note(`The old state is now in ${aside.root}.`);
  return aside;
}

/** What was seen of a vault's journal stays seen when the same account at the same node is enrolled for again. */
function keepMark(run: Run, old: Identity, aside: StatePaths, identity: Identity): void {
  if (!equalBytes(old.nodeKey, identity.nodeKey) || !equalBytes(old.account, identity.account)) return;
  const { disk } = run.ports;
  const bytes = disk.readFile(aside.mark, KEY_PEM_BYTES_MAX);
  if (bytes !== null) disk.writeFile(run.paths.mark, bytes, OWN_FILE_MODE);
}
