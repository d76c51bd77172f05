/** A storage node that serves: store, apps and both ports, with the checks that go on while it runs. */

import type { Clock, Random } from "@holdfast/base";
import { asSigningSeed, createSigner, type SigningPublicKey } from "@holdfast/crypto/signature";
import { isLegacyTls, type NextRoot, type TlsProfileName, tlsPolicy } from "@holdfast/pki";
import { NODE_BODY_BYTES_MAX } from "@holdfast/protocol";
import { getRequestListener } from "@hono/node-server";
import { countRefusals, createAgentApp, createFrontApp } from "./app.ts";
import type { AppServices } from "./app-services.ts";
import { BodyBudget } from "./body-budget.ts";
import type { DataFolder } from "./data-folder.ts";
import { GatedPort } from "./gated-port.ts";
import { GUARD_LIMITS, type GuardLimits } from "./guard.ts";
import type { Log } from "./log.ts";
import { NodeIdentity } from "./node-identity.ts";
import { PortGate } from "./port-gate.ts";
import { readNextRoot } from "./root-announcement.ts";
import { createSecurityEvents, type PortName, type SecurityEvents } from "./security-events.ts";
import { SessionChecker } from "./session.ts";
import { createAuditTrail } from "./store/audit-trail.ts";
import { openStore, type Store } from "./store/store.ts";
import { proveLegacyTls } from "./tls-probe.ts";
import { createTlsServer } from "./tls-server.ts";

export interface ServeOptions {
  readonly folder: DataFolder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly listenHost: string;
  /** 0 for any free port. */
  readonly agentPort: number;
  readonly frontPort: number;
  /** `modern` when left out. */
  readonly agentTls?: TlsProfileName;
  /** `intermediate` when left out. */
  readonly frontTls?: TlsProfileName;
  readonly reserveBytes?: number;
  readonly limits?: GuardLimits;
  /** Between two checks of certificates, files and revocations; a certificate that ends sooner is checked then. */
  readonly checkIntervalMs?: number;
  /** Whether a refused handshake from `address` is the cipher audit's, which is no news. */
  readonly isOwnProbe?: (address: string) => boolean;
  readonly cipherAudit?: NonNullable<AppServices["cipherAudit"]>;
  readonly reissueGraceMs?: number;
  /** As in `PortGateOptions`. */
  readonly settleMs?: number;
}

export interface StorageNode {
  readonly services: AppServices;
  /** Numbers that stay, also while the ports are closed. */
  readonly agentPort: number;
  readonly frontPort: number;
  readonly nodeKey: SigningPublicKey;
  /** Resolves when the ports are open for the first time: at once, unless certificates fail the gate. */
  readonly opened: Promise<void>;
  /** Looks for changed files, revocations and what is due for renewal now; also done by itself. */
  check(): Promise<void>;
  /** Rejects when the node cannot go on. */
  readonly failed: Promise<never>;
  /** Finishes what was begun, then closes ports and store. */
  close(): Promise<void>;
}

/** Part of the memory for bodies that unread bytes on sockets may take; the rest is for parts and messages. */
const UNREAD_BYTES_MAX = 16 * 1024 * 1024;
const BUDGET_WAIT_MS_MAX = 15_000;
const CHECK_INTERVAL_MS = 30_000;
const SETTLE_MS = 1000;
const CLOSE_GRACE_MS = 30_000;

/**
 * Opens the store, and the ports once the certificates pass the gate: `services.problems` says why they are closed.
 * A TLS policy that this runtime cannot offer: `input`.
 */
export async function startStorageNode(options: ServeOptions): Promise<StorageNode> {
  const { folder, clock, random, log } = options;
  const profiles = { agent: options.agentTls ?? "modern", front: options.frontTls ?? "intermediate" } as const;
  const legacy = [profiles.agent, profiles.front].map(tlsPolicy).find(isLegacyTls);
  if (legacy !== undefined) await proveLegacyTls(legacy, { clock, random });
  const identity = await NodeIdentity.load(folder, { clock, random });
  const nodeSeed = folder.read("keys/node.seed");
  const store = await openStore({ folder: folder.storePath, nodeSeed, ...(options.reserveBytes === undefined ? {} : { reserveBytes: options.reserveBytes }) });
  log("info", "store opened", { folder: folder.path });
  try {
    return await startPorts(options, profiles, identity, store, createSigner(asSigningSeed(nodeSeed)).publicKey);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function startPorts(
  options: ServeOptions,
  profiles: { readonly agent: TlsProfileName; readonly front: TlsProfileName },
  identity: NodeIdentity,
  store: Store,
  nodeKey: SigningPublicKey,
): Promise<StorageNode> {
  const { clock, random, log, settleMs = SETTLE_MS } = options;
  const refusals = countRefusals({ store, clock, log });
  const events = createSecurityEvents(store, clock, log, refusals);
  const sessions = new SessionChecker({ store, clock, startedAtMs: clock.nowMs(), hostNames: new Set(identity.hostNames.map((name) => name.toLowerCase())) });
  const budget = new BodyBudget(clock, NODE_BODY_BYTES_MAX - UNREAD_BYTES_MAX, BUDGET_WAIT_MS_MAX);
  const nextRoot = (): NextRoot | null => readNextRoot(options.folder);
  const services: AppServices = {
    store,
    clock,
    random,
    budget,
    sessions,
    identity,
    log,
    refusals,
    nextRoot,
    problems: () => gate.problems,
    ...pickGiven(options),
  };
  const agentPort = createPort(options, profiles.agent, "agent port", events, createAgentApp(services));
  const frontPort = createPort(options, profiles.front, "front port", events, createFrontApp(services));
  const gate = new PortGate({ identity, store, ports: [agentPort, frontPort], clock, log, tell: events.tell, settleMs });
  try {
    await gate.check();
  } catch (error) {
    await gate.stop();
    await refusals.close();
    await events.settled();
    throw error;
  }
  await Promise.all([agentPort.reserve(), frontPort.reserve()]);
  const trail = createAuditTrail(store.writer, clock);
  const run = { actor: "storage node", subject: "storage node", origin: "local", result: "done" };
  await trail.record({ ...run, action: "node-started" });

  const stopped = new AbortController();
  void repeat(options, identity, stopped.signal, async () => {
    events.flush();
    await gate.check();
  });
  return {
    services,
    agentPort: agentPort.port,
    frontPort: frontPort.port,
    nodeKey,
    opened: gate.opened,
    check: () => gate.check(),
    failed: store.failed,
    async close() {
      stopped.abort();
      await gate.stop();
      await refusals.close();
      await events.settled();
      await trail
        .record({ ...run, action: "node-stopped" })
        .catch((error: unknown) => log("error", "audit trail: the stop was not recorded", { error: String(error) }));
      await store.close();
    },
  };
}

function createPort(
  options: ServeOptions,
  profile: TlsProfileName,
  name: PortName,
  events: SecurityEvents,
  app: { fetch: Parameters<typeof getRequestListener>[0] },
): GatedPort {
  const policy = tlsPolicy(profile);
  const isAgentPort = name === "agent port";
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  if (isLegacyTls(policy)) events.warnOfLegacyTls(name, profile);
  return new GatedPort({
    host: options.listenHost,
    port: isAgentPort ? options.agentPort : options.frontPort,
    closeGraceMs: CLOSE_GRACE_MS,
    create: (material) =>
      createTlsServer({
        profile: policy,
        material,
        demandClientCertificate: isAgentPort,
        clock: options.clock,
        limits: options.limits ?? GUARD_LIMITS,
        onRefused(handshake) {
          if (options.isOwnProbe?.(handshake.address) !== true) events.refused(name, handshake);
        },
        handler: (request, response) => void listener(request, response),
      }),
  });
}

/** Waits no longer than to the end of the first certificate, so that its expiry closes the ports at once. */
async function repeat(options: ServeOptions, identity: NodeIdentity, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const { clock, log, checkIntervalMs = CHECK_INTERVAL_MS } = options;
  while (!signal.aborted) {
    try {
      const untilExpiryMs = (await identity.nextExpiryMs()) - clock.nowMs();
      await clock.sleep(Math.max(1, Math.min(checkIntervalMs, untilExpiryMs)), signal);
      await work();
    } catch (error) {
      if (!signal.aborted) log("error", "check failed", { error: (error as Error).message });
    }
  }
}

/** What a caller may leave out. */
function pickGiven({ cipherAudit, reissueGraceMs }: ServeOptions): Pick<AppServices, "cipherAudit" | "reissueGraceMs"> {
  return { ...(cipherAudit === undefined ? {} : { cipherAudit }), ...(reissueGraceMs === undefined ? {} : { reissueGraceMs }) };
}
