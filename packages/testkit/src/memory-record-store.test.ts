import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asLeaseId, LEASE_MS, RECORD_KINDS } from "@holdfast/protocol";
import { createFakeClock } from "./fake-clock.ts";
import { JournalBuilder } from "./journal-builder.ts";
import { createMemoryNode, type MemoryNode } from "./memory-record-store.ts";
import { recordStoreContract, rejectsWith, testRecord } from "./record-store-contract.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { testKey } from "./test-keys.ts";

function createNode(pageItems?: number): { node: MemoryNode; journal: JournalBuilder; clock: ReturnType<typeof createFakeClock> } {
  const journal = new JournalBuilder();
  const clock = createFakeClock();
  const options = { vault: journal.owner.vaultId, account: journal.account, clock, random: createSeededRandom(1) };
  return { node: createMemoryNode(pageItems === undefined ? options : { ...options, pageItems }), journal, clock };
}

for (const pageItems of [undefined, 2]) {
  recordStoreContract(`memory, pages of ${pageItems ?? "the default"}`, async () => {
    const { node, journal } = createNode(pageItems);
    return { store: node.store(journal.device.deviceId), journal, nodeKey: node.key.publicKey };
  });
}

describe("memory node", () => {
  it("lists swept records and refuses a cursor of another node", async () => {
    const { node } = createNode();
    const store = node.store();
    const { lease } = await store.lease(null);
    const index = testRecord(RECORD_KINDS.contentIndex, 1);
    await store.put([{ id: index.id, parts: [index.frame] }], asLeaseId(lease));
    node.sweep([index.id]);
    assert.deepEqual(
      (await store.changes("")).items.map((item) => item.op),
      ["added", "swept"],
    );
    assert.equal(await store.get(index.id), null);
    await rejectsWith(store.changes("other.1"), "conflict");
  });

  it("ends a lease after its time and answers cold for archived records", async () => {
    const { node, clock } = createNode();
    const store = node.store();
    const lease = asLeaseId((await store.lease(null)).lease);
    clock.advance(LEASE_MS + 1);
    await rejectsWith(store.missing([], lease), "missing");
    const pack = testRecord(RECORD_KINDS.contentPack, 1);
    node.cold.add(Array.from(pack.id, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    await rejectsWith(store.get(pack.id), "cold");
  });

  it("refuses an entry that another device wrote", async () => {
    const { node, journal } = createNode();
    const config = testRecord(RECORD_KINDS.config, 1);
    const store = node.store(testKey(50).deviceId);
    const { lease } = await store.lease(null);
    await store.put([{ id: config.id, parts: [config.frame] }], asLeaseId(lease));
    await rejectsWith(store.commit(journal.frame(journal.genesisBody(config.id)), [], []), "denied");
  });
});
