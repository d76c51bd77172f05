/**
 * A client certificate for a device that is enrolled but has none that holds: it slept past the end, or its files were damaged. The
 * device key signs the request, on the front port, since the agent port opens to a valid certificate only (docs/protocol.md,
 * `POST /v1/certificates/reissue`).
 */
import { equalBytes, Fault, isFault, utf8, utf8ToText } from "@holdfast/base";
import { createHttpsNet, createSignedSession, type DialTls, fetchPinnedRoot } from "@holdfast/client";
import { type Signer, sha256 } from "@holdfast/crypto";
import { createCsr, createKeyPair, spkiHashOfCertificate } from "@holdfast/pki";
import { encodeMessage, parseMessage, renewAnswer } from "@holdfast/protocol";
import type { Identity } from "../state/identity.ts";
import { OWN_FILE_MODE, readOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { explainRevocation } from "./revocation.ts";
import type { Ports } from "./session.ts";
import { checkFiles, nextKeyPath, type TlsFiles } from "./tls-files.ts";

export interface ReissueOptions {
  readonly ports: Ports;
  readonly paths: StatePaths;
  readonly identity: Identity;
  readonly signer: Signer;
  readonly tls: DialTls;
}

const ROOT_BYTES_MAX = 64 * 1024;

/** Fresh files from the storage node, in place and past the gate. A node that does not offer this: `missing`, saying what to do. */
export async function reissueCertificate(options: ReissueOptions): Promise<TlsFiles> {
  const rootPem = await pinnedRoot(options);
  const { ports, paths } = options;
  const { privateKeyPem } = await createKeyPair();
  ports.disk.writeFile(nextKeyPath(paths), utf8(privateKeyPem), OWN_FILE_MODE);
  const chainPem = await requestCertificate(options, rootPem, await createCsr(privateKeyPem));
  return placeCertificate(ports, paths, { keyPem: privateKeyPem, chainPem, rootPem });
}

/** Puts files in place whose key lies where `nextKeyPath` says; they must pass the gate. Cut short, `passGate` goes on. */
export async function placeCertificate(ports: Ports, paths: StatePaths, files: Pick<TlsFiles, "keyPem" | "chainPem" | "rootPem">): Promise<TlsFiles> {
  const checked = await checkFiles(ports, files);
  ports.disk.writeFile(paths.tlsRoot, utf8(files.rootPem), OWN_FILE_MODE);
  ports.disk.writeFile(paths.tlsCertificate, utf8(files.chainPem), OWN_FILE_MODE);
  ports.disk.rename(nextKeyPath(paths), paths.tlsKey);
  return checked;
}

async function requestCertificate({ ports, identity, signer, tls }: ReissueOptions, rootPem: string, csr: string): Promise<string> {
  const { host, frontPort: port, device } = identity;
  await using net = createHttpsNet({ host, port, rootPem, tls });
  const { clock, random } = ports;
  const sign = (base: Uint8Array): Uint8Array => signer.sign("request", base);
  const session = createSignedSession({ net, clock, random, host, port, device, sign, sha256: (bytes) => sha256(bytes) });
  const body = [encodeMessage({ csr, deviceKey: signer.publicKey })];
  try {
    const answer = await session.send({ method: "POST", target: "/v1/certificates/reissue", body });
    return parseMessage(renewAnswer, answer.body, "reissue answer").certificate;
  } catch (error) {
    throw explain(error, identity);
  }
}

function explain(error: unknown, identity: Identity): unknown {
  const told = explainRevocation(error, identity);
  if (told !== error || !isFault(error)) return told;
  const mend = "get a new invite from the operator and run: holdfast enroll CODE; device key, vault and keys stay as they are";
  if (error.code === "missing") return new Fault("missing", `storage node: issues no certificates without an invite; ${mend}`, { cause: error });
  if (error.code === "denied") return new Fault("denied", `${error.message}; ${mend}`, { cause: error, detail: error.detail });
  return error;
}

/** The root in the state folder if it is the pinned one, else the one that the storage node shows and the pin proves. */
async function pinnedRoot({ ports, paths, identity, tls }: ReissueOptions): Promise<string> {
  const bytes = readOwnFile(ports.disk, paths.tlsRoot, ROOT_BYTES_MAX);
  const rootPem = bytes === null ? null : utf8ToText(bytes);
  if (rootPem !== null && (await isPinned(rootPem, identity))) return rootPem;
  return fetchPinnedRoot({ invite: identity, spkiSha256: spkiHashOfCertificate, tls });
}

async function isPinned(rootPem: string, { rootSpkiSha256 }: Identity): Promise<boolean> {
  try {
    return equalBytes(await spkiHashOfCertificate(rootPem), rootSpkiSha256);
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}
