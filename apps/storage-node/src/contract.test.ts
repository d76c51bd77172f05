/** The node's records and journal, through the ports and a client that signs, against the contract of every RecordStore. */
import { after } from "node:test";
import { asAccountId } from "@holdfast/protocol";
import { JournalBuilder, recordStoreContract, testKey } from "@holdfast/testkit";
import { NodeFixture } from "./testing/node-fixture.ts";

let node: Promise<NodeFixture> | null = null;
let accountCount = 0;

// One node for all; each test has an account, vault, owner and device of its own.
recordStoreContract("storage node", async () => {
  node ??= NodeFixture.create();
  const fixture = await node;
  const number = ++accountCount;
  const [owner, device] = [testKey(1000 + number), testKey(2000 + number)];
  const { client, answer } = await fixture.enroll(`account ${number}`, ["agent", "maintainer"], device);
  const journal = new JournalBuilder(owner, device, asAccountId(answer.account));
  await fixture.createVault(client, owner.vaultId);
  return { store: client.recordStore(owner.vaultId), journal, nodeKey: fixture.node.nodeKey };
});

after(async () => (await node)?.[Symbol.asyncDispose]());
