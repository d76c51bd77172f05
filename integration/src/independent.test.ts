/** The format is enough: a reader in another language, written from docs/format.md alone, restores what the agent has stored. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT } from "../tools/runtimes.mjs";
import { compareTrees } from "./harness/compare.ts";
import { type Installation, install } from "./harness/installation.ts";
import { pythonNeed, skipWithout } from "./harness/needs.ts";
import { runOk } from "./harness/run.ts";
import { makeSampleTree } from "./harness/sample-tree.ts";

const READER = ["/usr/bin/python3", join(ROOT, "integration/independent/holdfast_read.py")];
const skip = skipWithout(pythonNeed("cryptography"), pythonNeed("argon2"), pythonNeed("zstandard"));

describe("the independent reader", () => {
  let installation: Installation;
  let source: string;

  before(async () => {
    if (skip !== false) return;
    installation = await install("independent");
    source = installation.scratch.at("source");
    await makeSampleTree(source);
    await installation.agent.ok(["backup", source]);
    writeFileSync(join(source, "second"), "of the second snapshot");
    await installation.agent.ok(["backup", source]);
    await installation.node.stop();
  });
  after(async () => installation?.[Symbol.asyncDispose]());

  const read = (...args: string[]) => runOk([...READER, "--data", installation.node.data, ...args]);

  it("lists the snapshots with the passphrase, and with the recovery code", { skip }, async () => {
    const { agent } = installation;
    const byPassphrase = await read("--passphrase-file", agent.passphrasePath, "--list");
    const byCode = await read("--recovery-code-file", agent.recoveryPath, "--list");
    assert.equal(byPassphrase.stdout, byCode.stdout);
    assert.equal(
      byPassphrase.stdout
        .trim()
        .split("\n")
        .filter((line) => /[0-9a-f]{8}/.test(line)).length >= 2,
      true,
      byPassphrase.stdout,
    );
  });

  it("restores the latest one identical", { skip }, async () => {
    const { agent, scratch } = installation;
    const target = scratch.at("restored");
    await read("--passphrase-file", agent.passphrasePath, "--restore", "latest", "--target", target);
    assert.deepEqual(await compareTrees(source, join(target, source)), []);
  });

  it("finds every object by the packs alone", { skip }, async () => {
    const { agent, scratch } = installation;
    const target = scratch.at("restored-without-index");
    await read("--passphrase-file", agent.passphrasePath, "--restore", "latest", "--target", target, "--no-index");
    assert.deepEqual(await compareTrees(source, join(target, source)), []);
  });

  it("finds nothing wrong when it reads everything by the rules for writers", { skip }, async () => {
    const ran = await read("--passphrase-file", installation.agent.passphrasePath, "--verify");
    assert.ok(ran.stdout.length > 0);
  });
});
