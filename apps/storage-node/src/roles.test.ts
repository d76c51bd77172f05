/** Every route of the real apps, asked by every role, for the device's own vault and for others. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Bytes, bytesToHex, concatBytes } from "@holdfast/base";
import { createSystemRandom } from "@holdfast/base/node";
import { sha256 } from "@holdfast/crypto/hash";
import { createSigner, generateSigningKey, type Signer } from "@holdfast/crypto/signature";
import { createCsr, createKeyPair } from "@holdfast/pki";
import {
  asAccountId,
  asDeviceId,
  asRecordId,
  contentDigest,
  decodeMessage,
  type EntryBody,
  encodeEntryPayload,
  encodeJournalEntry,
  encodeMessage,
  type Invite,
  MINIMUM_AGE_SECONDS,
  parseFault,
  RECORD_KINDS,
  type Role,
} from "@holdfast/protocol";
import { testKey } from "@holdfast/testkit";
import { createClient } from "@libsql/client/sqlite3";
import { createAgentApp, createFrontApp } from "./app.ts";
import { AGENT_ROUTES, FRONT_ROUTES } from "./roles.ts";
import type { AuditRow } from "./store/catalog-reader.ts";
import { type EnrolledClient, NodeFixture } from "./testing/node-fixture.ts";
import { enrollDevice, TestClient, type TestRequest } from "./testing/test-client.ts";
import { randomFrame, TestAccount } from "./testing/vault-fixture.ts";

type Who = Role | "none";

const WHO: readonly Who[] = ["agent", "maintainer", "auditor", "admin", "none"];
const EVERYONE: Readonly<Record<Who, number>> = { agent: 200, maintainer: 200, auditor: 200, admin: 200, none: 403 };
const AGENT_ONLY: Readonly<Record<Who, number>> = { agent: 200, maintainer: 403, auditor: 403, admin: 403, none: 403 };
const OVERSEERS: Readonly<Record<Who, number>> = { agent: 403, maintainer: 403, auditor: 200, admin: 200, none: 403 };

/** Status that each role gets for a request that is right in all else. Written by hand, apart from roles.ts, on purpose. */
const EXPECTED: Readonly<Record<string, Readonly<Record<Who, number>>>> = {
  "GET /v1/account": EVERYONE,
  "POST /v1/certificates/renew": EVERYONE,
  "POST /v1/vaults": AGENT_ONLY,
  "POST /v1/vaults/:vault/leases": AGENT_ONLY,
  "POST /v1/vaults/:vault/records": AGENT_ONLY,
  "POST /v1/vaults/:vault/records/have": AGENT_ONLY,
  "GET /v1/vaults/:vault/records/:id": AGENT_ONLY,
  "GET /v1/vaults/:vault/changes": AGENT_ONLY,
  // The entry that is sent is none, so 400 says that the role was enough.
  "POST /v1/vaults/:vault/journal": { agent: 400, maintainer: 400, auditor: 403, admin: 400, none: 403 },
  "GET /v1/vaults/:vault/journal": { agent: 200, maintainer: 200, auditor: 200, admin: 200, none: 403 },
  "GET /v1/audit": OVERSEERS,
  "GET /v1/devices": OVERSEERS,
};
const EXPECTED_FRONT = ["GET /healthz", "GET /metrics", "GET /readyz", "GET /v1/crl", "GET /v1/root", "POST /v1/certificates/reissue", "POST /v1/enroll"];

const random = createSystemRandom();
const VAULT = testKey(61).vaultId;
const OTHER_VAULT = testKey(62).vaultId;
const frame = randomFrame(RECORD_KINDS.contentPack, 100);

let node: NodeFixture;
let devices: Record<Who, EnrolledClient>;
let lease: string;

before(async () => {
  node = await NodeFixture.create();
  const agent = await node.enroll("ada", ["agent"]);
  await node.createVault(agent.client, VAULT);
  await node.createVault((await node.enroll("eve", ["agent"])).client, OTHER_VAULT);
  devices = {
    agent,
    maintainer: await node.enroll("ada", ["maintainer"]),
    auditor: await node.enroll("ada", ["auditor"]),
    admin: await node.enroll("ada", ["admin"]),
    none: await enrollWithoutRole("ada"),
  };
  const store = agent.client.recordStore(VAULT);
  const opened = await store.lease(null);
  lease = bytesToHex(opened.lease);
  await store.put([{ id: frame.id, parts: [frame.frame] }], opened.lease as never);
});
after(() => node[Symbol.asyncDispose]());

/** The operator's command refuses an invite without a role; the catalog could hold one all the same. */
async function enrollWithoutRole(account: string): Promise<EnrolledClient> {
  const invite: Invite = { ...(await node.invite(account)), secret: random.bytes(16) };
  const nowMs = Date.now();
  await node.node.services.store.writer.call("addInvite", [
    {
      ...{ secret: invite.secret, accountName: account, edition: "ese", quotaBytes: null, roles: [] },
      ...{ accountId: asAccountId(random.bytes(16)), nowMs, expiresAtMs: nowMs + 60_000 },
    },
  ]);
  const signer = createSigner(generateSigningKey(random).seed);
  const { answer, identity } = await enrollDevice(invite, node.rootPem, signer);
  return { client: node.connect(signer, identity), answer, identity, signer };
}

async function requestFor(route: string, vault: Uint8Array): Promise<TestRequest> {
  const target = (route.split(" ")[1] as string).replace(":vault", bytesToHex(vault)).replace(":id", bytesToHex(frame.id));
  const leased = { headers: { "holdfast-lease": lease } };
  const none = new Uint8Array(0);
  switch (route) {
    case "POST /v1/certificates/renew":
      return { target, body: encodeMessage({ csr: await createCsr((await createKeyPair()).privateKeyPem) }) };
    case "POST /v1/vaults":
      return { target, body: encodeMessage({ vault }) };
    case "POST /v1/vaults/:vault/leases":
      return { target, body: encodeMessage({}) };
    case "POST /v1/vaults/:vault/records":
      return { target, body: frame.frame, headers: { ...leased.headers, "holdfast-records": contentDigest(sha256(frame.id)) } };
    case "POST /v1/vaults/:vault/records/have":
      return { target, body: encodeMessage({ ids: concatBytes(frame.id) }), ...leased };
    case "POST /v1/vaults/:vault/journal":
      return { target, body: encodeMessage({ entry: new Uint8Array(10), additions: none, drops: none }) };
    default:
      return { target };
  }
}

/** Routes as the app has them, middleware left out. */
function routesOf(app: { readonly routes: readonly { readonly method: string; readonly path: string }[] }): string[] {
  return [...new Set(app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`))].sort();
}

async function auditRows(): Promise<AuditRow[]> {
  return node.node.services.store.reader.call("audit", [0, 10_000]);
}

/** Whether a refusal of this class is in the trail: its row is written beside the answer, not before it. */
async function isCounted(reason: string): Promise<boolean> {
  for (let tries = 0; tries < 1000; tries++) {
    if ((await auditRows()).some((row) => row.action === "refused" && row.subject === reason)) return true;
  }
  return false;
}

describe("roles: every route", () => {
  it("of the agent port has a row here and in roles.ts", () => {
    const routes = routesOf(createAgentApp(node.node.services));
    assert.deepEqual(routes, Object.keys(EXPECTED).sort());
    assert.deepEqual(routes, Object.keys(AGENT_ROUTES).sort());
  });

  it("of the front port is for anyone, and named", () => {
    const routes = routesOf(createFrontApp(node.node.services));
    assert.deepEqual(routes, EXPECTED_FRONT);
    assert.deepEqual(routes, [...FRONT_ROUTES].sort());
  });

  for (const [route, statuses] of Object.entries(EXPECTED)) {
    for (const who of WHO) {
      it(`${route} answers ${who} with ${statuses[who]}`, async () => {
        const { status, body } = await devices[who].client.exchange(await requestFor(route, VAULT));
        assert.equal(status, statuses[who], status < 400 ? "" : parseFault(status, body).message);
      });

      if (!route.includes(":vault")) continue;
      it(`${route} answers ${who} with 403 for a vault of another account, there or not`, async () => {
        const answers: string[] = [];
        for (const vault of [OTHER_VAULT, random.bytes(16)]) {
          const { status, body } = await devices[who].client.exchange(await requestFor(route, vault));
          assert.equal(status, 403);
          answers.push(parseFault(status, body).message);
        }
        assert.equal(answers[0], answers[1]);
      });
    }

    it(`${route} is not reached without a signature, nor without a certificate`, async () => {
      const request = await requestFor(route, VAULT);
      const { agent } = devices;
      const tamper = (headers: Record<string, string>): undefined => {
        delete headers.signature;
      };
      assert.equal((await agent.client.exchange({ ...request, tamper })).status, 403);
      await assert.rejects(node.connect(agent.signer, null).exchange(request));
    });

    it(`${route} is not on the front port`, async () => {
      const { agent } = devices;
      using front = new TestClient("localhost", node.node.frontPort, node.rootPem, agent.signer, agent.identity);
      assert.equal((await front.exchange(await requestFor(route, VAULT))).status, 404);
    });
  }

  it("of a vault takes a vault that is there for its own account only", async () => {
    const { status } = await devices.agent.client.exchange({ target: "/v1/vaults", body: encodeMessage({ vault: OTHER_VAULT }) });
    assert.equal(status, 409);
  });

  it("that is not named does not exist, whatever the method", async () => {
    const base = `/v1/vaults/${bytesToHex(VAULT)}`;
    const record = `${base}/records/${bytesToHex(frame.id)}`;
    const targets = [record, `${base}/journal`, base, "/v1/audit", "/v1/devices", "/v1/nothing", "/v1/account/", "//v1/account", "/v1/%61udit/x"];
    for (const { client } of Object.values(devices)) {
      for (const method of ["DELETE", "PUT", "PATCH"])
        for (const target of targets) assert.equal((await client.exchange({ method, target, body: encodeMessage({}) })).status, 404);
    }
    for (const target of ["/v1/nothing", "/v1/account/", "//v1/account", "/V1/account", "/v1/audit/1"]) {
      assert.equal((await devices.admin.client.exchange({ target })).status, 404, target);
    }
  });
});

describe("roles: what overseers read", () => {
  it("the trail, in pages that chain", async () => {
    const page = async (after: number) => {
      const { body } = await devices.auditor.client.send({ target: `/v1/audit?after=${after}` });
      return decodeMessage(body) as { more: boolean; items: { seq: number; action: string; previousHash: Bytes; hash: Bytes }[] };
    };
    const { items } = await page(0);
    assert.deepEqual(
      items.slice(0, 2).map((item) => item.seq),
      [1, 2],
    );
    assert.deepEqual(items[1]?.previousHash, items[0]?.hash);
    assert.equal((await page(items.length > 1 ? 1 : 0)).items[0]?.seq, 2);
    for (const target of ["/v1/audit?after=-1", "/v1/audit?after=x", "/v1/devices?after=x"]) {
      assert.equal((await devices.auditor.client.exchange({ target })).status, 400);
    }
  });

  it("the devices, after one and in order", async () => {
    const list = async (after: string) => {
      const { body } = await devices.admin.client.send({ target: `/v1/devices?after=${after}` });
      return (decodeMessage(body) as { items: { device: Bytes; roles: string[] }[] }).items;
    };
    const all = await list("");
    assert.equal(all.length, 7); // Those above, eve's, and the operator's own.
    assert.deepEqual(await list(bytesToHex(all[2]?.device as Bytes)), all.slice(3));
  });
});

describe("roles: refusals in the audit trail", () => {
  it("count by class, not by request", async () => {
    for (let count = 0; count < 5; count++) await devices.none.client.exchange({ target: "/v1/account" });
    for (const reason of ["role", "other-vault", "signature"]) assert.ok(await isCounted(reason), reason);
    const refused = (await auditRows()).filter((row) => row.action === "refused");
    const classes = refused.map((row) => row.subject);
    for (const reason of ["role", "other-vault", "signature"]) assert.equal(classes.filter((each) => each === reason).length, 1, reason);
    assert.ok(refused.every((row) => row.origin === "127.0.0.1"));
  });

  it("tell a guessed invite as such", async () => {
    const invite = { ...(await node.invite("ada")), secret: random.bytes(16) };
    await assert.rejects(enrollDevice(invite, node.rootPem, createSigner(generateSigningKey(random).seed)), { code: "denied" });
    assert.ok(await isCounted("invite"));
  });
});

describe("roles: a revoked device", () => {
  it("gets a handshake and the word revoked, on an open connection and on a new one", async () => {
    const lost = await node.enroll("ada", ["agent"]);
    await lost.client.send({ target: "/v1/account" });
    await node.node.services.store.writer.call("revokeDevice", [lost.client.device]);
    await node.node.check();
    for (const client of [lost.client, node.connect(lost.signer, lost.identity)]) {
      const { status, body } = await client.exchange({ target: "/v1/account" });
      assert.deepEqual([status, parseFault(status, body).code], [403, "denied"]);
      assert.match(parseFault(status, body).message, /revoked/);
    }
    assert.ok(await isCounted("revoked-device"));
  });

  it("is known by the serial of its certificate as well as by its key", async () => {
    const device = await node.enroll("ada", ["agent"]);
    await device.client.send({ target: "/v1/account" });
    const serial = new X509Certificate(device.identity.cert).serialNumber.toLowerCase().replace(/^0+/, "");
    // As when that serial was revoked, and the key then certified anew.
    const catalog = createClient({ url: `file:${join(node.folder.storePath, "catalog.db")}` });
    await catalog.execute({
      sql: "INSERT INTO certificates VALUES (?, ?, ?, ?, 1, 2)",
      args: [random.bytes(32), device.client.device, serial, Date.now() + 60_000],
    });
    catalog.close();
    const { status, body } = await device.client.exchange({ target: "/v1/account" });
    assert.deepEqual([status, parseFault(status, body).detail], [403, { reason: "revoked" }]);
  });
});

describe("roles: an agent only appends", () => {
  interface Chain {
    readonly client: TestClient;
    readonly account: TestAccount;
    readonly config: ReturnType<typeof randomFrame>;
    readonly signer: Signer;
    readonly commit: (entry: Bytes) => Promise<unknown>;
  }

  /** An account of its own with a founded vault, whose one device is an agent and no more. */
  async function found(name: string): Promise<Chain> {
    const { client, answer, signer } = await node.enroll(name, ["agent"]);
    const account = new TestAccount({ device: signer, account: asAccountId(answer.account as Bytes) });
    await node.createVault(client, account.vault);
    const store = client.recordStore(account.vault);
    const opened = await store.lease(null);
    const config = randomFrame(RECORD_KINDS.config, 100);
    await store.put([{ id: config.id, parts: [config.frame] }], opened.lease as never);
    const commit = (entry: Bytes): Promise<unknown> => store.commit(entry as never, [], []);
    const bodies: EntryBody[] = [account.genesis(config.id), { kind: 2, deviceKey: signer.publicKey, roles: ["agent"], label: "agent" }];
    for (const body of bodies) {
      const entry = account.sign(body);
      await commit(entry);
      account.head = { seq: (account.head?.seq ?? -1) + 1, entry: asRecordId(sha256(entry)) };
    }
    return { client, account, config, signer, commit };
  }

  const policy = { kind: 7, line: null, rule: new Map([[1, 1]]), minimumAgeSeconds: MINIMUM_AGE_SECONDS } as const;

  function signAs({ account, signer }: Chain, body: EntryBody, owner: Signer | null): Bytes {
    const head = account.head as { seq: number; entry: ReturnType<typeof asRecordId> };
    const device = asDeviceId(sha256(signer.publicKey).slice(0, 16));
    const place = { vault: account.vault, account: account.account, device, seq: head.seq + 1, previous: head.entry, timeMs: Date.now(), body };
    const payload = encodeEntryPayload(place);
    return encodeJournalEntry(payload, signer.sign("journal", payload), owner === null ? null : owner.sign("owner", payload));
  }

  it("cannot delete or replace a record", async () => {
    const { client, account, config } = await found("append one");
    const target = `/v1/vaults/${bytesToHex(account.vault)}/records/${bytesToHex(config.id)}`;
    for (const method of ["DELETE", "PUT"]) assert.equal((await client.exchange({ method, target, body: encodeMessage({}) })).status, 404);
    const store = client.recordStore(account.vault);
    const { lease: own } = await store.lease(null);
    // Other bytes, sent as that record: a frame is named by its own hash, whatever the sender says.
    const other = randomFrame(RECORD_KINDS.config, 100);
    await assert.rejects(store.put([{ id: config.id, parts: [other.frame] }], own as never), { code: "integrity" });
    assert.deepEqual(await store.put([{ id: config.id, parts: [config.frame] }], own as never), { stored: 0, present: 1 });
    assert.deepEqual(await store.get(config.id), config.frame);
    assert.equal(await store.get(other.id), null);
  });

  it("cannot shorten retention without the owner's signature, nor with one that it makes itself", async () => {
    const chain = await found("append two");
    await assert.rejects(chain.commit(signAs(chain, policy, null)), { code: "denied" });
    await assert.rejects(chain.commit(signAs(chain, policy, chain.signer)), { code: "integrity" });
    // Nor is there a minimum age below the floor, owner or not.
    await assert.rejects(chain.commit(signAs(chain, { ...policy, minimumAgeSeconds: 1 }, chain.account.owner)), { code: "limit" });
  });

  it("cannot forget, admit a device or revoke one", async () => {
    const chain = await found("append three");
    const head = chain.account.head as { entry: ReturnType<typeof asRecordId> };
    const stranger = generateSigningKey(random).publicKey;
    await assert.rejects(chain.commit(signAs(chain, { kind: 11, entries: [head.entry] }, null)), { code: "denied" });
    await assert.rejects(chain.commit(signAs(chain, { kind: 2, deviceKey: stranger, roles: ["maintainer"], label: "x" }, null)), { code: "denied" });
    await assert.rejects(chain.commit(signAs(chain, { kind: 3, device: chain.account.device, badSince: null }, null)), { code: "denied" });
  });

  it("cannot roll the journal back, fork it or begin it anew", async () => {
    const { account, config, client, commit } = await found("append four");
    const founded = account.head as { seq: number; entry: ReturnType<typeof asRecordId> };
    const offersAnother = account.sign(policy, { seq: founded.seq, previous: founded.entry });
    await assert.rejects(commit(offersAnother), { code: "conflict" });
    await assert.rejects(commit(account.sign(account.genesis(config.id), { seq: 0, previous: null })), { code: "conflict" });
    const { items } = await client.recordStore(account.vault).journal(-1);
    assert.equal(items.length, 2);
    assert.deepEqual(asRecordId(sha256(items[1]?.entry as Uint8Array)), founded.entry);
  });

  it("what the owner signs is in the audit trail, with the device that sent it", async () => {
    const chain = await found("append five");
    await chain.commit(signAs(chain, policy, chain.account.owner));
    const row = (await auditRows()).findLast((each) => each.action === "policy");
    assert.equal(row?.actor, bytesToHex(chain.account.device));
    assert.match(row?.subject ?? "", new RegExp(`vault ${bytesToHex(chain.account.vault)}, journal entry 2`));
  });
});
