/** `holdfast-node serve`: opens the ports and runs until it is told to stop. */
import type { Clock, Disk, Random } from "@holdfast/base";
import { startControl } from "../control-node.ts";
import { DataFolder } from "../data-folder.ts";
import type { Log } from "../log.ts";
import { requireVerifiedTls } from "../node-identity.ts";
import { ownFolder } from "../ownership.ts";
import { startStorageNode } from "../servers.ts";

export interface ServeCommandOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly data: string;
  readonly listenHost: string;
  readonly agentPort: number;
  readonly frontPort: number;
  readonly reserveBytes: number;
  /** Told once everything is open. */
  readonly onReady: (ports: { readonly agentPort: number; readonly frontPort: number; readonly hostNames: readonly string[] }) => void;
  /** Aborted when the node shall stop. */
  readonly signal: AbortSignal;
}

/** Resolves when the node has stopped cleanly: all it acknowledged is on disk. */
export async function serve(options: ServeCommandOptions): Promise<void> {
  const { disk, clock, random, log, data, listenHost, agentPort, frontPort, reserveBytes } = options;
  requireVerifiedTls(options.environment);
  const folder = new DataFolder(disk, data);
  folder.requireUsable();
  using _owned = await ownFolder(data);
  const node = await startStorageNode({ folder, clock, random, log, listenHost, agentPort, frontPort, reserveBytes });
  const { store, identity } = node.services;
  try {
    await using _control = await startControl({
      path: folder.controlPath,
      store,
      identity,
      nodeKey: node.nodeKey,
      agentPort: node.agentPort,
      frontPort: node.frontPort,
      clock,
      random,
      check: node.check,
    });
    options.onReady({ agentPort: node.agentPort, frontPort: node.frontPort, hostNames: identity.hostNames });
    await Promise.race([aborted(options.signal), node.failed]);
    log("info", "stopping");
  } finally {
    await node.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
