/** Every runtime of the agent restores what every other one has backed up: contents, metadata and names alike. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { RUNTIME_NAMES, type RuntimeName } from "../tools/runtimes.mjs";
import { Agent } from "./harness/agent.ts";
import { differencesOf } from "./harness/compare.ts";
import { runtimeNeed, skipWithout } from "./harness/needs.ts";
import { makeSampleTree } from "./harness/sample-tree.ts";
import { createScratch } from "./harness/scratch.ts";
import { StorageNode } from "./harness/storage-node.ts";

const scratch = createScratch("matrix");
const source = scratch.at("source");
let node: StorageNode;
const backedUp = new Map<RuntimeName, Agent>();

before(async () => {
  await makeSampleTree(source);
  node = await StorageNode.start({ folder: scratch.folder("node") });
});
after(async () => {
  await node[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});
skipWithout("rsync"); // Without it our own comparison stands alone; that is said, and is no reason to run nothing.

describe("a backup of every kind of entry", () => {
  for (const runtime of RUNTIME_NAMES) {
    it(`is made under ${runtime}`, { skip: skipWithout(runtimeNeed(runtime)) }, async () => {
      const agent = await new Agent(runtime, scratch.at(runtime)).setUp(node, runtime);
      await agent.ok(["backup", source]);
      backedUp.set(runtime, agent);
    });
  }
});

describe("a restore is identical", () => {
  for (const writer of RUNTIME_NAMES) {
    for (const reader of RUNTIME_NAMES) {
      it(`from ${writer} to ${reader}`, { skip: skipWithout(runtimeNeed(writer), runtimeNeed(reader)) }, async () => {
        const agent = backedUp.get(writer);
        assert.ok(agent, `there is no backup of ${writer}`);
        const restored = await agent.under(reader).restore(source, scratch.at(`restored-${writer}-${reader}`));
        assert.deepEqual(await differencesOf(source, restored), []);
      });
    }
  }
});
