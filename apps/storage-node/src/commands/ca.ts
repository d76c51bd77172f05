/**
 * `holdfast-node ca …`: another root, with an overlap, on a node that is stopped.
 *
 * `rotate` makes the new root beside the old one, signed for by it, and certifies the present intermediates under it: their keys stay,
 * so every certificate below hangs from both roots. Nothing that the ports present changes. While the overlap lasts, each renewal tells
 * its agent of the new root. `rotate --finish` then puts the new files in the place of the old.
 *
 *   pki/next-root.pem, next-root-cross.pem, next-root-key.locked.pem, next-root.crl.pem    the new root, and the old one's word for it
 *   pki/next-intermediate.pem, next-previous-N.pem                                         the same keys as without `next-`, under the new root
 *   pki/next.json                                                                          since when, until when; there while the overlap lasts
 */
import { type Bytes, bytesToHex, equalBytes, Fault } from "@holdfast/base";
import { type Authority, createRoot, DAY_MS, encodeChain, lockPrivateKey, parseCertificatePem, recertify, spkiHashOfCertificate } from "@holdfast/pki";
import { z } from "zod";
import { DataFolder } from "../data-folder.ts";
import { ownFolder } from "../ownership.ts";
import { type PkiChange, replacePki } from "../pki-files.ts";
import { NEXT_ROOT_STATE, toldRootSetting } from "../root-announcement.ts";
import type { Store } from "../store/store.ts";
import { type CertificateOptions, newRootList, ownCertificates, previousNames } from "./certificate.ts";
import { deviceWords, listOthersDevices, noteAuthority, rootNames, withStore } from "./node-store.ts";
import { keepRootKeyAt, openRoot, ROOT_KEY, requireFree } from "./root-key.ts";

export interface RotateOptions extends CertificateOptions {
  /** Opens the key of the present root. */
  readonly passphrase: string;
  /** Locks the key of the new one. */
  readonly newPassphrase: string;
  readonly overlapMs: number;
  /** Where the new root's locked key goes, off the data folder. */
  readonly rootKeyOutPath?: string | undefined;
}

export interface RotateResult {
  readonly rootSpkiSha256: string;
  readonly rootWords: string;
  readonly overlapEnds: string;
}

export interface FinishOptions extends CertificateOptions {
  /** Does not wait for the end of the overlap. */
  readonly now: boolean;
  /** Only tells. */
  readonly dryRun: boolean;
}

export interface FinishResult {
  readonly rootSpkiSha256: string;
  readonly rootWords: string;
  readonly finished: boolean;
  /** Devices, not revoked, that have not been told of the new root: they must enrol again. */
  readonly leftBehind: readonly { readonly device: string; readonly words: string; readonly account: string; readonly label: string }[];
}

export const OVERLAP_MS_DEFAULT: number = 60 * DAY_MS;
/** For agents that come a little late; the cross certificate only ever vouches, it is in no chain that TLS presents. */
const CROSS_GRACE_MS = 30 * DAY_MS;
const ROOT_NAME = "Holdfast root";
const BLOCK_END = "-----END CERTIFICATE-----\n";

const nextState = z.strictObject({ startedAtMs: z.int(), overlapEndsAtMs: z.int() });

/** Makes the new root. A change that is under way already, or an intermediate that ends within the overlap: `conflict`. */
export async function rotateRoot(options: RotateOptions): Promise<RotateResult> {
  const { disk, clock, random, data } = options;
  using _stopped = await ownFolder(data); // The store is written to as well.
  using _owned = await ownCertificates(options);
  const folder = new DataFolder(disk, data);
  const nowMs = Math.floor(clock.nowMs());
  const overlapEndsAtMs = nowMs + options.overlapMs;
  await requireRotatable(folder, overlapEndsAtMs);
  if (options.rootKeyOutPath !== undefined) requireFree(disk, options.rootKeyOutPath);
  const old = await openRoot(options, options.passphrase);
  const root = await createRoot(options, await nextName(old));
  const lockedPem = await lockPrivateKey(random, root.privateKeyPem, options.newPassphrase);
  const change: Record<string, string> = {
    "pki/next-root.pem": root.certificatePem,
    "pki/next-root-cross.pem": await recertify(options, old, root.certificatePem, options.overlapMs + CROSS_GRACE_MS),
    "pki/next-root.crl.pem": await newRootList(options, root),
    [`pki/${NEXT_ROOT_STATE}`]: JSON.stringify({ startedAtMs: nowMs, overlapEndsAtMs }),
    ...(await recertifyAll(options, folder, root)),
  };
  // The key first: without it the new root is of no use.
  if (options.rootKeyOutPath === undefined) change["pki/next-root-key.locked.pem"] = lockedPem;
  else keepRootKeyAt(disk, options.rootKeyOutPath, lockedPem);
  replacePki(disk, data, change);
  const spkiSha256 = await spkiHashOfCertificate(root.certificatePem);
  await withStore(folder, (store) => noteAuthority(store, nowMs, `new root ${bytesToHex(spkiSha256)}, overlap until ${isoTime(overlapEndsAtMs)}`));
  return { ...rootNames(spkiSha256), overlapEnds: isoTime(overlapEndsAtMs) };
}

/** Drops the old root. No change under way: `missing`; the overlap not over, and not told to go on: `conflict`. */
export async function finishRotation(options: FinishOptions): Promise<FinishResult> {
  const { disk, clock, data } = options;
  using _stopped = await ownFolder(data); // The store is written to as well.
  using _owned = await ownCertificates(options);
  const folder = new DataFolder(disk, data);
  const nowMs = Math.floor(clock.nowMs());
  const { overlapEndsAtMs } = readState(folder);
  if (nowMs < overlapEndsAtMs && !options.now && !options.dryRun) {
    throw new Fault(
      "conflict",
      `root: the overlap lasts until ${isoTime(overlapEndsAtMs)}; devices that have not renewed by then are left behind; --now ends it`,
    );
  }
  const spkiSha256 = await spkiHashOfCertificate(folder.readText("pki/next-root.pem"));
  const leftBehind = await withStore(folder, (store) => devicesLeftBehind(store, spkiSha256));
  if (!options.dryRun) {
    replacePki(disk, data, finishedFiles(folder));
    await withStore(folder, (store) => noteAuthority(store, nowMs, `root ${bytesToHex(spkiSha256)} in place, devices left behind ${leftBehind.length}`));
  }
  return { ...rootNames(spkiSha256), finished: !options.dryRun, leftBehind };
}

async function requireRotatable(folder: DataFolder, overlapEndsAtMs: number): Promise<void> {
  if (folder.list("pki").includes(NEXT_ROOT_STATE)) {
    throw new Fault(
      "conflict",
      `root: is being replaced already, until ${isoTime(readState(folder).overlapEndsAtMs)}; holdfast-node ca rotate --finish ends it`,
    );
  }
  const { notAfterMs } = await parseCertificatePem(folder.readText("pki/intermediate.pem"));
  if (notAfterMs <= overlapEndsAtMs) {
    throw new Fault("conflict", `root: the intermediate ends within the overlap, at ${isoTime(notAfterMs)}; run holdfast-node certificate intermediate first`);
  }
}

/** Two roots must not have one name: certificates and lists name their issuer. */
async function nextName(old: Authority): Promise<string> {
  const { subject } = await parseCertificatePem(old.certificatePem);
  const generation = /^CN=Holdfast root(?: (\d{1,6}))?$/.exec(subject);
  return `${ROOT_NAME} ${Number(generation?.[1] ?? 1) + 1}`;
}

/** What hangs from the old root, from the new one too. The intermediates of before that have ended are left out. */
async function recertifyAll(options: RotateOptions, folder: DataFolder, root: Authority): Promise<Record<string, string>> {
  const change: Record<string, string> = {};
  for (const name of ["intermediate.pem", ...previousNames(folder)]) {
    const pem = folder.readText(`pki/${name}`);
    const leftMs = (await parseCertificatePem(pem)).notAfterMs - options.clock.nowMs();
    // No longer than it had: what is certified again is not renewed by it.
    if (leftMs > 0) change[`pki/next-${name}`] = await recertify(options, root, pem, leftMs);
  }
  return change;
}

function finishedFiles(folder: DataFolder): PkiChange {
  const change: Record<string, string | null> = {};
  // Keys of the intermediates stay. A root key that is kept elsewhere has no file here: the old root's must go all the same.
  change[ROOT_KEY] = null;
  for (const name of previousNames(folder)) change[`pki/${name}`] = null;
  for (const name of folder.list("pki").filter((each) => each.startsWith("next-"))) {
    change[`pki/${name}`] = null;
    if (name !== "next-root-cross.pem") change[`pki/${name.slice("next-".length)}`] = folder.readText(`pki/${name}`);
  }
  change[`pki/${NEXT_ROOT_STATE}`] = null;
  change["admin/certificate.pem"] = encodeChain(firstBlock(folder.readText("admin/certificate.pem")), folder.readText("pki/next-intermediate.pem"));
  return change;
}

function firstBlock(pem: string): string {
  return pem.slice(0, pem.indexOf(BLOCK_END) + BLOCK_END.length);
}

async function devicesLeftBehind(store: Store, spkiSha256: Bytes): Promise<FinishResult["leftBehind"]> {
  const leftBehind: FinishResult["leftBehind"][number][] = [];
  for (const { device, account, label } of await listOthersDevices(store)) {
    const told = await store.reader.call("setting", [toldRootSetting(device)]);
    if (told === null || !equalBytes(told, spkiSha256)) leftBehind.push({ device, words: deviceWords(device), account, label });
  }
  return leftBehind;
}

function readState(folder: DataFolder): z.infer<typeof nextState> {
  if (!folder.list("pki").includes(NEXT_ROOT_STATE)) throw new Fault("missing", "root: is not being replaced; begin with holdfast-node ca rotate");
  const parsed = nextState.safeParse(JSON.parse(folder.readText(`pki/${NEXT_ROOT_STATE}`)));
  if (!parsed.success) throw new Fault("format", `${NEXT_ROOT_STATE}: want startedAtMs and overlapEndsAtMs`);
  return parsed.data;
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
