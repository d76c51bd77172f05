/**
 * A connection with both bonds to the storage node of this state folder. Before it dials, the certificate gate must pass.
 */
import { equalBytes, Fault, isFault } from "@holdfast/base";
import { createHttpRecordStore, createHttpsNet, createSignedSession, type SignedSession } from "@holdfast/client";
import { type Signer, sha256 } from "@holdfast/crypto";
import { spkiHashOfCertificate } from "@holdfast/pki";
import { type AccountAnswer, accountAnswer, encodeMessage, parseMessage, type RecordStore, type VaultId } from "@holdfast/protocol";
import { type Identity, requireIdentity } from "../state/identity.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { readDeviceSigner } from "./device-keys.ts";
import { isRenewalDue, renewCertificate } from "./renew-certificate.ts";
import type { Ports } from "./session.ts";
import { passGate, type TlsFiles } from "./tls-files.ts";

export interface Connection extends AsyncDisposable {
  readonly identity: Identity;
  readonly signer: Signer;
  /** When the client certificate ends. */
  readonly certificateNotAfterMs: number;
  storeFor(vault: VaultId): RecordStore;
  accountInfo(): Promise<AccountAnswer>;
  /** Binds `vault` to the account. Again: no-op. The account has another: `conflict`. */
  createVault(vault: VaultId): Promise<void>;
}

export interface ConnectOptions {
  readonly ports: Ports;
  readonly paths: StatePaths;
  /** Variables of the environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told of retries, and of a renewal that failed. */
  readonly onNote?: (note: string) => void;
  /** Whether a certificate that is due is renewed: only under the lock of the state folder. */
  readonly mayRenew?: boolean;
}

/** A runtime that was told to accept any certificate would make the first bond worthless. */
export function refuseUnverifiedTls(environment: ConnectOptions["environment"]): void {
  if (environment["NODE_TLS_REJECT_UNAUTHORIZED"] === "0") {
    throw new Fault("certificate", "environment: NODE_TLS_REJECT_UNAUTHORIZED=0 switches the checking of certificates off; unset it and start again");
  }
}

/** Dials lazily: the first request opens a socket. A certificate that is due is renewed first. Not enrolled: `input`; the gate: `certificate`. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { ports, paths } = options;
  refuseUnverifiedTls(options.environment);
  const identity = requireIdentity(ports.disk, paths);
  const signer = readDeviceSigner(ports.disk, paths, identity);
  const files = await passGate(ports, paths);
  if (!equalBytes(await spkiHashOfCertificate(files.rootPem), identity.rootSpkiSha256)) {
    throw new Fault("certificate", `${paths.tlsRoot}: is not the root that the invite pinned; enrol again with a new invite (holdfast enroll CODE --force)`);
  }
  const current = options.mayRenew === true && isRenewalDue(files, ports.clock.nowMs()) ? await renewed(options, identity, signer, files) : files;
  return assemble(identity, signer, current, dial(options, identity, signer, current));
}

interface Dialled extends AsyncDisposable {
  readonly session: SignedSession;
}

function dial(options: ConnectOptions, identity: Identity, signer: Signer, files: TlsFiles): Dialled {
  const { clock, random } = options.ports;
  const { host, agentPort: port, device } = identity;
  const net = createHttpsNet({ host, port, rootPem: files.rootPem, identity: { certificatePem: files.chainPem, keyPem: files.keyPem }, minVersion: "TLSv1.3" });
  const onRetry = (fault: Error, delayMs: number): void => options.onNote?.(`${fault.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
  const session = createSignedSession({
    net,
    clock,
    random,
    host,
    port,
    device,
    sign: (base) => signer.sign("request", base),
    sha256: (bytes) => sha256(bytes),
    retry: { onRetry },
  });
  return { session, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
}

/** The renewed files. What stands in the way of a renewal, the network aside, is told and tried again at the next run: the old certificate still holds. */
async function renewed(options: ConnectOptions, identity: Identity, signer: Signer, files: TlsFiles): Promise<TlsFiles> {
  await using dialled = dial(options, identity, signer, files);
  try {
    return await renewCertificate(options.ports, options.paths, dialled.session, files);
  } catch (error) {
    if (!isFault(error) || error.code === "transport") throw error;
    options.onNote?.(`the certificate of this device could not be renewed: ${error.message}`);
    return files;
  }
}

function assemble(identity: Identity, signer: Signer, files: TlsFiles, { session, ...dialled }: Dialled): Connection {
  return {
    identity,
    signer,
    certificateNotAfterMs: files.notAfterMs,
    storeFor: (vault) => createHttpRecordStore(session, vault, (bytes) => sha256(bytes)),
    accountInfo: () => readAccount(session),
    async createVault(vault) {
      await session.send({ method: "POST", target: "/v1/vaults", body: [encodeMessage({ vault })] });
    },
    [Symbol.asyncDispose]: () => dialled[Symbol.asyncDispose](),
  };
}

async function readAccount(session: SignedSession): Promise<AccountAnswer> {
  const answer = await session.send({ method: "GET", target: "/v1/account" });
  return parseMessage(accountAnswer, answer.body, "account answer");
}
