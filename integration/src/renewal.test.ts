/** Certificates and ports change under a backup that is running: it goes on, and what it saved comes back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createSeededRandom } from "@holdfast/testkit";
import { EXIT } from "./harness/agent.ts";
import { differencesOf } from "./harness/compare.ts";
import { type Installation, install } from "./harness/installation.ts";
import { makeManyFiles, makeRandomFile } from "./harness/sample-tree.ts";

const LIMITED = { timeout: 180_000 };
const BIG_FILE_BYTES = 200 * 1024 * 1024;

/** A folder that takes some seconds to send. */
function makeSource(installation: Installation): string {
  const source = installation.scratch.folder("source");
  makeManyFiles(source, 300, 7);
  makeRandomFile(join(source, "big"), BIG_FILE_BYTES, createSeededRandom(11).u32());
  return source;
}

describe("a backup that is running", () => {
  it("survives a new certificate of the node, taken up without a restart", LIMITED, async () => {
    await using installation = await install("renewal");
    const { agent, node, scratch } = installation;
    const source = makeSource(installation);
    const backup = agent.run(["backup", source]);
    await Bun.sleep(500);
    await node.command("certificate", "issue");
    const ran = await backup;
    assert.equal(ran.code, EXIT.ok, ran.stderr);
    assert.match(node.log(), /"message":"certificates reloaded"/);
    await agent.ok(["restore", "latest", "--target", scratch.at("restored")]);
    assert.deepEqual(await differencesOf(source, join(scratch.at("restored"), source)), []);
  });

  it("is cut within a minute when its device is revoked", LIMITED, async () => {
    await using installation = await install("cut");
    const { agent, node } = installation;
    const source = makeSource(installation);
    const backup = agent.run(["backup", source]);
    await Bun.sleep(500);
    const [device] = await node.devices("ada");
    const startedMs = performance.now();
    await node.revoke(device as string);
    const ran = await backup;
    assert.equal(ran.code, EXIT.refused, ran.stderr);
    assert.match(ran.stderr, /revoked/);
    assert.ok(performance.now() - startedMs < 60_000);
  });
});
