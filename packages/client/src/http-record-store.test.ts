import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, Fault, joinBytes, type Net, type NetRequest, type NetResponse } from "@holdfast/base";
import {
  asLeaseId,
  asRecordId,
  contentDigest,
  encodeFault,
  encodeMessage,
  FRAME_BYTES_MAX,
  HAVE_IDS_MAX,
  haveRequest,
  NEEDS_IDS_MAX,
  parseMessage,
  RECORD_KINDS,
  type RecordId,
  type RecordStore,
  splitRecordIds,
} from "@holdfast/protocol";
import {
  createFakeClock,
  createMemoryNode,
  createSeededRandom,
  JournalBuilder,
  recordStoreContract,
  testId,
  testKey,
  testRecord,
  testVerifier,
} from "@holdfast/testkit";
import { createHttpRecordStore } from "./http-record-store.ts";
import { createSignedSession } from "./signed-session.ts";
import { createMemoryNet } from "./testing/memory-net.ts";

const KEY = testKey(2);
const VAULT = testKey(1).vaultId;
const LEASE = asLeaseId(testId("lease").slice(0, 16));
const BASE = `/v1/vaults/${bytesToHex(VAULT)}`;

function storeOver(net: Net): RecordStore {
  const session = createSignedSession({
    net,
    clock: createFakeClock(undefined, true),
    random: createSeededRandom(3),
    host: "node.example",
    port: 1,
    device: KEY.deviceId,
    sign: (base) => KEY.sign("request", base),
    sha256: testVerifier.sha256,
    retry: { triesMax: 2 },
  });
  return createHttpRecordStore(session, VAULT, testVerifier.sha256);
}

recordStoreContract("HTTPS client", async () => {
  const journal = new JournalBuilder();
  const clock = createFakeClock();
  const node = createMemoryNode({ vault: journal.owner.vaultId, account: journal.account, clock, random: createSeededRandom(1), pageItems: 2 });
  const net = createMemoryNet(node.store(KEY.deviceId), KEY, "node.example:1");
  return { store: storeOver(net), journal, nodeKey: node.key.publicKey };
});

/** A store whose node answers what `answer` says, with the requests that it got. */
function scripted(answer: (request: NetRequest) => NetResponse | object): { store: RecordStore; requests: NetRequest[]; limits: number[] } {
  const requests: NetRequest[] = [];
  const limits: number[] = [];
  const net: Net = {
    async exchange(request, bytesMax) {
      requests.push(request);
      limits.push(bytesMax);
      const given = answer(request);
      return "status" in given ? (given as NetResponse) : { status: 200, headers: {}, body: encodeMessage(given) };
    },
    async [Symbol.asyncDispose]() {},
  };
  return { store: storeOver(net), requests, limits };
}

function idsOf(count: number): RecordId[] {
  const ids = createSeededRandom(5).bytes(count * 32);
  return splitRecordIds(ids);
}

function faultAnswer(fault: Fault, status: number): NetResponse {
  return { status, headers: {}, body: encodeFault(fault) };
}

const { id: ID, frame: FRAME } = testRecord(RECORD_KINDS.contentPack, 1);

describe("http record store: writing", () => {
  it("sends frames under the digest of their ids, and the parts as they are", async () => {
    const { store, requests } = scripted(() => ({ stored: 1, present: 1 }));
    const other = testRecord(RECORD_KINDS.slot, 2);
    const parts = [FRAME.subarray(0, 5), FRAME.subarray(5)];
    assert.deepEqual(
      await store.put(
        [
          { id: ID, parts },
          { id: other.id, parts: [other.frame] },
        ],
        LEASE,
      ),
      { stored: 1, present: 1 },
    );
    const [request] = requests as [NetRequest];
    assert.equal(`${request.method} ${request.target}`, `POST ${BASE}/records`);
    assert.equal(request.headers["holdfast-records"], contentDigest(testVerifier.sha256(joinBytes([ID, other.id]))));
    assert.equal(request.headers["content-digest"], undefined);
    assert.equal(request.headers["holdfast-lease"], bytesToHex(LEASE));
    assert.equal(request.headers["content-length"], String(FRAME.length + other.frame.length));
    assert.equal(request.body[0], parts[0]);
    assert.equal(request.body.length, 3);
  });

  it("refuses an answer that does not account for every frame", async () => {
    for (const counts of [
      { stored: 0, present: 0 },
      { stored: 1, present: 1 },
    ]) {
      const { store } = scripted(() => counts);
      await assert.rejects(store.put([{ id: ID, parts: [FRAME] }], LEASE), { name: "Fault", code: "format" });
    }
  });

  it("commits with as many ids as an entry may add and drop", async () => {
    const { store, requests } = scripted(() => ({ receipt: FRAME }));
    const ids = idsOf(NEEDS_IDS_MAX);
    assert.deepEqual(await store.commit(FRAME, ids, ids), FRAME);
    assert.ok((requests[0]?.body[0]?.length ?? 0) > NEEDS_IDS_MAX * 64);
  });

  it("gives the fault of a refused commit with its detail", async () => {
    const { store } = scripted(() => faultAnswer(new Fault("missing", "commit: records are missing", { detail: { count: 1, ids: [bytesToHex(ID)] } }), 404));
    await assert.rejects(store.commit(FRAME, [], []), { code: "missing", detail: { count: 1, ids: [bytesToHex(ID)] } });
  });
});

describe("http record store: missing", () => {
  it("asks page by page and joins the answers in order", async () => {
    const ids = idsOf(HAVE_IDS_MAX * 2 + 1);
    const { store, requests } = scripted((request) => {
      const asked = splitRecordIds(parseMessage(haveRequest, request.body[0] as Uint8Array, "have").ids);
      return { missing: joinBytes(asked.filter((id) => (id[0] as number) % 2 === 0)) };
    });
    assert.deepEqual(
      await store.missing(ids, LEASE),
      ids.filter((id) => (id[0] as number) % 2 === 0),
    );
    assert.deepEqual(
      requests.map(({ body }) => parseMessage(haveRequest, body[0] as Uint8Array, "have").ids.length / 32),
      [HAVE_IDS_MAX, HAVE_IDS_MAX, 1],
    );
    for (const { headers } of requests) assert.equal(headers["holdfast-lease"], bytesToHex(LEASE));
  });

  it("asks nothing about nothing", async () => {
    const { store, requests } = scripted(() => ({}));
    assert.deepEqual(await store.missing([], LEASE), []);
    assert.equal(requests.length, 0);
  });

  it("takes an id as often as it was asked for", async () => {
    const [one, two] = idsOf(2) as [RecordId, RecordId];
    const { store } = scripted(() => ({ missing: joinBytes([one, one]) }));
    assert.equal((await store.missing([one, two, one], LEASE)).length, 2);
  });

  it("refuses ids that were not asked for, out of order, repeated or cut", async () => {
    const [one, two, three] = idsOf(3) as [RecordId, RecordId, RecordId];
    for (const missing of [joinBytes([three]), joinBytes([two, one]), joinBytes([one, one]), one.subarray(0, 31)]) {
      const { store } = scripted(() => ({ missing }));
      await assert.rejects(store.missing([one, two], LEASE), { name: "Fault", code: "format" });
    }
  });
});

describe("http record store: reading", () => {
  it("refuses a frame that does not hash to its id", async () => {
    const { store } = scripted(() => ({ status: 200, headers: {}, body: FRAME.slice(1) }));
    await assert.rejects(store.get(ID), { name: "Fault", code: "integrity" });
  });

  it("bounds a frame by the longest frame there is", async () => {
    const { store, limits } = scripted(() => ({ status: 200, headers: {}, body: FRAME }));
    assert.deepEqual(await store.get(ID), FRAME);
    assert.deepEqual(limits, [FRAME_BYTES_MAX]);
  });

  it("asks for a range by its first and last byte", async () => {
    const { store, requests } = scripted(() => ({ status: 206, headers: {}, body: FRAME.slice(10, 15) }));
    assert.deepEqual(await store.getRange(ID, 10, 5), FRAME.slice(10, 15));
    const [request] = requests as [NetRequest];
    assert.equal(request.headers.range, "bytes=10-14");
    assert.equal(request.target, `${BASE}/records/${bytesToHex(ID)}`);
  });

  it("refuses the whole frame in place of a range, a range in place of the frame, and a range that is too long", async () => {
    const whole = scripted(() => ({ status: 200, headers: {}, body: FRAME.slice(0, 5) }));
    await assert.rejects(whole.store.getRange(ID, 0, 5), { code: "format" });
    const part = scripted(() => ({ status: 206, headers: {}, body: FRAME }));
    await assert.rejects(part.store.get(ID), { code: "format" });
    await assert.rejects(part.store.getRange(ID, 0, 5), { code: "format" });
  });

  it("gives null for a record that is missing, and the fault for one that is cold", async () => {
    const missing = scripted(() => faultAnswer(new Fault("missing", "record: not stored"), 404));
    assert.equal(await missing.store.get(ID), null);
    assert.equal(await missing.store.getRange(ID, 0, 1), null);
    const cold = scripted(() => faultAnswer(new Fault("cold", "record: archived"), 409));
    await assert.rejects(cold.store.get(ID), { code: "cold" });
  });

  it("passes cursors as the opaque texts they are", async () => {
    const { store, requests } = scripted(() => ({ cursor: "n", more: false, items: [] }));
    await store.changes("a&b=c/ü");
    assert.equal(requests[0]?.target, `${BASE}/changes?after=a%26b%3Dc%2F%C3%BC`);
  });

  it("refuses answers that are not what was asked for", async () => {
    const { store } = scripted(() => ({ something: 1 }));
    const calls = [
      () => store.changes(""),
      () => store.journal(-1),
      () => store.lease(null),
      () => store.commit(FRAME, [], []),
      () => store.missing([asRecordId(ID)], LEASE),
    ];
    for (const call of calls) await assert.rejects(call(), { name: "Fault", code: "format" });
  });
});
