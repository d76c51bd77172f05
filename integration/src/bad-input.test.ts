/** What goes wrong in the world: one clear fault each, nothing lost, nothing half-written. Whole programs on loopback. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { encodeInvite, parseInvite } from "@holdfast/protocol";
import { type Agent, EXIT } from "./harness/agent.ts";
import { differencesOf } from "./harness/compare.ts";
import { listSnapshots } from "./harness/crash.ts";
import { type Installation, install } from "./harness/installation.ts";
import { ROOT_USER, skipWithout } from "./harness/needs.ts";
import { FaultProxy, type NetworkFault } from "./harness/proxy.ts";
import { runOk, said } from "./harness/run.ts";
import { makeManyFiles, makeRandomFile } from "./harness/sample-tree.ts";
import { createScratch } from "./harness/scratch.ts";
import { mountSmallDisk } from "./harness/small-disk.ts";
import { deleteJournalEntry, flipStoredBit, storedRecords, swapStored } from "./harness/vault-data.ts";

const MIB = 1024 * 1024;

/** Enrols a second device of the installation's account and opens the vault on it. */
async function joinDevice(installation: Installation, name: string): Promise<Agent> {
  const device = installation.anotherAgent(name);
  await device.enroll(await installation.node.invite({ account: "ada" }));
  await device.ok(["join", "--passphrase-file", installation.agent.passphrasePath]);
  return device;
}

/** The node goes back to what it was when `save` was called. */
async function saveNode(installation: Installation): Promise<() => Promise<void>> {
  const { node, scratch } = installation;
  const copy = scratch.at("saved-node");
  await node.stop();
  await runOk(["cp", "-a", node.data, copy]);
  await node.serve();
  return async () => {
    await node.stop();
    rmSync(node.data, { recursive: true });
    await runOk(["cp", "-a", copy, node.data]);
    await node.serve();
  };
}

describe("secrets and state", () => {
  let installation: Installation;
  before(async () => {
    installation = await install("secrets");
  });
  after(async () => installation[Symbol.asyncDispose]());

  it("a wrong passphrase and a wrong recovery code are told from other faults, and open nothing", async () => {
    const { node, scratch } = installation;
    const device = installation.anotherAgent("guesser");
    await device.enroll(await node.invite({ account: "ada" }));
    writeFileSync(scratch.at("wrong"), "not the passphrase\n");
    const ran = await device.expect(EXIT.passphrase, ["join", "--passphrase-file", scratch.at("wrong")]);
    assert.ok(!said(ran).includes("not the passphrase"));
    writeFileSync(scratch.at("wrong-code"), `${"abandon ".repeat(23)}art\n`);
    await device.expect(EXIT.passphrase, ["join", "--recovery-file", scratch.at("wrong-code")]);
    assert.notEqual((await device.run(["backup", scratch.path])).code, EXIT.ok);
    await device.ok(["join", "--recovery-file", installation.agent.recoveryPath]);
  });

  it("a second init is refused, and leaves the vault as it was", async () => {
    const { agent, scratch } = installation;
    await agent.expect(EXIT.usage, ["init", "--passphrase-file", agent.passphrasePath, "--recovery-file", scratch.at("again")]);
    assert.equal(existsSync(scratch.at("again")), false);
    await agent.ok(["snapshots"]);
  });

  it("a key that others may read is refused", async () => {
    const { agent } = installation;
    chmodSync(agent.stateFile("device.seed"), 0o644);
    const ran = await agent.run(["snapshots"]);
    chmodSync(agent.stateFile("device.seed"), 0o600);
    assert.notEqual(ran.code, EXIT.ok);
    assert.match(said(ran), /device\.seed/);
  });

  it("an environment that turns certificate checks off is refused", async () => {
    await installation.agent.expect(EXIT.refused, ["snapshots"], { env: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } });
  });

  it("losing every cache costs time only", async () => {
    const { agent, scratch } = installation;
    const source = scratch.folder("cache-source");
    makeManyFiles(source, 200);
    await agent.ok(["backup", source]);
    rmSync(agent.stateFile("cache"), { recursive: true });
    await agent.ok(["restore", "latest", "--target", scratch.at("cache-restored"), "--path", source]);
    assert.deepEqual(await differencesOf(source, join(scratch.at("cache-restored"), source)), []);
    await agent.ok(["backup", source]);
  });
});

describe("a hostile or broken storage node", () => {
  it("flipped bits in one stored pack cost the files in it: they are named, the others are whole, none is half there", async () => {
    await using installation = await install("flipped");
    const { scratch, agent, node } = installation;
    const source = scratch.folder("source");
    for (let number = 0; number < 8; number++) makeRandomFile(join(source, `file-${number}`), 4 * MIB, number);
    await agent.ok(["backup", source]);
    await node.stop();
    const packs = storedRecords(installation).filter((record) => record.kind === 3);
    assert.ok(packs.length >= 3);
    flipStoredBit(installation, packs[1] as never);
    await node.serve();
    const target = scratch.at("restored");
    const ran = await agent.expect(EXIT.unreadable, ["restore", "latest", "--target", target]);
    const present = readdirSync(join(target, source)).sort();
    const missing = readdirSync(source).filter((name) => !present.includes(name));
    assert.ok(missing.length > 0 && missing.length < 8, `missing: ${missing.join()}`);
    for (const name of missing) assert.ok(said(ran).includes(name), `${name} is not named`);
    for (const name of present)
      assert.ok(Buffer.from(await Bun.file(join(target, source, name)).bytes()).equals(Buffer.from(await Bun.file(join(source, name)).bytes())), name);
  });

  it("a record in another one's place is refused", async () => {
    await using installation = await install("swapped");
    const { scratch, agent, node } = installation;
    const source = scratch.folder("source");
    for (let number = 0; number < 8; number++) makeRandomFile(join(source, `file-${number}`), 4 * MIB, number);
    await agent.ok(["backup", source]);
    await node.stop();
    const packs = storedRecords(installation).filter((record) => record.kind === 3);
    swapStored(installation, packs[0] as never, packs[1] as never);
    await node.serve();
    const ran = await agent.run(["restore", "latest", "--target", scratch.at("restored")]);
    assert.equal(ran.code, EXIT.unreadable, said(ran));
    for (const name of readdirSync(join(scratch.at("restored"), source))) {
      assert.ok(
        Buffer.from(await Bun.file(join(scratch.at("restored"), source, name)).bytes()).equals(Buffer.from(await Bun.file(join(source, name)).bytes())),
        name,
      );
    }
  });

  it("that was put back to an older state raises the alarm, on every command, until the state is right again", async () => {
    await using installation = await install("rolled-back");
    const { scratch, agent } = installation;
    const source = scratch.folder("source");
    makeManyFiles(source, 50);
    await agent.ok(["backup", source]);
    const rollBack = await saveNode(installation);
    writeFileSync(join(source, "more"), "more");
    await agent.ok(["backup", source]);
    await rollBack();
    for (const args of [["snapshots"], ["backup", source], ["restore", "latest", "--target", scratch.at("restored")]]) {
      const ran = await agent.expect(EXIT.integrity, args);
      assert.match(said(ran), /journal/i);
    }
  });

  it("that shows one device another history than the other raises the alarm", async () => {
    await using installation = await install("forked");
    const { scratch, agent } = installation;
    const source = scratch.folder("source");
    makeManyFiles(source, 50);
    const second = await joinDevice(installation, "second");
    await agent.ok(["backup", source]);
    await second.ok(["snapshots"]);
    const rollBack = await saveNode(installation);
    await agent.ok(["backup", source]);
    await rollBack();
    await second.ok(["backup", source]);
    await agent.expect(EXIT.integrity, ["snapshots"]);
  });

  it("that leaves an entry out of the journal is found out, by a device without any memory too", async () => {
    await using installation = await install("gap");
    const { scratch, agent, node } = installation;
    const source = scratch.folder("source");
    makeManyFiles(source, 50);
    await agent.ok(["backup", source]);
    await agent.ok(["backup", source]);
    await node.stop();
    deleteJournalEntry(installation, 3);
    await node.serve();
    rmSync(agent.stateFile("cache"), { recursive: true, force: true });
    await agent.expect(EXIT.integrity, ["snapshots"]);
  });
});

describe("a target that is", () => {
  let installation: Installation;
  let source: string;
  before(async () => {
    installation = await install("targets");
    source = installation.scratch.folder("source");
    makeRandomFile(join(source, "big"), 12 * MIB, 1);
    makeManyFiles(source, 20);
    await installation.agent.ok(["backup", source]);
  });
  after(async () => installation[Symbol.asyncDispose]());

  it("full of symlinks that point outside is never followed", async () => {
    const { scratch, agent } = installation;
    const [target, outside] = [scratch.folder("with-links"), scratch.folder("outside")];
    const first = source.split("/")[1] as string;
    symlinkSync(outside, join(target, first));
    const ran = await agent.run(["restore", "latest", "--target", target, "--overwrite", "always"]);
    assert.deepEqual(readdirSync(outside), [], said(ran));
    mkdirSync(scratch.at("with-links-2"));
    symlinkSync(join(outside, "victim"), join(scratch.at("with-links-2"), "big"));
    writeFileSync(join(outside, "victim"), "untouched");
    await agent.run(["restore", `latest:${source}`, "--target", scratch.at("with-links-2"), "--overwrite", "always"]);
    assert.equal(await Bun.file(join(outside, "victim")).text(), "untouched");
  });

  it("not empty is refused unless overwriting was asked for", async () => {
    const { scratch, agent } = installation;
    const target = scratch.folder("not-empty");
    writeFileSync(join(target, "mine"), "mine");
    assert.notEqual((await agent.run(["restore", `latest:${source}`, "--target", target])).code, EXIT.ok);
    assert.deepEqual(readdirSync(target), ["mine"]);
    await agent.ok(["restore", `latest:${source}`, "--target", target, "--overwrite", "always"]);
    assert.equal(await Bun.file(join(target, "mine")).text(), "mine");
  });

  it("too small stops the restore with a clear fault; with more room it goes on", { skip: skipWithout(ROOT_USER) }, async () => {
    const { scratch, agent } = installation;
    await using disk = await mountSmallDisk(scratch.at("small-target"), 6 * MIB);
    const ran = await agent.run(["restore", `latest:${source}`, "--target", disk.path]);
    assert.notEqual(ran.code, EXIT.ok);
    assert.match(said(ran), /space|room|ENOSPC/i);
    const big = join(disk.path, "big");
    if (existsSync(big)) assert.equal((await Bun.file(big).bytes()).length, 12 * MIB, "a file under its name is whole");
    await disk.resize(64 * MIB);
    await agent.ok(["restore", `latest:${source}`, "--target", disk.path, "--overwrite", "if-changed"]);
    assert.deepEqual(
      (await differencesOf(source, disk.path)).filter((difference) => !/^"":|\.\/$/.test(difference)),
      [],
    );
  });
});

describe("a node whose disk is full", () => {
  it("refuses uploads cleanly, keeps what it has, and takes the rest when there is room", { skip: skipWithout(ROOT_USER) }, async () => {
    using outer = createScratch("full-node");
    await using disk = await mountSmallDisk(outer.at("disk"), 40 * MIB);
    await using installation = await install("full", { node: { data: join(disk.path, "node"), reserveBytes: 8 * MIB } });
    const { scratch, agent } = installation;
    const source = scratch.folder("source");
    writeFileSync(join(source, "first"), "saved before the disk was full");
    await agent.ok(["backup", source]);
    for (let number = 0; number < 8; number++) makeRandomFile(join(source, `file-${number}`), 6 * MIB, number);
    const ran = await agent.run(["backup", source], { limitMs: 120_000 });
    assert.notEqual(ran.code, EXIT.ok);
    assert.match(said(ran), /space|room|quota|full|disk/i);
    await agent.ok(["restore", "latest", "--target", scratch.at("restored-first")]);
    assert.equal(await Bun.file(join(scratch.at("restored-first"), source, "first")).text(), "saved before the disk was full");
    await disk.resize(256 * MIB);
    await agent.ok(["backup", source]);
    await agent.ok(["restore", "latest", "--target", scratch.at("restored")]);
    assert.deepEqual(await differencesOf(source, join(scratch.at("restored"), source)), []);
  });
});

describe("a network that", () => {
  let installation: Installation;
  let source: string;
  before(async () => {
    installation = await install("network");
    source = installation.scratch.folder("source");
    makeManyFiles(source, 100);
    for (let number = 0; number < 4; number++) makeRandomFile(join(source, `file-${number}`), 6 * MIB, number);
  });
  after(async () => installation[Symbol.asyncDispose]());

  /** An agent whose every connection goes through a proxy, with an account of its own. */
  async function behindProxy(name: string): Promise<{ device: Agent; proxy: FaultProxy }> {
    const { node } = installation;
    const proxy = await FaultProxy.start(node.agentPort);
    const device = installation.anotherAgent(name);
    const invite = parseInvite(await node.invite({ account: name }));
    await device.enroll(encodeInvite({ ...invite, agentPort: proxy.port }));
    await device.ok(["init", "--passphrase-file", installation.agent.passphrasePath, "--recovery-file", `${device.state}.recovery`]);
    return { device, proxy };
  }

  const faults: Readonly<Record<string, NetworkFault>> = {
    "cuts every upload after 3 MB, twice a connection slot": { cutAtByte: 3_000_000, connectionCount: 6 },
    "resets connections in the middle of a handshake": { resetAtByte: 700, connectionCount: 3 },
    "cuts answers": { cutAtByte: 2_000, direction: "down", connectionCount: 4 },
    "delivers 1,000 bytes at a time": { sliceBytes: 1000 },
  };
  /** A backup and a restore of the source through a network with `fault`; what differs. */
  async function surviveFault(name: string, fault: NetworkFault): Promise<string[]> {
    const { device, proxy } = await behindProxy(name);
    await using _proxy = proxy;
    proxy.fault = { ...fault, ...(fault.connectionCount === undefined ? {} : { connectionCount: proxy.connectionCount + fault.connectionCount }) };
    await device.ok(["backup", source]);
    if (fault.sliceBytes === undefined) assert.ok(proxy.faultCount > 0, "the fault never happened");
    proxy.fault = null;
    const target = `${device.state}-restored`;
    await device.ok(["restore", "latest", "--target", target]);
    return differencesOf(source, join(target, source));
  }

  // All at once: most of the time goes by in waiting for the next try.
  const outcomes = new Map<string, Promise<PromiseSettledResult<string[]>[]>>();
  before(() => {
    for (const [index, [name, fault]] of Object.entries(faults).entries()) outcomes.set(name, Promise.allSettled([surviveFault(`proxy-${index}`, fault)]));
  });
  for (const name of Object.keys(faults)) {
    it(`${name} costs time only`, async () => {
      const [outcome] = (await outcomes.get(name)) ?? [];
      if (outcome?.status !== "fulfilled") throw outcome?.reason;
      assert.deepEqual(outcome.value, []);
    });
  }

  it("leads nowhere is told as such, and nothing is lost", async () => {
    const { agent, node } = installation;
    await node.stop();
    await agent.expect(EXIT.network, ["backup", source], { limitMs: 200_000 });
    await node.serve();
    await agent.ok(["backup", source]);
    assert.equal((await listSnapshots(installation)).length, 1);
  });
});
