/**
 * A connection with both bonds to the storage node of this state folder. Before it dials, the certificate gate must pass.
 */
import { Fault, isFault, type Net } from "@holdfast/base";
import { createHttpRecordStore, createHttpsNet, createSignedSession, type DialTls, dialRuntime, dialTls, type SignedSession } from "@holdfast/client";
import { type Signer, sha256 } from "@holdfast/crypto";
import type { TlsProfileName } from "@holdfast/pki";
import { type AccountAnswer, accountAnswer, encodeMessage, parseMessage, type RecordStore, type VaultId } from "@holdfast/protocol";
import { type Identity, requireIdentity } from "../state/identity.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { CertifiedNet } from "./certified-net.ts";
import { readDeviceSigner } from "./device-keys.ts";
import { placeNextRoot } from "./next-root.ts";
import { renewalDueMs, renewCertificate } from "./renew-certificate.ts";
import { explainRevocation, isOnRevocationList, isRefusalOfDevice, revokedFault } from "./revocation.ts";
import type { Ports } from "./session.ts";
import { refuseUnverifiedTls } from "./tls-environment.ts";
import { dropOldPair, followNextRoot, hasOldPair, passGate, requirePinned, type TlsFiles, takeBackRenewal, underRootInPlace } from "./tls-files.ts";

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
  readonly tlsProfile: TlsProfileName;
  /** Told of retries, and of a renewal that failed. */
  readonly onNote?: (note: string) => void;
  /** Whether a certificate that is due is renewed: only under the lock of the state folder. */
  readonly mayRenew?: boolean;
  /** Told of the protocol version, as in `TLSv1.3`, that each answer came over. */
  readonly onAnswer?: (version: string) => void;
  /** Tries of a request in all; left out, as many as a run needs that shall survive a restart of the storage node. */
  readonly triesMax?: number;
}

/** Dials lazily: the first request opens a socket, after a renewal that is due. Not enrolled: `input`; the gate: `certificate`. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { ports, paths } = options;
  refuseUnverifiedTls(options.environment);
  const tls = dialTls(options.tlsProfile, dialRuntime());
  const identity = requireIdentity(ports.disk, paths);
  const signer = readDeviceSigner(ports.disk, paths, identity);
  const context: Context = { options, identity, signer, tls };
  const net = certifiedNet(context, await gateOf(context));
  return assemble(context, net, sessionOver(context, net, options.triesMax));
}

/** What every part of one connection works with. */
interface Context {
  readonly options: ConnectOptions;
  /** The pin in it moves with the root. */
  identity: Identity;
  readonly signer: Signer;
  readonly tls: DialTls;
}

/** How often, at most, the revocation list is asked for after a hang-up. */
const LIST_INTERVAL_MS = 60_000;
/** The run goes on without a renewal: it is not waited for as long as for the run's own requests. */
const RENEWAL_TRIES_MAX = 2;

async function gateOf({ options: { ports, paths, mayRenew } }: Context): Promise<TlsFiles> {
  const files = await passGate(ports, paths, { mayMend: mayRenew === true });
  // Read anew: the run that has the lock may have moved root and pin on.
  await requirePinned(files, paths, requireIdentity(ports.disk, paths).rootSpkiSha256);
  return files;
}

function certifiedNet(context: Context, files: TlsFiles): CertifiedNet {
  const { options, identity, tls } = context;
  const { ports, paths } = options;
  const mayMend = options.mayRenew === true;
  let isOldPairKept = mayMend && hasOldPair(ports.disk, paths);
  let nextListMs = 0;
  let mayGoBack = true;
  const net: CertifiedNet = new CertifiedNet(
    {
      clock: ports.clock,
      dial: (current) => dial(identity, current, tls, options.onAnswer),
      passGate: () => gateOf(context),
      dueMs: (current) => (mayMend ? renewalDueMs(current, identity.device) : Number.POSITIVE_INFINITY),
      async renew(over, current) {
        const renewed = await renewedFiles(context, over, current);
        if (renewed === null) return null;
        isOldPairKept = true;
        mayGoBack = true;
        return renewed;
      },
      onUsed() {
        if (isOldPairKept) dropOldPair(ports.disk, paths);
        isOldPairKept = false;
        return mayMend ? moveToNextRoot(context, net.files) : null;
      },
      async onUntrusted(current) {
        return current.rootChange === undefined ? followNextRoot(ports, paths, current) : underRootInPlace(await gateOf(context));
      },
      async onRefused() {
        if (ports.clock.monotonicMs() >= nextListMs) {
          nextListMs = ports.clock.monotonicMs() + LIST_INTERVAL_MS;
          if (await isOnRevocationList(ports, identity, net.files, tls)) throw revokedFault(identity);
        }
        if (!mayGoBack) return null;
        mayGoBack = false;
        isOldPairKept = false;
        return takeBackRenewal(ports, paths, { mayMend });
      },
      isRefusal: isRefusalOfDevice,
      isUntrusted: (error) => isFault(error, "certificate"),
      isHangUp: (error) => isFault(error, "transport") && error.detail["hangUp"] === true,
      tryAgain: () => new Fault("transport", "the renewed certificate of this device was not accepted; the one before it is in force again"),
    },
    files,
  );
  return net;
}

function dial({ host, agentPort: port }: Identity, files: TlsFiles, tls: DialTls, onProtocol: ConnectOptions["onAnswer"]): Net {
  const identity = { certificatePem: files.chainPem, keyPem: files.keyPem };
  return createHttpsNet({ host, port, rootPem: files.rootPem, identity, tls, ...(onProtocol === undefined ? {} : { onProtocol }) });
}

function sessionOver({ options, identity, signer }: Context, net: Net, triesMax?: number): SignedSession {
  const { clock, random } = options.ports;
  const onRetry = (fault: Error, delayMs: number): void => options.onNote?.(`${fault.message}; trying again in ${(delayMs / 1000).toFixed(1)} s`);
  const session = createSignedSession({
    net,
    clock,
    random,
    host: identity.host,
    port: identity.agentPort,
    device: identity.device,
    sign: (base) => signer.sign("request", base),
    sha256: (bytes) => sha256(bytes),
    retry: { onRetry, ...(triesMax === undefined ? {} : { triesMax }) },
  });
  return {
    async send(request) {
      try {
        return await session.send(request);
      } catch (error) {
        throw explainRevocation(error, identity);
      }
    },
  };
}

/**
 * The root that is to follow comes into its place once the storage node has answered over it, and not before: until then the old one
 * may still be needed. What stands in the way is told, and tried again by the next run.
 */
function moveToNextRoot(context: Context, files: TlsFiles): TlsFiles | null {
  const { ports, paths, onNote } = context.options;
  const { rootChange, ...moved } = files;
  if (rootChange === undefined) return null;
  const { spkiSha256 } = rootChange;
  try {
    placeNextRoot(ports.disk, paths, { ...moved, spkiSha256 });
    context.identity = { ...context.identity, rootSpkiSha256: spkiSha256 };
    onNote?.("the storage node has moved to the root that was announced; this device has followed");
  } catch (error) {
    if (!isFault(error)) throw error;
    onNote?.(`the new root of the storage node could not be put in place: ${error.message}`);
  }
  return moved;
}

/** The renewed files. What stands in the way of a renewal is told and tried again later: the old certificate still holds. */
async function renewedFiles(context: Context, net: Net, files: TlsFiles): Promise<TlsFiles | null> {
  const { ports, paths, onNote } = context.options;
  try {
    return await renewCertificate(ports, paths, sessionOver(context, net, RENEWAL_TRIES_MAX), files, onNote);
  } catch (error) {
    if (!isFault(error)) throw error;
    onNote?.(`the certificate of this device could not be renewed: ${error.message}`);
    return null;
  }
}

function assemble(context: Context, net: CertifiedNet, session: SignedSession): Connection {
  return {
    get identity() {
      return context.identity;
    },
    signer: context.signer,
    get certificateNotAfterMs() {
      return net.files.notAfterMs;
    },
    storeFor: (vault) => createHttpRecordStore(session, vault, (bytes) => sha256(bytes)),
    accountInfo: () => readAccount(session),
    async createVault(vault) {
      await session.send({ method: "POST", target: "/v1/vaults", body: [encodeMessage({ vault })] });
    },
    [Symbol.asyncDispose]: () => net[Symbol.asyncDispose](),
  };
}

async function readAccount(session: SignedSession): Promise<AccountAnswer> {
  const answer = await session.send({ method: "GET", target: "/v1/account" });
  return parseMessage(accountAnswer, answer.body, "account answer");
}
