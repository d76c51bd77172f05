/** A storage node that serves: store, apps and both ports, with the checks that go on while it runs. */

import { type Clock, Fault, type Random } from "@holdfast/base";
import { asSigningSeed, createSigner, type SigningPublicKey } from "@holdfast/crypto/signature";
import { type TlsPolicy, tlsPolicy } from "@holdfast/pki";
import { NODE_BODY_BYTES_MAX } from "@holdfast/protocol";
import { getRequestListener } from "@hono/node-server";
import { createAgentApp, createFrontApp } from "./app.ts";
import type { AppServices } from "./app-services.ts";
import { BodyBudget } from "./body-budget.ts";
import type { DataFolder } from "./data-folder.ts";
import { GUARD_LIMITS, type GuardLimits } from "./guard.ts";
import type { Log } from "./log.ts";
import { findingLines, NodeIdentity } from "./node-identity.ts";
import { SessionChecker } from "./session.ts";
import { openStore, type Store } from "./store/store.ts";
import { createTlsServer, type TlsServer } from "./tls-server.ts";

export interface ServeOptions {
  readonly folder: DataFolder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly listenHost: string;
  /** 0 for any free port. */
  readonly agentPort: number;
  readonly frontPort: number;
  readonly reserveBytes?: number;
  readonly limits?: GuardLimits;
}

export interface StorageNode {
  readonly services: AppServices;
  readonly agentPort: number;
  readonly frontPort: number;
  readonly nodeKey: SigningPublicKey;
  /** Looks for revocations and what is due for renewal now; also done by itself every `CHECK_INTERVAL_MS`. */
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
const CLOSE_GRACE_MS = 30_000;

/** Opens everything. Certificates that do not pass the gate: `certificate`, and no port is opened. */
export async function startStorageNode(options: ServeOptions): Promise<StorageNode> {
  const { folder, clock, random, log } = options;
  const identity = await NodeIdentity.load(folder, { clock, random });
  const nodeSeed = folder.read("keys/node.seed");
  const store = await openStore({ folder: folder.storePath, nodeSeed, ...(options.reserveBytes === undefined ? {} : { reserveBytes: options.reserveBytes }) });
  try {
    await identity.refresh(await store.reader.call("revokedCertificates", []));
    const problems = findingLines(await identity.findings());
    if (problems.length > 0) throw new Fault("certificate", `certificate gate: ${problems.join("; ")}`, { detail: { findings: problems } });
    return await openPorts(options, identity, store, createSigner(asSigningSeed(nodeSeed)).publicKey);
  } catch (error) {
    await store.close();
    throw error;
  } finally {
    log("info", "store opened", { folder: folder.path });
  }
}

async function openPorts(options: ServeOptions, identity: NodeIdentity, store: Store, nodeKey: SigningPublicKey): Promise<StorageNode> {
  const { clock, random, log } = options;
  let problems: readonly string[] = [];
  const sessions = new SessionChecker({ store, clock, startedAtMs: clock.nowMs(), hostNames: new Set(identity.hostNames.map((name) => name.toLowerCase())) });
  const budget = new BodyBudget(clock, NODE_BODY_BYTES_MAX - UNREAD_BYTES_MAX, BUDGET_WAIT_MS_MAX);
  const services: AppServices = { store, clock, random, budget, sessions, identity, log, problems: () => problems };
  const agentServer = createPort(options, identity, tlsPolicy("modern"), true, createAgentApp(services));
  const frontServer = createPort(options, identity, tlsPolicy("intermediate"), false, createFrontApp(services));
  const agentPort = await agentServer.listen(options.listenHost, options.agentPort);
  const frontPort = await frontServer.listen(options.listenHost, options.frontPort).catch(async (error: unknown) => {
    await agentServer.close(0);
    throw error;
  });

  const check = async (): Promise<void> => {
    if (await identity.refresh(await store.reader.call("revokedCertificates", []))) {
      agentServer.reload(identity.tlsMaterial());
      frontServer.reload(identity.tlsMaterial());
      log("info", "certificates or revocation lists renewed");
    }
    problems = findingLines(await identity.findings());
    for (const problem of problems) log("error", problem);
  };
  const stopped = new AbortController();
  void repeat(clock, stopped.signal, check, log);
  return {
    services,
    agentPort,
    frontPort,
    nodeKey,
    check,
    failed: store.failed,
    async close() {
      stopped.abort();
      await Promise.all([agentServer.close(CLOSE_GRACE_MS), frontServer.close(CLOSE_GRACE_MS)]);
      await store.close();
    },
  };
}

function createPort(
  options: ServeOptions,
  identity: NodeIdentity,
  profile: TlsPolicy,
  demandClientCertificate: boolean,
  app: { fetch: Parameters<typeof getRequestListener>[0] },
): TlsServer {
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return createTlsServer({
    profile,
    material: identity.tlsMaterial(),
    demandClientCertificate,
    clock: options.clock,
    limits: options.limits ?? GUARD_LIMITS,
    handler: (request, response) => void listener(request, response),
  });
}

async function repeat(clock: Clock, signal: AbortSignal, work: () => Promise<void>, log: Log): Promise<void> {
  while (!signal.aborted) {
    try {
      await clock.sleep(CHECK_INTERVAL_MS, signal);
      await work();
    } catch (error) {
      if (!signal.aborted) log("error", "check failed", { error: (error as Error).message });
    }
  }
}
