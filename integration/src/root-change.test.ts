/** An agent and a storage node that moves to another root by its own command (`holdfast-node ca rotate`), over real TLS. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { createHttpsNet, createSignedSession } from "@holdfast/client";
import { spkiHashOfCertificate } from "@holdfast/pki";
import { asAccountId, parseInvite } from "@holdfast/protocol";
import { connect } from "../../apps/agent/src/session/connection.ts";
import { nextRootPath } from "../../apps/agent/src/session/next-root.ts";
import { renewCertificate } from "../../apps/agent/src/session/renew-certificate.ts";
import { passGate } from "../../apps/agent/src/session/tls-files.ts";
import { requireIdentity, writeIdentity } from "../../apps/agent/src/state/identity.ts";
import { statePaths } from "../../apps/agent/src/state/state-paths.ts";
import { enrollDevice } from "../../apps/storage-node/src/testing/test-client.ts";
import { asSigningSeed, createSigner, deviceIdOf, sha256 } from "../../packages/crypto/src/index.ts";
import { findRuntime, ROOT } from "../tools/runtimes.mjs";
import { readRoot } from "./harness/hand-made-device.ts";
import { runOk } from "./harness/run.ts";
import { createScratch } from "./harness/scratch.ts";
import { StorageNode } from "./harness/storage-node.ts";

const LIMITED = { timeout: 60_000 };
const ports = { disk: createNodeDisk(), clock: createSystemClock(), random: createSystemRandom() };
const scratch = createScratch("root-change");
const paths = statePaths(join(scratch.path, "state"));
const seed = asSigningSeed(ports.random.bytes(32));
const signer = createSigner(seed);
let node: StorageNode;

before(async () => {
  node = await StorageNode.start({ folder: scratch.path });
  const { answer, identity } = await enrollDevice(parseInvite(await node.invite({ account: "ada" })), readRoot(node), signer);
  writeIdentity(ports.disk, paths, {
    host: "localhost",
    agentPort: node.agentPort,
    frontPort: node.frontPort,
    device: deviceIdOf(signer.publicKey),
    account: asAccountId(answer.account),
    accountName: "ada",
    edition: "ese",
    label: "web-1",
    nodeKey: new Uint8Array(32),
    rootSpkiSha256: await spkiHashOfCertificate(answer.root),
    vault: null,
    enrolledAtMs: 0,
  });
  for (const [path, bytes] of [
    [paths.deviceKey, seed],
    [paths.tlsKey, utf8(identity.key)],
    [paths.tlsCertificate, utf8(identity.cert)],
    [paths.tlsRoot, utf8(answer.root)],
  ] as const)
    ports.disk.writeFile(path, bytes, 0o600);
}, LIMITED);
after(async () => {
  await node[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
}, LIMITED);

/** `holdfast-node ca rotate` on the node, which is stopped for it; the object that it prints. */
async function rotate(...more: string[]): Promise<Readonly<Record<string, unknown>>> {
  await node.stop();
  const command = [findRuntime("bun")?.command ?? "bun", join(ROOT, "apps/storage-node/src/main.ts"), "ca", "rotate", "--data", node.data, "--json"];
  const { stdout } = await runOk([...command, ...more]);
  await node.serve();
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
}

async function account(): Promise<string> {
  await using connection = await connect({ ports, paths, environment: {}, tlsProfile: "modern", mayRenew: true, triesMax: 1 });
  return (await connection.accountInfo()).accountName;
}

/** As a run does it when it is due. */
async function renew(): Promise<void> {
  const { host, agentPort: port, device } = requireIdentity(ports.disk, paths);
  const files = await passGate(ports, paths, { mayMend: true });
  const identity = { certificatePem: files.chainPem, keyPem: files.keyPem };
  await using net = createHttpsNet({ host, port, rootPem: files.rootPem, identity });
  const session = createSignedSession({ net, ...ports, host, port, device, sign: (base) => signer.sign("request", base), sha256: (bytes) => sha256(bytes) });
  await renewCertificate(ports, paths, session, files, (note) => assert.fail(note));
}

describe("a storage node that moves to another root", () => {
  it("tells the agent with its renewal, which changes nothing yet", LIMITED, async () => {
    assert.equal(await account(), "ada");
    const old = readRoot(node);
    await rotate("--passphrase-file", node.passphrasePath);
    await renew();
    assert.ok(ports.disk.stat(nextRootPath(paths)));
    assert.equal(await account(), "ada");
    assert.equal(readFileSync(paths.tlsRoot, "utf8"), old);
  });

  it("is followed when the old root is gone, and leaves nobody behind", LIMITED, async () => {
    const old = readRoot(node);
    const { finished, leftBehind } = await rotate("--finish", "--now");
    assert.deepEqual([finished, leftBehind], [true, []]);
    assert.notEqual(readRoot(node), old);
    assert.equal(await account(), "ada");
    assert.equal(readFileSync(paths.tlsRoot, "utf8"), readRoot(node));
    assert.equal(ports.disk.stat(nextRootPath(paths)), null);
  });

  it("renews as ever for an agent that knows the new root alone", LIMITED, async () => {
    assert.equal(await account(), "ada");
    await renew();
    assert.equal(ports.disk.stat(nextRootPath(paths)), null);
    assert.equal(await account(), "ada");
  });
});
