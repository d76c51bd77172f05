/** The TLS files of the state folder, and the certificate gate over them: nothing is dialled before it passes. */
import { type Disk, isFault, utf8ToText } from "@holdfast/base";
import { checkCertificate, encodePem, gateFault, parseCertificatePem, parsePem } from "@holdfast/pki";
import { readOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Ports } from "./session.ts";

export interface TlsFiles {
  readonly keyPem: string;
  /** Leaf, then intermediate: what TLS presents. */
  readonly chainPem: string;
  readonly rootPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Texts as they lie on disk; `null` where there is none. */
type FoundFiles = { readonly [File in "keyPem" | "chainPem" | "rootPem"]: string | null };

const PEM_BYTES_MAX = 64 * 1024;
const CHAIN_COUNT_MAX = 8;

/** Where a renewal keeps its key until the certificate for it has come. */
export function nextKeyPath(paths: StatePaths): string {
  return `${paths.tlsKey}.next`;
}

/** The files, all rules of packages/pki passed. Else `certificate`, naming each rule and the command that mends it. */
export async function passGate(ports: Ports, paths: StatePaths): Promise<TlsFiles> {
  const { disk } = ports;
  const found = { keyPem: readText(disk, paths.tlsKey), chainPem: readText(disk, paths.tlsCertificate), rootPem: readText(disk, paths.tlsRoot) };
  try {
    return await checkFiles(ports, found);
  } catch (error) {
    const nextKeyPem = readText(disk, nextKeyPath(paths));
    if (!isFault(error, "certificate") || nextKeyPem === null) throw error;
    // A renewal that was cut short: the certificate may be for the key that was to follow.
    const renewed = await checkFiles(ports, { ...found, keyPem: nextKeyPem }).catch(() => null);
    if (renewed === null) throw error;
    disk.rename(nextKeyPath(paths), paths.tlsKey);
    return renewed;
  }
}

/** The gate over texts that need not be on disk yet. */
export async function checkFiles(ports: Ports, { keyPem, chainPem, rootPem }: FoundFiles): Promise<TlsFiles> {
  const leafPem = chainPem === null ? null : firstCertificate(chainPem);
  const findings = await checkCertificate({ certPem: leafPem ?? chainPem, chainPem, keyPem, rootPem, usage: "client", nowMs: ports.clock.nowMs() });
  if (findings.length > 0 || keyPem === null || chainPem === null || leafPem === null || rootPem === null) throw gateFault(findings);
  const { notBeforeMs, notAfterMs } = await parseCertificatePem(leafPem);
  return { keyPem, chainPem, rootPem, notBeforeMs, notAfterMs };
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

function readText(disk: Disk, path: string): string | null {
  const bytes = readOwnFile(disk, path, PEM_BYTES_MAX);
  return bytes === null ? null : utf8ToText(bytes);
}
