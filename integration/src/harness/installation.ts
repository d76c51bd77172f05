/** A node and an agent that are set up and ready to back up: where most tests begin. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { RuntimeName } from "../../tools/runtimes.mjs";
import { Agent } from "./agent.ts";
import { createScratch, type Scratch } from "./scratch.ts";
import { StorageNode, type StorageNodeOptions } from "./storage-node.ts";

export interface Installation extends AsyncDisposable {
  readonly scratch: Scratch;
  readonly node: StorageNode;
  readonly agent: Agent;
  /** Another agent with a state folder of its own, not enrolled yet. */
  anotherAgent(name: string, runtime?: RuntimeName): Agent;
  /** Folder of the one vault on the node. */
  vaultFolder(): string;
}

/** The agent of most tests: under Bun, which every machine that runs these tests has. */
export const RUNTIME_DEFAULT: RuntimeName = "bun";

/** A node on loopback and an agent with a vault on it. */
export async function install(
  name: string,
  options: { readonly runtime?: RuntimeName; readonly node?: Partial<StorageNodeOptions> } = {},
): Promise<Installation> {
  const scratch = createScratch(name);
  const runtime = options.runtime ?? RUNTIME_DEFAULT;
  const node = await StorageNode.start({ folder: scratch.folder("node"), ...options.node });
  const agent = new Agent(runtime, scratch.at("agent"));
  const close = async (): Promise<void> => {
    await node[Symbol.asyncDispose]();
    scratch[Symbol.dispose]();
  };
  try {
    await agent.setUp(node, "ada");
  } catch (error) {
    await close();
    throw error;
  }
  return {
    scratch,
    node,
    agent,
    anotherAgent: (folder, other = runtime) => new Agent(other, scratch.at(folder)),
    vaultFolder() {
      const vaults = join(node.data, "store", "vaults");
      return join(vaults, readdirSync(vaults)[0] as string);
    },
    [Symbol.asyncDispose]: close,
  };
}
