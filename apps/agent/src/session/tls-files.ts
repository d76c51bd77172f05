/** The TLS files of the state folder, and the certificate gate over them: nothing is dialled before it passes. */
import { type Disk, utf8ToText } from "@holdfast/base";
import { checkCertificate, encodePem, gateFault, parseCertificatePem, parsePem } from "@holdfast/pki";
import { readOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Ports } from "./session.ts";

export interface TlsFiles {
  readonly keyPem: string;
  /** Leaf, then intermediate: what TLS presents. */
  readonly chainPem: string;
  readonly leafPem: string;
  readonly rootPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const PEM_BYTES_MAX = 64 * 1024;
const CHAIN_COUNT_MAX = 8;

/** The files, all rules of packages/pki passed. Else `certificate`, naming each rule and the command that mends it. */
export async function passGate(ports: Ports, paths: StatePaths): Promise<TlsFiles> {
  const { disk, clock } = ports;
  const keyPem = readText(disk, paths.tlsKey);
  const chainPem = readText(disk, paths.tlsCertificate);
  const rootPem = readText(disk, paths.tlsRoot);
  const leafPem = chainPem === null ? null : firstCertificate(chainPem);
  const findings = await checkCertificate({ certPem: leafPem ?? chainPem, chainPem, keyPem, rootPem, usage: "client", nowMs: clock.nowMs() });
  if (findings.length > 0 || keyPem === null || chainPem === null || leafPem === null || rootPem === null) throw gateFault(findings);
  const { notBeforeMs, notAfterMs } = await parseCertificatePem(leafPem);
  return { keyPem, chainPem, leafPem, rootPem, notBeforeMs, notAfterMs };
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
