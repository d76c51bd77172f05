/** Several devices of one account: they share a vault and its content, join and leave, and change its keys under one another. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { findRuntime } from "../tools/runtimes.mjs";
import { AGENT_MAIN, Agent, EXIT, PASSPHRASE, RESTORE_EVERYTHING } from "./harness/agent.ts";
import { differencesOf } from "./harness/compare.ts";
import { listSnapshots } from "./harness/crash.ts";
import { type Installation, install } from "./harness/installation.ts";
import { runtimeNeed, skipWithout } from "./harness/needs.ts";
import { runOk, said } from "./harness/run.ts";
import { makeManyFiles, makeRandomFile, makeSampleTree } from "./harness/sample-tree.ts";

const MIB = 1024 * 1024;

describe("devices of one account", () => {
  let installation: Installation;
  let first: Agent;
  let second: Agent;
  let source: string;

  before(async () => {
    installation = await install("devices");
    first = installation.agent;
    source = installation.scratch.folder("source");
    makeRandomFile(join(source, "big"), 12 * MIB, 1);
    makeManyFiles(source, 50);
    await first.ok(["backup", source]);
    second = installation.anotherAgent("second", "node24");
    await second.enroll(await installation.node.invite({ account: "ada" }));
  });
  after(async () => installation[Symbol.asyncDispose]());

  it("a machine without any state opens the vault with the recovery code and restores", async () => {
    await second.ok(["join", "--recovery-file", first.recoveryPath]);
    const target = installation.scratch.at("by-recovery-code");
    assert.deepEqual(await differencesOf(source, await second.restore(source, target)), []);
  });

  it("take nobody's word for what is stored: each sends its own content, and restores what the other saved", async () => {
    await second.ok(["backup", source, "--host", "another"]);
    const target = installation.scratch.at("of-the-other");
    await first.ok(["restore", "latest", "--host", "another", "--target", target]);
    assert.deepEqual(await differencesOf(source, join(target, source)), []);
  });

  it("commit at the same time, and both succeed in turn", async () => {
    const count = (await listSnapshots(installation)).length;
    const runs = await Promise.all([first, second].map((agent, number) => agent.run(["backup", source, "--host", `host-${number}`])));
    for (const ran of runs) assert.equal(ran.code, EXIT.ok, said(ran));
    assert.equal((await listSnapshots(installation)).length, count + 2);
  });

  it("a second run on the same state folder is told to wait, and disturbs nothing", async () => {
    const runs = await Promise.all([first.run(["backup", source, "--force"]), first.run(["backup", source, "--force"])]);
    assert.deepEqual(runs.map((ran) => ran.code).sort(), [EXIT.ok, EXIT.busy], runs.map(said).join());
  });

  it("a changed passphrase opens, the one before does not, and the recovery code still does", async () => {
    const { scratch } = installation;
    writeFileSync(scratch.at("new-passphrase"), "another passphrase, also for tests\n", { mode: 0o600 });
    await first.ok(["key", "change-passphrase", "--passphrase-file", first.passphrasePath, "--new-passphrase-file", scratch.at("new-passphrase")]);
    await second.expect(EXIT.passphrase, ["unlock", "--passphrase-file", first.passphrasePath]);
    await second.ok(["unlock", "--passphrase-file", scratch.at("new-passphrase")]);
    await second.ok(["unlock", "--recovery-file", first.recoveryPath]);
    writeFileSync(scratch.at("old-again"), `${PASSPHRASE}\n`, { mode: 0o600 });
    await first.ok(["key", "change-passphrase", "--passphrase-file", scratch.at("new-passphrase"), "--new-passphrase-file", scratch.at("old-again")]);
  });

  it("after a rotation each unlocks once, and snapshots of both epochs restore", async () => {
    const { scratch } = installation;
    const old = String((await listSnapshots(installation)).at(-1)?.entry);
    await first.ok(["key", "rotate-epoch", "--passphrase-file", first.passphrasePath]);
    writeFileSync(join(source, "of-the-new-epoch"), "new");
    await first.ok(["backup", source]);
    assert.notEqual((await second.run(["backup", source])).code, EXIT.ok, "a device without the new keys cannot write");
    await second.ok(["unlock", "--passphrase-file", first.passphrasePath]);
    await second.ok(["backup", source, "--host", "another"]);
    assert.deepEqual(await differencesOf(source, await second.restore(source, scratch.at("new-epoch"))), []);
    await second.ok(["restore", old, "--target", scratch.at("old-epoch")]);
    assert.equal(await Bun.file(join(scratch.at("old-epoch"), source, "of-the-new-epoch")).exists(), false);
  });

  it("a revoked one is refused, the other goes on", async () => {
    const status = JSON.parse((await second.ok(["status", "--json"])).stdout.trim().split("\n").at(-1) ?? "{}") as { device: string };
    await first.ok(["device", "revoke", status.device, "--passphrase-file", first.passphrasePath]);
    const count = (await listSnapshots(installation)).length;
    const refused = await second.run(["backup", source]);
    // By an answer, or, once the node's ports have loaded the new revocation list, by a closed connection.
    assert.ok(refused.code === EXIT.refused || refused.code === EXIT.network, said(refused));
    assert.equal((await listSnapshots(installation)).length, count);
    await first.ok(["backup", source]);
  });
});

describe("under Deno", () => {
  it("the permissions that docs/agent.md names are enough", { skip: skipWithout(runtimeNeed("deno")) }, async () => {
    await using installation = await install("deno-permissions");
    const { node, scratch } = installation;
    const agent = new Agent("deno", scratch.folder("deno-state"));
    const source = scratch.at("source");
    const target = scratch.at("restored");
    await makeSampleTree(source);
    const invite = await node.invite({ account: "narrow" });
    const secrets = ["--passphrase-file", installation.agent.passphrasePath, "--recovery-file", join(agent.state, "recovery")];
    const ports = { front: `localhost:${node.frontPort}`, agent: `localhost:${node.agentPort}` };
    const common = ["--allow-read", "--allow-env", "--no-prompt"];
    const write = (...paths: readonly string[]): string => `--allow-write=${[agent.state, ...paths].join(",")}`;
    const deno = (flags: readonly string[], args: readonly string[]) =>
      runOk([findRuntime("deno")?.command ?? "deno", "run", "--no-lock", "--quiet", ...common, ...flags, AGENT_MAIN, ...args, "--state", agent.state]);
    const everyday = [`--allow-net=${ports.agent}`, "--allow-sys=hostname,uid", "--allow-ffi"];
    await deno([`--allow-net=${ports.front}`, "--allow-sys", write()], ["enroll", invite]);
    await deno([...everyday, write()], ["init", ...secrets]);
    await deno([...everyday, write()], ["backup", source]);
    await deno([`--allow-net=${ports.agent}`, "--allow-sys", "--allow-ffi", write(target)], ["restore", "latest", "--target", target, ...RESTORE_EVERYTHING]);
    assert.deepEqual(await differencesOf(source, join(target, source)), []);
  });
});

describe("a file that changes while it is read", () => {
  it("is saved, said, and the rest of the backup is whole", async () => {
    await using installation = await install("changing");
    const { agent, scratch } = installation;
    const source = scratch.folder("source");
    makeManyFiles(source, 20);
    makeRandomFile(join(source, "busy"), 40 * MIB, 1);
    const writer = Bun.spawn(["sh", "-c", 'while :; do printf x >> "$1"; done', "sh", join(source, "busy")]);
    const ran = await agent.run(["backup", source]);
    writer.kill("SIGKILL");
    await writer.exited;
    assert.ok(ran.code === EXIT.ok || ran.code === EXIT.unreadable, said(ran));
    assert.match(said(ran), /busy.*chang|chang.*busy/s);
    await agent.run(["restore", "latest", "--target", scratch.at("restored")]);
    assert.equal(await Bun.file(join(scratch.at("restored"), source, "d0", "f0")).text(), await Bun.file(join(source, "d0", "f0")).text());
    await agent.ok(["backup", source]);
    await agent.ok(["restore", "latest", "--target", scratch.at("restored-again")]);
    assert.deepEqual(await differencesOf(source, join(scratch.at("restored-again"), source)), []);
  });
});
