/**
 * The TLS files of the state folder, and the certificate gate over them: nothing is dialled before it passes.
 *
 * A renewal leaves up to three pairs of certificate and key: the one in place, a key that is to follow (`.next`), and the pair before
 * (`.old`), which stays until the new one has been used once. The gate takes the first pair that passes, under the
 * root in place or else under the one that is to follow it (next-root.ts).
 */
import { type Bytes, type Disk, equalBytes, Fault, isFault, utf8, utf8ToText } from "@holdfast/base";
import { checkCertificate, encodeChain, encodePem, type GateFinding, gateFault, parseCertificatePem, parsePem, spkiHashOfCertificate } from "@holdfast/pki";
import { OWN_FILE_MODE, readOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { readNextRoot } from "./next-root.ts";
import type { Ports } from "./session.ts";

export interface TlsFiles {
  readonly keyPem: string;
  /** Leaf, then intermediate: what TLS presents. */
  readonly chainPem: string;
  readonly rootPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** There while `rootPem` is the root that is to follow, and not in place yet. */
  readonly rootChange?: RootChange;
}

/** From the root in place to the one that it vouched for. */
export interface RootChange {
  readonly oldRootPem: string;
  /** SHA-256 of the SPKI of the one that is to follow. */
  readonly spkiSha256: Bytes;
}

/** Texts as they lie on disk; `null` where there is none. */
export type FoundFiles = { readonly [File in "keyPem" | "chainPem" | "rootPem"]: string | null };

export interface GateOptions {
  /** Whether a renewal that was cut short is ended or taken back on disk: only under the lock of the state folder. */
  readonly mayMend: boolean;
}

const PEM_BYTES_MAX = 64 * 1024;
const CHAIN_COUNT_MAX = 8;

/** Where a renewal keeps its key until the certificate for it has come. */
export function nextKeyPath(paths: StatePaths): string {
  return `${paths.tlsKey}.next`;
}

/** Where the pair before the last renewal stays until the new one has been used once. */
export function oldPairPaths(paths: StatePaths): { readonly key: string; readonly certificate: string } {
  return { key: `${paths.tlsKey}.old`, certificate: `${paths.tlsCertificate}.old` };
}

/** The files, all rules of packages/pki passed. Else `certificate`, naming each rule and the command that mends it. */
export async function passGate(ports: Ports, paths: StatePaths, { mayMend }: GateOptions): Promise<TlsFiles> {
  const { disk } = ports;
  const found = readTlsFiles(disk, paths);
  try {
    return await checkUnderEither(ports, paths, found);
  } catch (error) {
    if (!isFault(error, "certificate")) throw error;
    const other = (await finishedRenewal(ports, paths, found, mayMend)) ?? (await takenBackRenewal(ports, paths, found, mayMend));
    if (other === null) throw error;
    return other;
  }
}

/** What lies in place. A file that others can read: `denied`. */
export function readTlsFiles(disk: Disk, paths: StatePaths): FoundFiles {
  return { keyPem: readText(disk, paths.tlsKey), chainPem: readText(disk, paths.tlsCertificate), rootPem: readText(disk, paths.tlsRoot) };
}

/** Every rule that `found` breaks; none is a pass. */
export async function gateFindings(ports: Ports, { keyPem, chainPem, rootPem }: FoundFiles, crlPem?: string): Promise<GateFinding[]> {
  const certPem = chainPem === null ? null : (firstCertificate(chainPem) ?? chainPem);
  return checkCertificate({ certPem, chainPem, keyPem, rootPem, crlPem, usage: "client", nowMs: ports.clock.nowMs() });
}

/** The gate over texts that need not be on disk yet. */
export async function checkFiles(ports: Ports, found: FoundFiles): Promise<TlsFiles> {
  const findings = await gateFindings(ports, found);
  const { keyPem, chainPem, rootPem } = found;
  const leafPem = chainPem === null ? null : firstCertificate(chainPem);
  if (findings.length > 0 || keyPem === null || chainPem === null || leafPem === null || rootPem === null) throw gateFault(findings);
  const { notBeforeMs, notAfterMs } = await parseCertificatePem(leafPem);
  return { keyPem, chainPem, rootPem, notBeforeMs, notAfterMs };
}

/** The gate over `found`, under its root or else under the one that is to follow that. */
export async function checkUnderEither(ports: Ports, paths: StatePaths, found: FoundFiles): Promise<TlsFiles> {
  try {
    return await checkFiles(ports, found);
  } catch (error) {
    const followed = isFault(error, "certificate") ? await followNextRoot(ports, paths, found) : null;
    if (followed === null) throw error;
    return followed;
  }
}

/** `found` under the root that is to follow its own, if one is kept: the chain as it is, or the leaf with the intermediate that came with that root. */
export async function followNextRoot(ports: Ports, paths: StatePaths, found: FoundFiles): Promise<TlsFiles | null> {
  const { keyPem, chainPem: present, rootPem: oldRootPem } = found;
  const leafPem = present === null ? null : firstCertificate(present);
  const next = oldRootPem === null ? null : await readNextRoot(ports.disk, paths, oldRootPem);
  if (present === null || leafPem === null || oldRootPem === null || next === null) return null;
  const spkiSha256 = await spkiHashOfCertificate(next.root);
  for (const chainPem of [present, encodeChain(leafPem, next.intermediate)]) {
    const files = await orNull(checkFiles(ports, { keyPem, chainPem, rootPem: next.root }));
    if (files !== null) return { ...files, rootChange: { oldRootPem, spkiSha256 } };
  }
  return null;
}

/** The same files under the root in place; those that are so already stay as they are. */
export function underRootInPlace({ rootChange, ...files }: TlsFiles): TlsFiles {
  return rootChange === undefined ? files : { ...files, rootPem: rootChange.oldRootPem };
}

/** Throws `certificate` unless the root in place is the pinned one, or the pin is of the one that it vouched for: a change that was cut short. */
export async function requirePinned({ rootPem, rootChange }: TlsFiles, paths: StatePaths, pin: Uint8Array): Promise<void> {
  const hash = await spkiHashOfCertificate(rootChange?.oldRootPem ?? rootPem);
  if (equalBytes(hash, pin) || (rootChange !== undefined && equalBytes(rootChange.spkiSha256, pin))) return;
  throw new Fault("certificate", `${paths.tlsRoot}: is not the root that the invite pinned; enrol again with a new invite (holdfast enroll CODE --force)`);
}

/** Whether a renewal's predecessor is still kept. */
export function hasOldPair(disk: Disk, paths: StatePaths): boolean {
  const old = oldPairPaths(paths);
  return disk.stat(old.certificate) !== null && disk.stat(old.key) !== null;
}

/** Keeps the pair in place beside itself: the key first, so that a certificate that is kept always has its key. */
export function keepOldPair(disk: Disk, paths: StatePaths, { keyPem, chainPem }: TlsFiles): void {
  const old = oldPairPaths(paths);
  disk.writeFile(old.key, utf8(keyPem), OWN_FILE_MODE);
  disk.writeFile(old.certificate, utf8(chainPem), OWN_FILE_MODE);
}

/** The new pair has been used: the one before may go. */
export function dropOldPair(disk: Disk, paths: StatePaths): void {
  const old = oldPairPaths(paths);
  disk.remove(old.certificate);
  disk.remove(old.key);
}

/** The pair before the last renewal, with `mayMend` in place again; `null` when there is none that passes the gate. */
export async function takeBackRenewal(ports: Ports, paths: StatePaths, { mayMend }: GateOptions): Promise<TlsFiles | null> {
  return takenBackRenewal(ports, paths, readTlsFiles(ports.disk, paths), mayMend);
}

/** A renewal that was cut short: the certificate may be for the key that was to follow. */
async function finishedRenewal(ports: Ports, paths: StatePaths, found: FoundFiles, mayMend: boolean): Promise<TlsFiles | null> {
  const keyPem = readText(ports.disk, nextKeyPath(paths));
  if (keyPem === null) return null;
  const renewed = await orNull(checkUnderEither(ports, paths, { ...found, keyPem }));
  if (renewed !== null && mayMend) ports.disk.rename(nextKeyPath(paths), paths.tlsKey);
  return renewed;
}

async function takenBackRenewal(ports: Ports, paths: StatePaths, found: FoundFiles, mayMend: boolean): Promise<TlsFiles | null> {
  const { disk } = ports;
  const old = oldPairPaths(paths);
  const [keyPem, chainPem] = [readText(disk, old.key), readText(disk, old.certificate)];
  if (keyPem === null || chainPem === null) return null;
  const kept = await orNull(checkUnderEither(ports, paths, { ...found, keyPem, chainPem }));
  if (kept === null || !mayMend) return kept;
  disk.writeFile(paths.tlsCertificate, utf8(chainPem), OWN_FILE_MODE);
  disk.writeFile(paths.tlsKey, utf8(keyPem), OWN_FILE_MODE);
  dropOldPair(disk, paths);
  return kept;
}

async function orNull(check: Promise<TlsFiles>): Promise<TlsFiles | null> {
  try {
    return await check;
  } catch (error) {
    if (isFault(error, "certificate")) return null;
    throw error;
  }
}

/** `null` when it does not parse: the gate then says what is wrong with the whole. */
function firstCertificate(chainPem: string): string | null {
  try {
    const [first] = parsePem("CERTIFICATE", chainPem, { textBytesMax: PEM_BYTES_MAX, blockCountMax: CHAIN_COUNT_MAX });
    return first === undefined ? null : encodePem("CERTIFICATE", first);
  } catch {
    return null;
  }
}

/** Bytes that are no UTF-8 are no PEM either: the gate says so. */
function readText(disk: Disk, path: string): string | null {
  const bytes = readOwnFile(disk, path, PEM_BYTES_MAX);
  return bytes === null ? null : (utf8ToText(bytes) ?? "bytes that are no text");
}
