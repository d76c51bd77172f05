/** Whom a real storage node lets in, and what it takes from those it has let in. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { encodeMessage, parseFault, parseInvite, type Role } from "@holdfast/protocol";
import { admission, needsOf, rejectsWith, snapshotBody, testId, testKey, testRecord } from "@holdfast/testkit";
import { enrollDevice, type TestAnswer } from "../../apps/storage-node/src/testing/test-client.ts";
import { beginVault, enrollByHand, foreignIdentity, putRecord, readRoot, reissuedIdentity, unknownIdentity } from "./harness/hand-made-device.ts";
import { createScratch } from "./harness/scratch.ts";
import { StorageNode } from "./harness/storage-node.ts";

const scratch = createScratch("attacks");
let node: StorageNode;
const DAY_MS = 86_400_000;

before(async () => {
  node = await StorageNode.start({ folder: scratch.path });
});
after(async () => {
  await node[Symbol.asyncDispose]();
  scratch[Symbol.dispose]();
});

/** Asserts that the answer is a refusal with `code`. */
function refusedWith(answer: TestAnswer, code: string): void {
  assert.equal(parseFault(answer.status, answer.body).code, code, `status ${answer.status}`);
}

/** Changes one header after the signature. */
function set(name: string, value: string) {
  return (headers: Record<string, string>): undefined => {
    headers[name] = value;
  };
}

/** Asserts that nothing was answered but a refusal: by TLS, which breaks the connection, or by a fault. */
async function isRefused(answer: Promise<TestAnswer>): Promise<void> {
  const outcome = await answer.catch((error: Error) => error);
  if (outcome instanceof Error) return;
  assert.ok([495, 403].includes(outcome.status), `answered with ${outcome.status}`);
}

describe("the storage node lets in", () => {
  it("an enrolled device with its certificate and its signature", async () => {
    using device = await enrollByHand(node, "let in");
    assert.equal((await device.client.exchange({ target: "/v1/account" })).status, 200);
  });

  it("nobody without a client certificate", async () => {
    using device = await enrollByHand(node, "no certificate");
    await isRefused(device.connect(null).exchange({ target: "/v1/account" }));
  });

  it("nobody with a certificate of another root", async () => {
    using device = await enrollByHand(node, "another root");
    await isRefused(device.connect(await foreignIdentity(device.key.deviceId)).exchange({ target: "/v1/account" }));
  });

  it("nobody with an expired certificate of the right root", async () => {
    using device = await enrollByHand(node, "expired");
    const current = await reissuedIdentity(node, device.identity, Date.now() + DAY_MS);
    assert.equal((await device.connect(current).exchange({ target: "/v1/account" })).status, 200, "the same leaf with another date is let in");
    await isRefused(device.connect(await reissuedIdentity(node, device.identity, Date.now() - 3_600_000)).exchange({ target: "/v1/account" }));
  });

  it("nobody with a certificate that chains to the root but was never enrolled", async () => {
    using device = await enrollByHand(node, "never enrolled");
    await isRefused(device.connect(await unknownIdentity(node, device.key.deviceId)).exchange({ target: "/v1/account" }));
  });

  it("nobody with a right certificate and the signature of another device, enrolled too", async () => {
    using one = await enrollByHand(node, "bond one");
    using other = await enrollByHand(node, "bond two");
    refusedWith(await one.client.exchange({ target: "/v1/account", signer: other.key, device: other.key.deviceId }), "denied");
    refusedWith(await one.client.exchange({ target: "/v1/account", signer: other.key }), "denied");
  });

  it("nobody twice by the same invite", async () => {
    const code = await node.invite({ account: "twice" });
    await enrollDevice(parseInvite(code), readRoot(node), testKey(1));
    await rejectsWith(enrollDevice(parseInvite(code), readRoot(node), testKey(2)), "denied");
  });

  it("a device no longer once it is revoked, on a connection that is open already", async () => {
    const owner = testKey(50);
    using keeper = await enrollByHand(node, "revoking", owner);
    await beginVault(keeper);
    using stolen = await enrollByHand(node, "revoking", owner);
    keeper.journal.append(admission(stolen.key, ["agent"]));
    await keeper.store.commit(keeper.journal.frames.at(-1) as never, [], []);
    assert.equal((await stolen.client.exchange({ target: "/v1/account" })).status, 200);
    keeper.journal.append({ kind: 3, device: stolen.key.deviceId, badSince: null });
    await keeper.store.commit(keeper.journal.frames.at(-1) as never, [], []);
    await isRefused(stolen.client.exchange({ target: "/v1/account" }));
    await isRefused(stolen.connect(stolen.identity).exchange({ target: "/v1/account" }));
    assert.equal((await keeper.client.exchange({ target: "/v1/account" })).status, 200, "the other device stays");
  });
});

describe("a request is refused when it", () => {
  it("was sent before", async () => {
    using device = await enrollByHand(node, "replay");
    const request = { target: "/v1/account", nonce: testId("nonce").slice(0, 16), createdMs: Date.now() };
    assert.equal((await device.client.exchange(request)).status, 200);
    refusedWith(await device.client.exchange(request), "denied");
    refusedWith(await device.connect(device.identity).exchange(request), "denied");
  });

  it("is older or newer than five minutes, or from before the node's start", async () => {
    using device = await enrollByHand(node, "stale");
    for (const offsetMs of [-301_000, 301_000, -DAY_MS])
      refusedWith(await device.client.exchange({ target: "/v1/account", createdMs: Date.now() + offsetMs }), "denied");
  });

  it("was changed after it was signed: path, body, range, version", async () => {
    using device = await enrollByHand(node, "changed");
    const vault = encodeMessage({ vault: device.journal.owner.vaultId });
    const flipped = (_headers: Record<string, string>, body: Uint8Array | undefined) => body?.with(body.length - 1, (body.at(-1) ?? 0) ^ 1);
    const answer = await device.client.exchange({ target: "/v1/vaults", body: vault, tamper: flipped as never });
    assert.ok(answer.status >= 400, "a changed body");
    refusedWith(await device.client.exchange({ target: "/v1/account", tamper: set("range", "bytes=0-1") }), "denied");
    refusedWith(await device.client.exchange({ target: "/v1/account", tamper: set("holdfast-version", "2") }), "version");
    refusedWith(await device.client.exchange({ target: "/v1/account", tamper: (headers) => void delete headers.signature }), "denied");
  });

  it("is signed for another host", async () => {
    using device = await enrollByHand(node, "other host");
    refusedWith(await device.client.exchange({ target: "/v1/account", authority: "elsewhere.example:8443" }), "denied");
  });

  it("asks for the vault of another account, there or not", async () => {
    using mine = await enrollByHand(node, "tenant one");
    using theirs = await enrollByHand(node, "tenant two");
    await beginVault(mine);
    await beginVault(theirs);
    const messages = new Set<string>();
    for (const vault of [theirs.journal.owner.vaultId, testKey(9999).vaultId]) {
      const answer = await mine.client.exchange({ target: `/v1/vaults/${bytesToHex(vault)}/journal?after=-1` });
      refusedWith(answer, "denied");
      messages.add(parseFault(answer.status, answer.body).message);
    }
    assert.equal(messages.size, 1, "the answer does not tell whether the vault is there");
  });
});

describe("the journal of a vault", () => {
  it("takes no policy and no device without the owner's signature", async () => {
    using device = await enrollByHand(node, "owner needed");
    await beginVault(device);
    const policy = { kind: 7, line: null, rule: new Map([[1, 1]]), minimumAgeSeconds: 2_592_000 } as const;
    const roles: readonly Role[] = ["admin"];
    for (const body of [policy, admission(testKey(77), roles)] as const) {
      await assert.rejects(device.store.commit(device.journal.frame(body, { ownerSigns: false }), [], []), { name: "Fault" });
      await assert.rejects(device.store.commit(device.journal.frame(body, { ownerKey: testKey(78) }), [], []), { name: "Fault" });
    }
    assert.equal((await device.store.journal(-1)).items.length, 2, "nothing was taken");
  });

  it("answers a snapshot whose records are missing with their list, and takes it once they are there", async () => {
    using device = await enrollByHand(node, "missing records");
    const lease = await beginVault(device);
    const [here, absent] = [await putRecord(device, lease, 7, 11), testRecord(3, 12)];
    const body = snapshotBody(here, { needs: needsOf(2, [here, absent.id]) });
    const frame = device.journal.frame(body);
    const fault = await rejectsWith(device.store.commit(frame, [here, absent.id], []), "missing");
    assert.deepEqual(fault.detail.ids, [bytesToHex(absent.id)]);
    await device.store.put([{ id: absent.id, parts: [absent.frame] }], lease);
    await device.store.commit(frame, [here, absent.id], []);
  });

  it("takes commits of two devices at once, one after the other", async () => {
    const owner = testKey(60);
    using first = await enrollByHand(node, "two at once", owner);
    const lease = await beginVault(first);
    using second = await enrollByHand(node, "two at once", owner);
    first.journal.append(admission(second.key, ["agent"]));
    await first.store.commit(first.journal.frames.at(-1) as never, [], []);
    const snapshots = [await putRecord(first, lease, 7, 21), await putRecord(first, lease, 7, 22)] as const;
    const frames = [first.journal.frame(snapshotBody(snapshots[0])), first.journal.frame(snapshotBody(snapshots[1]), { by: second.key })] as const;
    const outcomes = await Promise.allSettled([first.store.commit(frames[0], [snapshots[0]], []), second.store.commit(frames[1], [snapshots[1]], [])]);
    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(failed.length, 1, "one of two came too late");
    assert.equal(failed[0]?.reason.code, "conflict");
    const late = outcomes.findIndex((outcome) => outcome.status === "rejected");
    first.journal.take(frames[1 - late] as never);
    const again = first.journal.frame(snapshotBody(snapshots[late] as never), { by: late === 0 ? first.key : second.key });
    await (late === 0 ? first : second).store.commit(again, [snapshots[late] as never], []);
    assert.equal((await first.store.journal(-1)).items.length, 5);
  });

  it("gives the same receipt when an entry is sent again, and a conflict for another entry in its place", async () => {
    using device = await enrollByHand(node, "again");
    const lease = await beginVault(device);
    const snapshot = await putRecord(device, lease, 7, 31);
    const frame = device.journal.frame(snapshotBody(snapshot));
    const receipt = await device.store.commit(frame, [snapshot], []);
    assert.deepEqual(await device.store.commit(frame, [snapshot], []), receipt);
    const other = device.journal.frame(snapshotBody(await putRecord(device, lease, 7, 32)));
    await rejectsWith(device.store.commit(other, [snapshot], []), "conflict");
  });

  it("a frame that does not hash to its id is refused, and what came before it in the request stays", async () => {
    using device = await enrollByHand(node, "wrong hash");
    const lease = await beginVault(device);
    const [good, bad] = [testRecord(3, 41), testRecord(3, 42)];
    const damaged = bad.frame.with(bad.frame.length - 1, (bad.frame.at(-1) ?? 0) ^ 1);
    await rejectsWith(device.store.put([{ id: bad.id, parts: [new Uint8Array(damaged)] }], lease), "integrity");
    assert.equal(await device.store.get(bad.id), null);
    await device.store.put([{ id: good.id, parts: [good.frame] }], lease);
    assert.deepEqual(await device.store.get(good.id), good.frame);
  });
});
