/** Another root, with real TLS: what was enrolled before goes on, in the overlap and after it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bytesToHex, type Clock } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { checkNextRoot, createCsr, createKeyPair, DAY_MS, parseCertificatePem } from "@holdfast/pki";
import { asDeviceId } from "@holdfast/protocol";
import { renewFor } from "../enrolment.ts";
import { readNextRoot } from "../root-announcement.ts";
import { type EnrolledClient, NodeFixture } from "../testing/node-fixture.ts";
import { TestClient } from "../testing/test-client.ts";
import { finishRotation, type RotateOptions, rotateRoot } from "./ca.ts";
import { issueIntermediate } from "./certificate.ts";

const ACCOUNT = { target: "/v1/account" };
const random = createSystemRandom();
const disk = createNodeDisk();

const LIMITED = { timeout: 60_000 };

let node: NodeFixture;
let ada: EnrolledClient;
let bob: EnrolledClient;
let oldRootPem: string;

before(async () => {
  node = await NodeFixture.create();
  ada = await node.enroll("ada");
  bob = await node.enroll("bob");
  oldRootPem = node.rootPem;
  await node.stop();
}, LIMITED);
after(() => node[Symbol.asyncDispose](), LIMITED);

function options(change: Partial<RotateOptions> = {}): RotateOptions {
  const passphrases = { passphrase: "a long passphrase", newPassphrase: "another passphrase" };
  return { disk, clock: createSystemClock(), random, data: node.folder.path, overlapMs: 60 * DAY_MS, ...passphrases, ...change };
}

function clockIn(days: number): Clock {
  const clock = createSystemClock();
  return { nowMs: () => clock.nowMs() + days * DAY_MS, monotonicMs: () => clock.monotonicMs(), sleep: (delayMs, signal) => clock.sleep(delayMs, signal) };
}

async function status(enrolled: EnrolledClient, rootPem: string): Promise<number> {
  using client = new TestClient("localhost", node.node.agentPort, rootPem, enrolled.signer, enrolled.identity);
  return (await client.exchange(ACCOUNT)).status;
}

const filesOf = (): string => JSON.stringify(node.folder.list("pki").map((name) => [name, node.folder.readText(`pki/${name}`)]));

describe("another root", () => {
  it("is not begun with a wrong passphrase, nor when the intermediate ends within the overlap, and nothing changes", LIMITED, async () => {
    const files = filesOf();
    await assert.rejects(rotateRoot(options({ passphrase: "a wrong passphrase" })), { code: "denied" });
    await assert.rejects(rotateRoot(options({ overlapMs: 366 * DAY_MS })), { code: "conflict" });
    await assert.rejects(finishRotation({ ...options(), now: true, dryRun: false }), { code: "missing" });
    assert.equal(filesOf(), files);
  });

  it("is made beside the old one, which vouches for it, and changes nothing for those who know only the old one", LIMITED, async () => {
    const { rootSpkiSha256 } = await rotateRoot(options());
    const next = readNextRoot(node.folder);
    assert.ok(next);
    const root = await checkNextRoot(oldRootPem, next, createSystemClock().nowMs());
    assert.equal(bytesToHex(root.spkiHash), rootSpkiSha256);
    assert.notEqual(root.subject, (await parseCertificatePem(oldRootPem)).subject);
    await node.start();
    assert.equal(node.rootPem, oldRootPem);
    assert.equal(await status(ada, oldRootPem), 200);
    assert.equal(await status(await node.enroll("carol"), oldRootPem), 200);
  });

  it("is told to a device with its renewal", LIMITED, async () => {
    const { privateKeyPem } = await createKeyPair();
    const next = readNextRoot(node.folder);
    const device = asDeviceId(ada.client.device);
    const answer = await renewFor(node.node.services, await createCsr(privateKeyPem), device, next, "127.0.0.1");
    assert.deepEqual(answer.nextRoot, next);
    const other = await createCsr((await createKeyPair()).privateKeyPem);
    assert.deepEqual(Object.keys(await renewFor(node.node.services, other, device, null, "127.0.0.1")), ["certificate"]);
    ada = { ...ada, identity: { cert: answer.certificate, key: privateKeyPem } };
    assert.equal(await status(ada, oldRootPem), 200);
    await node.stop();
  });

  it("is begun once at a time, with the intermediate that it certified", LIMITED, async () => {
    await assert.rejects(rotateRoot(options()), { code: "conflict" });
    await assert.rejects(issueIntermediate(options(), "a long passphrase"), { code: "conflict" });
  });

  it("does not end before the overlap, and says who would be left behind", LIMITED, async () => {
    const files = filesOf();
    await assert.rejects(finishRotation({ ...options({ clock: clockIn(59) }), now: false, dryRun: false }), { code: "conflict" });
    const { finished, leftBehind } = await finishRotation({ ...options(), now: false, dryRun: true });
    assert.deepEqual([finished, leftBehind.map(({ account }) => account).sort()], [false, ["bob", "carol"]]);
    assert.equal(leftBehind[0]?.words.split(" ").length, 12);
    assert.equal(filesOf(), files);
  });

  it("takes the place of the old one: certificates from before it are good, the old root is not", LIMITED, async () => {
    const { leftBehind } = await finishRotation({ ...options({ clock: clockIn(61) }), now: false, dryRun: false });
    assert.equal(leftBehind.length, 2);
    assert.deepEqual(
      node.folder.list("pki").filter((name) => /next|pending|ready/.test(name)),
      [],
    );
    assert.match(readFileSync(join(node.folder.path, "pki/root-key.locked.pem"), "utf8"), /ENCRYPTED/);
    await node.start();
    assert.notEqual(node.rootPem, oldRootPem);
    assert.deepEqual(await node.node.services.identity.findings(), []);
    assert.equal(await status(ada, node.rootPem), 200);
    assert.equal(await status(bob, node.rootPem), 200, "once somebody has brought it the new root");
    await assert.rejects(status(ada, oldRootPem), /self.signed|issuer|verify|UNABLE|certificate/i);
    assert.equal(await status(await node.enroll("dora"), node.rootPem), 200);
  });

  it("still revokes what was issued before it", LIMITED, async () => {
    await node.node.services.store.writer.call("revokeDevice", [bob.client.device]);
    await node.node.check();
    assert.notEqual(await status(bob, node.rootPem).catch(() => 403), 200);
    assert.equal(await status(ada, node.rootPem), 200);
    await node.stop();
  });

  it("signs with its own key and passphrase from then on, also when that is kept elsewhere", LIMITED, async () => {
    await assert.rejects(issueIntermediate(options(), "a long passphrase"), { code: "denied" });
    await issueIntermediate(options(), "another passphrase");
    const out = join(node.folder.path, "..", "root-key-off-the-node.pem");
    await rotateRoot(options({ passphrase: "another passphrase", rootKeyOutPath: out }));
    await assert.rejects(rotateRoot(options({ passphrase: "another passphrase", rootKeyOutPath: out })), { code: "conflict" });
    await finishRotation({ ...options(), now: true, dryRun: false });
    assert.equal(node.folder.list("pki").includes("root-key.locked.pem"), false);
    await assert.rejects(issueIntermediate(options(), "another passphrase"), { code: "missing", message: /--root-key FILE/ });
    await issueIntermediate({ ...options(), rootKeyPath: out }, "another passphrase");
    await node.start();
    assert.equal(await status(ada, node.rootPem), 200, "through two roots and two intermediates");
  });
});
