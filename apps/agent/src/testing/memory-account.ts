/** An account at a storage node in memory: connections without sockets, for tests of sessions and commands. */
import { type Clock, Fault, type Random } from "@holdfast/base";
import { asAccountId, type RecordStore, type VaultId } from "@holdfast/protocol";
import { createMemoryNode, type MemoryNode, testId, testKey } from "@holdfast/testkit";
import type { Connection } from "../session/connection.ts";
import { readDeviceSigner } from "../session/device-keys.ts";
import type { Ports } from "../session/session.ts";
import { requireIdentity } from "../state/identity.ts";
import type { StatePaths } from "../state/state-paths.ts";

export interface MemoryAccount {
  readonly account: ReturnType<typeof asAccountId>;
  /** There once a vault is bound. */
  node: MemoryNode | null;
  /** Wraps the store of every connection: to break it. */
  wrap: (store: RecordStore) => RecordStore;
  connect(ports: Ports, paths: StatePaths): Connection;
}

/** Key of the node: what invites pin. */
export const NODE_KEY = testKey(99);

export function createMemoryAccount(clock: Clock, random: Random): MemoryAccount {
  const account = asAccountId(testId("account").slice(0, 16));
  let vault: VaultId | null = null;
  const self: MemoryAccount = {
    account,
    node: null,
    wrap: (store) => store,
    connect(ports, paths) {
      const identity = requireIdentity(ports.disk, paths);
      const signer = readDeviceSigner(ports.disk, paths, identity);
      return {
        identity,
        signer,
        certificateNotAfterMs: clock.nowMs() + 86_400_000,
        storeFor() {
          if (self.node === null) throw new Fault("denied", "vault: is not the account's");
          return self.wrap(self.node.store(identity.device));
        },
        accountInfo: async () => ({ account, accountName: "ada", edition: "ese", vault, usedBytes: 1_000, quotaBytes: null, nowMs: clock.nowMs() }),
        async createVault(wanted) {
          if (vault !== null && vault.join() !== wanted.join()) throw new Fault("conflict", "account: has another vault");
          vault = wanted;
          self.node ??= createMemoryNode({ vault, account, clock, random, key: NODE_KEY, pageItems: 3 });
        },
        [Symbol.asyncDispose]: async () => {},
      };
    },
  };
  return self;
}
