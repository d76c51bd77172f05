/** Agents and nodes killed in the middle of backups: nothing committed is lost, and the next run goes on from what is durable. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSeededRandom } from "@holdfast/testkit";
import { crashRounds } from "./harness/crash.ts";
import { install } from "./harness/installation.ts";
import { makeRandomFile } from "./harness/sample-tree.ts";
import { vaultBytes } from "./harness/vault-data.ts";

const ROUNDS = 6;
const SEED = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1_000_000);

describe(`killed at random moments (HOLDFAST_SEED=${SEED})`, () => {
  for (const victim of ["agent", "node"] as const) {
    it(`${victim}: every committed snapshot restores, and the next backup succeeds`, async () => {
      await using installation = await install(`crash-${victim}`);
      const report = await crashRounds({ installation, random: createSeededRandom(SEED), rounds: ROUNDS, victim });
      assert.deepEqual(report.problems, []);
      assert.ok(report.snapshots >= 2);
      assert.ok(report.killed > 0, "not one run was hit");
    });
  }
});

describe("after a kill", () => {
  it("the next backup sends only what was not durable and known to be so", async () => {
    await using installation = await install("resume");
    const { scratch, agent } = installation;
    const source = scratch.folder("source");
    const totalBytes = 96 * 1024 * 1024;
    for (let number = 0; number < 12; number++) makeRandomFile(scratch.at("source", `file-${number}`), totalBytes / 12, SEED + number);
    const child = Bun.spawn(agent.command("backup", source), { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    while (vaultBytes(installation) < totalBytes / 2 && child.exitCode === null) await Bun.sleep(5);
    child.kill("SIGKILL");
    await child.exited;
    const durableBytes = vaultBytes(installation);
    const summary = await agent.backup([source]);
    const sentBytes = Number(summary.bytesSent);
    assert.ok(sentBytes < totalBytes - durableBytes + 24 * 1024 * 1024, `${durableBytes} bytes were durable, ${sentBytes} sent of ${totalBytes}`);
  });
});
