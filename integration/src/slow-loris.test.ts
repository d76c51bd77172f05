/** Hostile connections of five kinds against a running node: each is cut by a deadline, and others are served meanwhile. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { beginVault, enrollByHand, type HandMadeDevice, putRecord } from "./harness/hand-made-device.ts";
import { createScratch } from "./harness/scratch.ts";
import { SLOW_KINDS, type SlowConnection, type SlowKind } from "./harness/slow-connections.ts";
import { StorageNode } from "./harness/storage-node.ts";

/** Deadlines of the guard (apps/storage-node/src/guard.ts) with slack for a busy machine. */
const LIMITS_MS: Readonly<Record<SlowKind, number>> = { silent: 20_000, handshake: 20_000, headers: 20_000, body: 35_000, answer: 40_000 };
const LARGE_BYTES = 30 * 1024 * 1024;
const CONNECTIONS_OF_EACH = 20;

const scratch = createScratch("slow-loris");
let node: StorageNode;
let device: HandMadeDevice;
const slow = new Map<SlowKind, SlowConnection[]>();

before(async () => {
  node = await StorageNode.start({ folder: scratch.path });
  device = await enrollByHand(node, "slow");
  const large = await putRecord(device, await beginVault(device), 3, 1, LARGE_BYTES);
  const options = { port: node.agentPort, device, largeTarget: `/v1/vaults/${bytesToHex(device.journal.owner.vaultId)}/records/${bytesToHex(large)}` };
  for (const [kind, open] of Object.entries(SLOW_KINDS)) {
    slow.set(kind as SlowKind, await Promise.all(Array.from({ length: CONNECTIONS_OF_EACH }, () => open(options))));
  }
});
after(async () => {
  for (const connections of slow.values()) for (const connection of connections) connection[Symbol.dispose]();
  device[Symbol.dispose]();
  await node[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

describe("while a hundred slow connections hang on it, the storage node", () => {
  it("answers others at once", async () => {
    const startedMs = performance.now();
    for (let count = 0; count < 20; count++) assert.equal((await device.client.exchange({ target: "/v1/account" })).status, 200);
    assert.ok(performance.now() - startedMs < 10_000);
  });

  it("keeps its memory below 300 MB", () => {
    assert.ok(node.peakKib() < 300_000, `peak of ${node.peakKib()} KiB`);
  });
});

describe("the storage node cuts a connection that", () => {
  const names: Readonly<Record<SlowKind, string>> = {
    silent: "never begins a handshake",
    handshake: "stops inside the handshake",
    headers: "drips its headers",
    body: "drips its body",
    answer: "does not read its answer",
  };
  for (const kind of Object.keys(SLOW_KINDS) as SlowKind[]) {
    it(names[kind], async () => {
      const byteCounts = await Promise.all((slow.get(kind) ?? []).map((connection) => connection.closed(LIMITS_MS[kind])));
      assert.equal(byteCounts.length, CONNECTIONS_OF_EACH);
      if (kind === "answer")
        assert.ok(
          byteCounts.every((byteCount) => byteCount > 0 && byteCount < LARGE_BYTES),
          `received ${byteCounts.join()}`,
        );
      else
        assert.deepEqual(
          byteCounts.filter((byteCount) => byteCount > 8192),
          [],
          "nothing but a refusal, if anything, was answered",
        );
    });
  }

  it("and is well afterwards", async () => {
    assert.equal((await device.client.exchange({ target: "/v1/account" })).status, 200);
    assert.ok(node.peakKib() < 300_000, `peak of ${node.peakKib()} KiB`);
    assert.ok(!/internal/.test(node.log()), node.log());
  });
});
