/** Invites through the real front port: what each one carries, and what happens to those who guess. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { isFault } from "@holdfast/base";
import { createSystemRandom } from "@holdfast/base/node";
import { createSigner, generateSigningKey, type Signer } from "@holdfast/crypto/signature";
import { parseInvite } from "@holdfast/protocol";
import { askForDevices, askForInvite, askForRevocationLists, askToRename, type InviteOrder } from "./control-node.ts";
import { ADDRESS_TRIES } from "./enrolment-limit.ts";
import { NodeFixture } from "./testing/node-fixture.ts";
import { enrollDevice } from "./testing/test-client.ts";

const random = createSystemRandom();
const newSigner = (): Signer => createSigner(generateSigningKey(random).seed);
const ORDER: InviteOrder = { account: "ada", edition: "se", roles: ["agent"], expiresMs: 60_000, quotaBytes: 1000 };

const LIMITED = { timeout: 60_000 };

let node: NodeFixture;
before(async () => {
  node = await NodeFixture.create();
}, LIMITED);
after(() => node[Symbol.asyncDispose](), LIMITED);

const order = (change: Partial<InviteOrder> = {}) => askForInvite(node.folder.controlPath, { ...ORDER, ...change });

describe("an invite", () => {
  it("carries account, edition, roles, quota and group to the device that redeems it", LIMITED, async () => {
    const { code, account, rootWords } = await order({ roles: ["auditor", "agent"], group: "lab" });
    assert.equal(account, "ada");
    assert.equal(rootWords.split(" ").length, 12);
    const signer = newSigner();
    const { answer } = await enrollDevice(parseInvite(code), node.rootPem, signer);
    assert.deepEqual([answer.accountName, answer.edition], ["ada", "se"]);
    const [device] = (await askForDevices(node.folder.controlPath)).filter((row) => row.account === "ada");
    assert.deepEqual([device?.roles, device?.words.split(" ").length], ["agent,auditor", 12]);
  });

  it("is refused when the account is of another edition or in another group", LIMITED, async () => {
    await order({ group: "lab" });
    await assert.rejects(order({ edition: "ese" }), { code: "conflict" });
    await assert.rejects(order({ group: "other" }), { code: "conflict" });
    await assert.rejects(order({ group: "a/b" }), { code: "input" });
    await assert.rejects(order({ expiresMs: 59_999 }), { code: "input" });
  });

  it("that is refused for its group leaves no code and no account behind", LIMITED, async () => {
    await order({ account: "bob", group: "lab" });
    await assert.rejects(order({ account: "bob", group: "other" }), { code: "conflict" });
    await order({ account: "bob", group: "lab" });
  });

  it("that fails tells nothing: unknown, used and expired have one answer, no sooner than a quarter of a second", LIMITED, async () => {
    const used = parseInvite((await order()).code);
    await enrollDevice(used, node.rootPem, newSigner());
    const expiredSecret = random.bytes(16);
    const { store } = node.node.services;
    const account = { accountName: "ada", edition: "se" as const, quotaBytes: null, roles: ["agent" as const], accountId: random.bytes(16) as never };
    await store.writer.call("addInvite", [{ secret: expiredSecret, ...account, nowMs: 1, expiresAtMs: 2 }]);
    const messages = new Set<string>();
    for (const secret of [used.secret, expiredSecret, random.bytes(16)]) {
      const startedMs = performance.now();
      await assert.rejects(
        enrollDevice({ ...used, secret }, node.rootPem, newSigner()),
        (error) => isFault(error, "denied") && messages.add(error.message) !== null,
      );
      assert.ok(performance.now() - startedMs >= 245, `${performance.now() - startedMs} ms`);
    }
    assert.equal(messages.size, 1);
  });
});

describe("devices of the running node", () => {
  it("are renamed, by labels that cannot command a terminal", LIMITED, async () => {
    const path = node.folder.controlPath;
    const [first] = await askForDevices(path);
    assert.ok(first);
    await askToRename(path, first.device, "Büro 3, Regal");
    assert.equal((await askForDevices(path))[0]?.label, "Büro 3, Regal");
    for (const label of ["", "a\u001b[2J", "a\nb", "a\u202eb", "x".repeat(257), "ü".repeat(200)])
      await assert.rejects(askToRename(path, first.device, label), { code: "input" }, label);
    await assert.rejects(askToRename(path, "00".repeat(16), "x"), { code: "missing" });
    assert.equal((await askForDevices(path))[0]?.label, "Büro 3, Regal");
  });

  it("are checked against lists that anyone may read", LIMITED, async () => {
    const lists = await askForRevocationLists(node.folder.controlPath);
    assert.equal(lists, node.node.services.identity.revocationLists().join(""));
    assert.equal(lists.match(/BEGIN X509 CRL/g)?.length, 2);
  });
});

describe("guessing codes", () => {
  it("is answered busy after so many failures, the right code too, and leaves that code good", LIMITED, async () => {
    await using other = await NodeFixture.create();
    const invite = await other.invite("ada");
    const guesses = Array.from({ length: ADDRESS_TRIES.triesMax }, () => enrollDevice({ ...invite, secret: random.bytes(16) }, other.rootPem, newSigner()));
    for (const guess of await Promise.allSettled(guesses)) assert.ok(guess.status === "rejected" && isFault(guess.reason, "denied"), JSON.stringify(guess));
    for (const secret of [random.bytes(16), invite.secret]) {
      await assert.rejects(enrollDevice({ ...invite, secret }, other.rootPem, newSigner()), { code: "busy", message: /come back later/ });
    }
    await other.stop();
    await other.start();
    const { frontPort, agentPort } = other.node;
    await enrollDevice({ ...invite, frontPort, agentPort }, other.rootPem, newSigner());
  });

  it("is not counted for those who succeed", LIMITED, async () => {
    await using other = await NodeFixture.create();
    for (let count = 0; count < ADDRESS_TRIES.triesMax + 5; count++) await enrollDevice(await other.invite("ada"), other.rootPem, newSigner());
  });
});
