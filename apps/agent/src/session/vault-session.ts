/** A VaultSession over an opened connection: journal read, keys and config ready. */
import { bytesToHex, Fault } from "@holdfast/base";
import type { EpochKeys } from "@holdfast/crypto";
import { CHUNK_BYTES_MAX, CHUNK_BYTES_MEAN, CHUNK_BYTES_MIN, type JournalState, PACK_TARGET_BYTES, RECORD_KINDS } from "@holdfast/protocol";
import { CHUNKER_ID, checkConfig, createRecordOpener } from "@holdfast/vault";
import type { StatePaths } from "../state/state-paths.ts";
import type { Connection } from "./connection.ts";
import { readDeviceEpochs } from "./device-keys.ts";
import { createJournalLink, type JournalLink } from "./journal-link.ts";
import { cachedRecord } from "./record-cache.ts";
import type { Ports, VaultConfig, VaultSession } from "./session.ts";

/** What version 1 writes and `checkConfig` demands. */
const CONFIG: VaultConfig = {
  chunker: { id: CHUNKER_ID, minBytes: CHUNK_BYTES_MIN, meanBits: Math.log2(CHUNK_BYTES_MEAN), maxBytes: CHUNK_BYTES_MAX },
  contentSuite: 1,
  packTargetBytes: PACK_TARGET_BYTES,
};

/** The journal of the connection's vault. Before `init` or `join`: an `input` fault. */
export function linkOf(ports: Ports, paths: StatePaths, connection: Connection): JournalLink {
  const { identity, signer } = connection;
  const { vault, account, device, nodeKey } = identity;
  if (vault === null) throw new Fault("input", "vault: this device has none yet; run holdfast init, or holdfast join when the account has one already");
  return createJournalLink({ ports, paths, vault, account, device, signer, nodeKey, store: connection.storeFor(vault) });
}

/** Takes the connection over: it is closed with the session, or here when the session does not come about. */
export async function createVaultSession(ports: Ports, paths: StatePaths, connection: Connection): Promise<VaultSession> {
  try {
    const link = linkOf(ports, paths, connection);
    await link.refresh();
    const keys = await readDeviceEpochs(ports.disk, paths, link.state().vault, connection.identity.device);
    const config = await readConfig(ports, paths, connection, link.state(), keys);
    return assemble(ports, paths, connection, link, keys, config);
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

function assemble(
  ports: Ports,
  paths: StatePaths,
  connection: Connection,
  link: JournalLink,
  keys: ReadonlyMap<number, EpochKeys>,
  config: VaultConfig,
): VaultSession {
  const { vault, account } = link.state();
  return {
    ports,
    paths,
    vault,
    account,
    device: connection.identity.device,
    signer: connection.signer,
    store: connection.storeFor(vault),
    config,
    keys,
    currentKeys() {
      const { epoch } = link.state();
      const current = keys.get(epoch);
      if (current === undefined)
        throw new Fault("missing", `keys: this device does not have those of epoch ${epoch}; somebody rotated them; bring them here with: holdfast unlock`);
      return current;
    },
    journal: link.state,
    receivedMs: (entry) => link.receivedMsByEntry().get(bytesToHex(entry)) ?? null,
    refresh: link.refresh,
    append: link.append,
    accountInfo: () => connection.accountInfo(),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function readConfig(
  ports: Ports,
  paths: StatePaths,
  connection: Connection,
  journal: JournalState,
  keys: ReadonlyMap<number, EpochKeys>,
): Promise<VaultConfig> {
  if (journal.config === null) throw new Fault("input", "vault: not set up to its end; run holdfast init again, which goes on where it stopped");
  const frame = await cachedRecord(ports.disk, paths, connection.storeFor(journal.vault), journal.config, "config");
  const opener = createRecordOpener(journal.vault, (epoch) => keys.get(epoch) ?? null);
  checkConfig(await opener.open(RECORD_KINDS.config, frame, journal.config));
  return CONFIG;
}
