/** `holdfast-node serve`: opens the ports, as soon as the certificates pass the gate, and runs until it is told to stop. */
import { type Clock, type Disk, Fault, type Random } from "@holdfast/base";
import type { ServeSettings } from "../config/node-config.ts";
import { startControl } from "../control-node.ts";
import { DataFolder } from "../data-folder.ts";
import type { Log } from "../log.ts";
import { requireVerifiedTls } from "../node-identity.ts";
import { createOwnAudit } from "../own-audit.ts";
import { ownFolder, ownPki } from "../ownership.ts";
import { settlePki } from "../pki-files.ts";
import { startStorageNode } from "../servers.ts";
import { createAuditTrail } from "../store/audit-trail.ts";
import type { CipherAuditSchedule } from "../tls-audit/index.ts";

export interface ServeCommandOptions extends ServeSettings {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly data: string;
  readonly reserveBytes: number;
  /** End with `certificate` instead of waiting for the files to be mended. */
  readonly exitIfClosed: boolean;
  /** Told once everything is open. */
  readonly onReady: (ports: { readonly agentPort: number; readonly frontPort: number; readonly hostNames: readonly string[] }) => void;
  /** Aborted when the node shall stop. */
  readonly signal: AbortSignal;
}

/** Resolves when the node has stopped cleanly: all it acknowledged is on disk. */
export async function serve(options: ServeCommandOptions): Promise<void> {
  const { disk, clock, random, log, data, listenHost, agentPort, frontPort, agentTls, frontTls, reserveBytes } = options;
  requireVerifiedTls(options.environment);
  const folder = new DataFolder(disk, data);
  folder.requireUsable();
  using _owned = await ownFolder(data);
  await settleCertificates(disk, data);
  let ownAudit: CipherAuditSchedule | null = null;
  const isOwnProbe = (): boolean => ownAudit?.isAuditing === true;
  const node = await startStorageNode({
    folder,
    clock,
    random,
    log,
    listenHost,
    agentPort,
    frontPort,
    agentTls,
    frontTls,
    reserveBytes,
    isOwnProbe,
    cipherAudit: () => ownAudit?.last ?? null,
  });
  const { store, identity } = node.services;
  try {
    const problems = node.services.problems();
    if (options.exitIfClosed && problems.length > 0) {
      throw new Fault("certificate", `certificate gate: ${problems.join("; ")}`, { detail: { findings: [...problems] } });
    }
    await using _control = await startControl({
      path: folder.controlPath,
      store,
      identity,
      nodeKey: node.nodeKey,
      agentPort: node.agentPort,
      frontPort: node.frontPort,
      listenHost,
      clock,
      random,
      check: node.check,
    });
    const stopped = Promise.race([aborted(options.signal), node.failed]);
    const isOpen = await Promise.race([node.opened.then(() => true), stopped.then(() => false)]);
    const ports = { agentPort: node.agentPort, frontPort: node.frontPort, hostNames: [...identity.hostNames] };
    if (isOpen) {
      options.onReady(ports);
      ownAudit = createOwnAudit({ clock, random, disk, log, trail: createAuditTrail(store.writer, clock), ports: { ...ports, listenHost } });
      ownAudit.start();
    }
    await stopped;
    log("info", "stopping");
  } finally {
    await ownAudit?.[Symbol.asyncDispose]();
    await node.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Makes good a replacement of certificates that was cut short. */
async function settleCertificates(disk: Disk, data: string): Promise<void> {
  using _owned = await ownPki(data);
  settlePki(disk, data);
}
