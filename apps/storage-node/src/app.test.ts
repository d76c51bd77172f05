import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Bytes, bytesToHex, concatBytes, type FaultCode, utf8 } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { sha256 } from "@holdfast/crypto/hash";
import { createSigner, generateSigningKey, type Signer } from "@holdfast/crypto/signature";
import {
  asDeviceId,
  asLeaseId,
  contentDigest,
  encodeMessage,
  type LeaseId,
  parseFault,
  RECORD_KINDS,
  RECORDS_BODY_BYTES_MAX,
  type VaultId,
} from "@holdfast/protocol";
import { testKey } from "@holdfast/testkit";
import { issueIntermediate, issueLeaf, issueRootList } from "./commands/certificate.ts";
import { parseRange } from "./routes/record-routes.ts";
import { createTestAuthority } from "./testing/certificates.ts";
import { type EnrolledClient, NodeFixture } from "./testing/node-fixture.ts";
import { enrollDevice, type TestAnswer, TestClient, type TestRequest } from "./testing/test-client.ts";
import { randomFrame } from "./testing/vault-fixture.ts";

const random = createSystemRandom();
const VAULT: VaultId = testKey(41).vaultId;
const BASE = `/v1/vaults/${bytesToHex(VAULT)}`;

let node: NodeFixture;
let ada: EnrolledClient;
let lease: LeaseId;

before(async () => {
  node = await NodeFixture.create();
  ada = await node.enroll("ada");
  await node.createVault(ada.client, VAULT);
  lease = asLeaseId((await ada.client.recordStore(VAULT).lease(null)).lease);
});
after(() => node[Symbol.asyncDispose]());

function setHeader(headers: Record<string, string>, name: string, value: string): undefined {
  headers[name] = value;
}

function newSigner(): Signer {
  return createSigner(generateSigningKey(random).seed);
}

async function refusedWith(answer: Promise<TestAnswer>, code: FaultCode): Promise<void> {
  const { status, body } = await answer;
  const fault = parseFault(status, body);
  assert.deepEqual([fault.code, status >= 400], [code, true], `status ${status}: ${fault.message}`);
}

/** A request with frames, honest but for `changes`. */
function recordsRequest(frames: ReturnType<typeof randomFrame>[], changes: Partial<TestRequest> = {}): TestRequest {
  const headers = { "holdfast-lease": bytesToHex(lease), "holdfast-records": contentDigest(sha256(concatBytes(...frames.map((frame) => frame.id)))) };
  return { target: `${BASE}/records`, body: concatBytes(...frames.map((frame) => frame.frame)), headers, ...changes };
}

describe("agent port: the two bonds", () => {
  const account: TestRequest = { target: "/v1/account" };

  it("lets an honest request through", async () => {
    assert.equal((await ada.client.exchange(account)).status, 200);
  });

  it("refuses a certificate with another device's signature", async () => {
    const eve = await node.enroll("eve");
    await refusedWith(ada.client.exchange({ ...account, signer: eve.signer, device: eve.client.device }), "denied");
    await refusedWith(ada.client.exchange({ ...account, signer: eve.signer }), "denied");
    await refusedWith(ada.client.exchange({ ...account, device: eve.client.device }), "denied");
    await refusedWith(node.connect(ada.signer, eve.identity).exchange(account), "denied");
  });

  it("refuses a good certificate and no signature, and the reverse", async () => {
    const unsigned = (headers: Record<string, string>): undefined => {
      delete headers.signature;
    };
    await refusedWith(ada.client.exchange({ ...account, tamper: unsigned }), "denied");
    await assert.rejects(node.connect(ada.signer, null).exchange(account));
  });

  it("refuses a certificate that chains to another root", async () => {
    using stranger = createTestAuthority("Holdfast root");
    await assert.rejects(node.connect(ada.signer, stranger.issue("agent", "clientAuth")).exchange(account));
  });

  it("refuses a request that was sent before", async () => {
    const nonce = random.bytes(16);
    assert.equal((await ada.client.exchange({ ...account, nonce })).status, 200);
    await refusedWith(ada.client.exchange({ ...account, nonce }), "denied");
  });

  it("refuses a request that is too old, too new, or older than the node", async () => {
    const nowMs = Date.now();
    for (const createdMs of [nowMs - 301_000, nowMs + 310_000]) await refusedWith(ada.client.exchange({ ...account, createdMs }), "denied");
    // Its nonce could have been used before the node forgot it; an honest agent signs again once its clock is past that moment.
    const early = await ada.client.exchange({ ...account, createdMs: nowMs - 200_000 });
    const fault = parseFault(early.status, early.body);
    assert.equal(fault.code, "busy");
    assert.ok(Number(fault.detail.delayMs) > 0);
    assert.equal((await ada.client.exchange({ ...account, createdMs: nowMs + 200_000 })).status, 200);
  });

  it("names the skew to a client whose clock is off", async () => {
    const answer = await ada.client.exchange({ ...account, createdMs: Date.now() - 3_600_000 });
    const { detail } = parseFault(answer.status, answer.body);
    assert.ok(Math.abs(Number(detail.skewMs) + 3_600_000) < 60_000);
  });

  it("refuses a request signed for another host", async () => {
    await refusedWith(ada.client.exchange({ ...account, authority: "other.example:8443" }), "denied");
  });

  const tampers: Record<string, (headers: Record<string, string>, body: Bytes | undefined) => Bytes | undefined> = {
    "another nonce": (headers) => setHeader(headers, "signature-input", headers["signature-input"]?.replace(/nonce="../, 'nonce="ff') ?? ""),
    "another time": (headers) =>
      setHeader(headers, "signature-input", headers["signature-input"]?.replace(/created=(\d+)\./, (_all, seconds) => `created=${Number(seconds) + 1}.`) ?? ""),
    "another host": (headers) => setHeader(headers, "host", "127.0.0.1"),
    "another lease": (headers) => setHeader(headers, "holdfast-lease", "00".repeat(16)),
    "another digest of ids": (headers) => setHeader(headers, "holdfast-records", contentDigest(sha256(utf8("other")))),
    "a range that was not signed": (headers) => setHeader(headers, "range", "bytes=0-1"),
    "fewer covered parts": (headers) => setHeader(headers, "signature-input", headers["signature-input"]?.replace(' "holdfast-lease"', "") ?? ""),
    "a cut signature": (headers) => setHeader(headers, "signature", headers.signature?.replace(/......==/, "AAAAAA==") ?? ""),
  };
  for (const [name, tamper] of Object.entries(tampers)) {
    it(`refuses ${name}`, async () => {
      const frame = randomFrame(RECORD_KINDS.contentPack, 100);
      await refusedWith(ada.client.exchange(recordsRequest([frame], { tamper })), "denied");
      assert.equal(await ada.client.recordStore(VAULT).get(frame.id), null);
    });
  }

  it("refuses a body that is not the one signed", async () => {
    const tamper = (_headers: unknown, body: Bytes | undefined): Bytes => Uint8Array.from(body ?? [], (byte) => byte ^ 1);
    await refusedWith(ada.client.exchange({ target: `${BASE}/leases`, body: encodeMessage({}), tamper }), "integrity");
    const frame = randomFrame(RECORD_KINDS.contentPack, 100);
    const other = randomFrame(RECORD_KINDS.contentPack, 100);
    await refusedWith(ada.client.exchange(recordsRequest([frame], { tamper: () => other.frame })), "integrity");
    assert.equal(await ada.client.recordStore(VAULT).get(other.id), null);
  });

  it("refuses a revoked device at once, on a connection that is open", async () => {
    const lost = await node.enroll("lost");
    assert.equal((await lost.client.exchange(account)).status, 200);
    await node.node.services.store.writer.call("revokeDevice", [lost.client.device]);
    await refusedWith(lost.client.exchange(account), "denied");
    await node.node.check();
    await refusedWith(node.connect(lost.signer, lost.identity).exchange(account), "denied"); // And on a new one.
    assert.equal((await ada.client.exchange(account)).status, 200);
  });

  it("refuses a version that it does not speak, naming both", async () => {
    const answer = await ada.client.exchange({ ...account, headers: { "holdfast-version": "2" } });
    const fault = parseFault(answer.status, answer.body);
    assert.deepEqual([fault.code, fault.detail], ["version", { agent: "2", storageNode: "1" }]);
  });
});

describe("agent port: another tenant", () => {
  it("sees nothing of a vault, and not whether it is there", async () => {
    const eve = await node.enroll("other tenant");
    await node.createVault(eve.client, testKey(42).vaultId);
    const frame = randomFrame(RECORD_KINDS.contentPack, 100);
    await ada.client.send(recordsRequest([frame]));
    const absent = `/v1/vaults/${"ab".repeat(16)}`;
    for (const base of [BASE, absent]) {
      await refusedWith(eve.client.exchange({ target: `${base}/records/${bytesToHex(frame.id)}` }), "denied");
      await refusedWith(eve.client.exchange({ target: `${base}/changes?after=` }), "denied");
      await refusedWith(eve.client.exchange({ target: `${base}/journal?after=-1` }), "denied");
      await refusedWith(eve.client.exchange(recordsRequest([frame], { target: `${base}/records` })), "denied");
    }
  });

  it("cannot take a vault that is taken, nor a second one", async () => {
    const eve = await node.enroll("greedy tenant");
    await refusedWith(eve.client.exchange({ target: "/v1/vaults", body: encodeMessage({ vault: VAULT }) }), "conflict");
    await node.createVault(eve.client, testKey(43).vaultId);
    await node.createVault(eve.client, testKey(43).vaultId);
    await refusedWith(eve.client.exchange({ target: "/v1/vaults", body: encodeMessage({ vault: testKey(44).vaultId }) }), "conflict");
  });

  it("needs the role: an auditor reads the journal and nothing else", async () => {
    const auditor = await node.enroll("ada", ["auditor"]);
    assert.equal((await auditor.client.exchange({ target: `${BASE}/journal?after=-1` })).status, 200);
    await refusedWith(auditor.client.exchange({ target: `${BASE}/records/${"00".repeat(32)}` }), "denied");
    await refusedWith(auditor.client.exchange(recordsRequest([randomFrame(RECORD_KINDS.contentPack, 1)])), "denied");
    await refusedWith(auditor.client.exchange({ target: `${BASE}/leases`, body: encodeMessage({}) }), "denied");
  });
});

describe("agent port: bad requests", () => {
  const cases: [string, TestRequest, FaultCode][] = [
    ["an unknown route", { target: "/v1/nothing" }, "missing"],
    ["an id that is no hex", { target: `${BASE}/records/zz` }, "input"],
    ["an id of the wrong length", { target: `${BASE}/records/abcd` }, "format"],
    ["a vault that is no id", { target: "/v1/vaults/xx/changes" }, "input"],
    ["a cursor that is none", { target: `${BASE}/changes?after=nonsense` }, "input"],
    ["a journal position that is none", { target: `${BASE}/journal?after=-2` }, "input"],
    ["a message that is no CBOR", { target: `${BASE}/leases`, body: Uint8Array.of(0xff, 0xff) }, "format"],
    ["a message with an unknown field", { target: `${BASE}/leases`, body: encodeMessage({ other: 1 }) }, "format"],
    ["a message with a wrong type", { target: `${BASE}/leases`, body: encodeMessage({ lease: "text" }) }, "format"],
    ["an empty message", { target: `${BASE}/leases`, body: new Uint8Array(0) }, "format"],
    [
      "ids that are not whole",
      { target: `${BASE}/records/have`, body: encodeMessage({ ids: new Uint8Array(33) }), headers: { "holdfast-lease": "00".repeat(16) } },
      "format",
    ],
    ["a have without a lease", { target: `${BASE}/records/have`, body: encodeMessage({ ids: new Uint8Array(0) }) }, "input"],
    [
      "an entry that is none",
      { target: `${BASE}/journal`, body: encodeMessage({ entry: new Uint8Array(10), additions: new Uint8Array(0), drops: new Uint8Array(0) }) },
      "format",
    ],
    ["a GET with a body", { method: "GET", target: "/v1/account", body: encodeMessage({}) }, "input"],
  ];
  for (const [name, request, code] of cases) {
    it(`refuses ${name}`, () => refusedWith(ada.client.exchange(request), code));
  }

  it("refuses a body longer than any may be before reading it", async () => {
    const headers = {
      "holdfast-lease": bytesToHex(lease),
      "holdfast-records": contentDigest(sha256(utf8(""))),
      "content-length": String(RECORDS_BODY_BYTES_MAX + 1),
    };
    const connection = node.connect(ada.signer, ada.identity);
    const tamper = (sent: Record<string, string>): undefined => setHeader(sent, "connection", "close");
    await refusedWith(connection.exchange({ method: "POST", target: `${BASE}/records`, headers, tamper }), "limit");
  });

  it("refuses a body of unknown length", async () => {
    const tamper = (headers: Record<string, string>): undefined => {
      delete headers["content-length"];
      headers["transfer-encoding"] = "chunked";
    };
    await refusedWith(node.connect(ada.signer, ada.identity).exchange({ target: `${BASE}/leases`, body: encodeMessage({}), tamper }), "denied");
  });

  it("goes on serving a connection after a refused upload", async () => {
    const client = node.connect(ada.signer, ada.identity);
    const frame = randomFrame(RECORD_KINDS.contentPack, 3_000_000);
    for (let count = 0; count < 5; count++) {
      await refusedWith(
        client.exchange(recordsRequest([frame], { headers: { "holdfast-lease": "00".repeat(16), "holdfast-records": contentDigest(sha256(frame.id)) } })),
        "missing",
      );
      assert.equal((await client.exchange({ target: "/v1/account" })).status, 200);
    }
    assert.deepEqual(await client.recordStore(VAULT).put([{ id: frame.id, parts: [frame.frame] }], lease), { stored: 1, present: 0 });
    assert.equal(node.node.services.budget.heldBytes, 0);
  });

  it("cuts ranges at the end of the frame and refuses those beyond", () => {
    assert.deepEqual(parseRange("bytes=0-9", 100), { first: 0, last: 9 });
    assert.deepEqual(parseRange("bytes=90-200", 100), { first: 90, last: 99 });
    assert.deepEqual(parseRange("bytes=99-", 100), { first: 99, last: 99 });
    for (const header of ["bytes=100-", "bytes=5-4", "bytes=-5", "bytes=0-1,2-3", "items=0-1", "bytes=a-b"])
      assert.throws(() => parseRange(header, 100), { code: "input" });
  });
});

describe("front port: enrolment", () => {
  it("an invite is good for one device, which may ask again", async () => {
    const invite = await node.invite("bob");
    const signer = newSigner();
    const first = await enrollDevice(invite, node.rootPem, signer);
    const again = await enrollDevice(invite, node.rootPem, signer);
    assert.deepEqual(again.answer.account, first.answer.account);
    for (const { identity } of [first, again]) assert.equal((await node.connect(signer, identity).exchange({ target: "/v1/account" })).status, 200);
    await assert.rejects(enrollDevice(invite, node.rootPem, newSigner()), { code: "denied" });
  });

  it("an unknown or expired code is refused", async () => {
    const invite = await node.invite("bob");
    await assert.rejects(enrollDevice({ ...invite, secret: random.bytes(16) }, node.rootPem, newSigner()), { code: "denied" });
    const secret = random.bytes(16);
    await node.node.services.store.writer.call("addInvite", [
      { secret, accountName: "bob", edition: "ese", quotaBytes: null, roles: ["agent"], accountId: ada.answer.account as never, nowMs: 1, expiresAtMs: 2 },
    ]);
    await assert.rejects(enrollDevice({ ...invite, secret }, node.rootPem, newSigner()), { code: "denied" });
  });

  it("the device key must sign, and be the one in the request", async () => {
    const invite = await node.invite("bob");
    const [signer, other] = [newSigner(), newSigner()];
    await assert.rejects(enrollDevice(invite, node.rootPem, signer, { signer: other }), { code: "denied" });
    const device = asDeviceId(sha256(other.publicKey).slice(0, 16));
    await assert.rejects(enrollDevice(invite, node.rootPem, signer, { signer: other, device }), { code: "denied" });
    await enrollDevice(invite, node.rootPem, signer); // The code was not used up.
  });

  it("a certificate request that proves nothing is refused", async () => {
    const invite = await node.invite("bob");
    const signer = newSigner();
    const body = encodeMessage({
      secret: invite.secret,
      csr: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
      deviceKey: signer.publicKey,
      label: "x",
    });
    await assert.rejects(enrollDevice(invite, node.rootPem, signer, { body }), { code: "format" });
    await enrollDevice(invite, node.rootPem, signer);
  });

  it("serves nothing of the agent port", async () => {
    using front = new TestClient("localhost", node.node.frontPort, node.rootPem, ada.signer, ada.identity);
    for (const target of ["/v1/account", `${BASE}/journal?after=-1`, `${BASE}/changes?after=`]) await refusedWith(front.exchange({ target }), "missing");
  });

  it("gives out the root and the revocation lists", async () => {
    using front = new TestClient("localhost", node.node.frontPort, node.rootPem, ada.signer, null);
    const lists = new TextDecoder().decode((await front.send({ target: "/v1/crl" })).body);
    assert.equal(lists.match(/BEGIN X509 CRL/g)?.length, 2);
    assert.equal((await front.send({ target: "/readyz" })).status, 200);
  });
});

describe("node: restarts", () => {
  it("keeps devices, records and the journal", async () => {
    const frame = randomFrame(RECORD_KINDS.contentPack, 2_500_000);
    await ada.client.send(recordsRequest([frame]));
    await node.stop();
    await node.start();
    const client = node.connect(ada.signer, ada.identity);
    assert.deepEqual(await client.recordStore(VAULT).get(frame.id), frame.frame);
    ada = { ...ada, client };
  });

  it("a new intermediate leaves enrolled devices in, and lists still revoke them", async () => {
    const old = await node.enroll("old intermediate");
    const lost = await node.enroll("old intermediate");
    await node.stop();
    const options = { disk: createNodeDisk(), clock: createSystemClock(), random, data: node.folder.path };
    await assert.rejects(issueIntermediate(options, "a wrong passphrase"), { code: "denied" });
    await issueIntermediate(options, "a long passphrase");
    await issueLeaf(options);
    await issueRootList(options, "a long passphrase");
    await node.start();
    const account: TestRequest = { target: "/v1/account" };
    assert.equal((await node.connect(old.signer, old.identity).exchange(account)).status, 200);
    assert.equal((await (await node.enroll("new intermediate")).client.exchange(account)).status, 200);
    await node.node.services.store.writer.call("revokeDevice", [lost.client.device]);
    await node.node.check();
    await refusedWith(node.connect(lost.signer, lost.identity).exchange(account), "denied");
    assert.equal((await node.connect(old.signer, old.identity).exchange(account)).status, 200);
    ada = { ...ada, client: node.connect(ada.signer, ada.identity) };
  });

  it("a certificate is renewed with a fresh key", async () => {
    const { createCsr, createKeyPair } = await import("@holdfast/pki");
    const keys = await createKeyPair();
    const { decodeMessage } = await import("@holdfast/protocol");
    const answer = await ada.client.send({ target: "/v1/certificates/renew", body: encodeMessage({ csr: await createCsr(keys.privateKeyPem) }) });
    const { certificate } = decodeMessage(answer.body) as { certificate: string };
    assert.equal((await node.connect(ada.signer, { cert: certificate, key: keys.privateKeyPem }).exchange({ target: "/v1/account" })).status, 200);
  });
});
