/** A VaultSession over a storage node in memory: real keys, real journal, real state folder, no network. */
import { mkdirSync } from "node:fs";
import { bytesToHex, type Clock, Fault } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { asEpochSecret, deriveEpochKeys, type Signer, sha256, x25519PublicKeyOf } from "@holdfast/crypto";
import {
  applyEntry,
  asAccountId,
  emptyJournal,
  encodeEntryPayload,
  encodeJournalEntry,
  type JournalState,
  type LeaseId,
  RECORD_KINDS,
  type RecordId,
} from "@holdfast/protocol";
import { createMemoryNode, type MemoryNode, testId, testKey, testVerifier } from "@holdfast/testkit";
import { createRecordSealer, encodeConfig } from "@holdfast/vault";
import type { AppendedEntry, AppendRequest, VaultSession } from "../session/session.ts";
import { statePaths } from "../state/state-paths.ts";

export interface MemorySession {
  readonly session: VaultSession;
  readonly node: MemoryNode;
}

/** A vault with genesis and one device, its state below `stateFolder`. */
export async function createMemorySession(stateFolder: string, clock: Clock = createSystemClock()): Promise<MemorySession> {
  const ports = { clock, random: createSystemRandom(), disk: createNodeDisk() };
  const owner = testKey(1);
  const device = testKey(2);
  const account = asAccountId(testId("account").slice(0, 16));
  const vault = owner.vaultId;
  const keys = deriveEpochKeys(asEpochSecret(testId("epoch secret")), vault, 0);
  const node = createMemoryNode({ vault, account, clock: ports.clock, random: ports.random });
  const store = node.store(device.deviceId);
  let journal: JournalState = emptyJournal(vault, account);
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });

  const append = async (makeBody: (journal: JournalState) => AppendRequest, signer?: Signer): Promise<AppendedEntry> => {
    const { body, additions, drops } = makeBody(journal);
    const payloadBytes = encodeEntryPayload({
      vault,
      account,
      device: device.deviceId,
      seq: (journal.head?.seq ?? -1) + 1,
      previous: journal.head?.entry ?? null,
      timeMs: Math.floor(ports.clock.nowMs()),
      body,
    });
    const frame = encodeJournalEntry(payloadBytes, device.sign("journal", payloadBytes), signer === undefined ? null : signer.sign("owner", payloadBytes));
    const receipt = await store.commit(frame, additions, drops);
    const applied = applyEntry(journal, frame, testVerifier);
    journal = applied.state;
    return { entry: applied.entry, seq: applied.parsed.payload.seq, receipt: sha256(receipt) as RecordId, receivedMs: ports.clock.nowMs() };
  };

  const { lease } = await store.lease(null);
  const config = await createRecordSealer(vault, keys, ports.random).seal(RECORD_KINDS.config, encodeConfig());
  await store.put([{ id: config.recordId, parts: [config.frame] }], lease as LeaseId);
  const noIds = { additions: [], drops: [] };
  await append(
    () => ({
      ...noIds,
      body: { kind: 1, ownerKey: owner.publicKey, containerKey: x25519PublicKeyOf(keys.containerSeed), config: config.recordId, deviceKey: device.publicKey },
    }),
    owner,
  );
  await append(() => ({ ...noIds, body: { kind: 2, deviceKey: device.publicKey, roles: ["agent", "maintainer"], label: "test" } }), owner);

  const session: VaultSession = {
    ports,
    paths: statePaths(stateFolder),
    vault,
    account,
    device: device.deviceId,
    signer: device,
    store,
    config: { chunker: { id: 1, minBytes: 262_144, meanBits: 20, maxBytes: 4_194_304 }, contentSuite: 1, packTargetBytes: 8_388_608 },
    keys: new Map([[0, keys]]),
    currentKeys: () => keys,
    journal: () => journal,
    receivedMs: () => null,
    refresh: async () => journal,
    append,
    accountInfo: async () => {
      throw new Fault("missing", `account: a memory node of vault ${bytesToHex(vault)} keeps none`);
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { session, node };
}
