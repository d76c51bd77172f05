/** Thirteen kinds of rogues at a real storage node, twenty tries each; `npm run torture` makes five hundred. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createScratch } from "./harness/scratch.ts";
import { StorageNode } from "./harness/storage-node.ts";
import { countRogues, prepareRogues, ROGUE_KINDS, type Rogues } from "./wire/rogues.ts";

const ATTEMPTS = 20;
const scratch = createScratch("rogues");
let node: StorageNode;
let rogues: Rogues;

before(async () => {
  node = await StorageNode.start({ folder: scratch.path });
  rogues = await prepareRogues(node, scratch.path);
});
after(async () => {
  rogues[Symbol.dispose]();
  await node[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

describe("rogues at the agent port", () => {
  it("are told from an honest device, which is let in", async () => {
    assert.equal(await rogues.honest(), true);
  });

  for (const kind of ROGUE_KINDS) {
    it(`${kind}: none of ${ATTEMPTS} is let in`, async () => {
      const [count] = await countRogues(rogues, ATTEMPTS, [kind]);
      assert.deepEqual(count, { kind, attempts: ATTEMPTS, accepted: 0 });
    });
  }

  it("leave the door open for the honest device", async () => {
    assert.equal(await rogues.honest(), true);
  });
});
