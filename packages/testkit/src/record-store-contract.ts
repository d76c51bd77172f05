/** What every RecordStore must do: memory, HTTPS client against a storage node, fault-injecting. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { type Bytes, bytesToHex, type FaultCode, isFault } from "@holdfast/base";
import {
  asLeaseId,
  asRecordId,
  encodeFrame,
  encodeJournalEntry,
  type JournalAnswer,
  parseJournalEntry,
  RECORD_KINDS,
  type RecordId,
  type RecordKind,
  type RecordStore,
  verifyReceipt,
} from "@holdfast/protocol";
import { type JournalBuilder, needsOf, slotAdded, snapshotBody } from "./journal-builder.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { testId, testVerifier } from "./test-keys.ts";

/** A fresh, empty vault on a storage node. */
export interface RecordStoreSubject {
  readonly store: RecordStore;
  /** Before genesis; its device is the one that the store speaks for, its owner the vault's. */
  readonly journal: JournalBuilder;
  /** Public half of the key that signs receipts. */
  readonly nodeKey: Bytes;
  readonly close?: () => Promise<void>;
}

interface TestRecord {
  readonly id: RecordId;
  readonly frame: Bytes;
}

const UNKNOWN_ID = asRecordId(testId("nowhere"));

/** A frame that no store looks into: `bodyBytes` pseudo-random bytes. */
export function testRecord(kind: RecordKind, seed: number, bodyBytes = 100): TestRecord {
  const suite = kind === RECORD_KINDS.slot ? 0 : 1;
  const frame = encodeFrame(kind, suite, 0, createSeededRandom(seed).bytes(bodyBytes));
  return { id: asRecordId(testVerifier.sha256(frame)), frame };
}

/** Asserts that `promise` rejects with a fault of `code`, and returns it. */
export async function rejectsWith(promise: Promise<unknown>, code: FaultCode): Promise<{ readonly detail: Readonly<Record<string, unknown>> }> {
  try {
    await promise;
  } catch (error) {
    if (isFault(error, code)) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: `resolved, want a fault ${code}` });
}

export function recordStoreContract(name: string, create: () => Promise<RecordStoreSubject>): void {
  describe(`RecordStore: ${name}`, () => {
    const open: RecordStoreSubject[] = [];
    const begin = async (): Promise<Fixture> => {
      const subject = await create();
      open.push(subject);
      return new Fixture(subject, (await subject.store.lease(null)).lease);
    };
    afterEach(async () => {
      for (const subject of open.splice(0)) await subject.close?.();
    });
    recordTests(begin);
    commitTests(begin);
    needsTests(begin);
  });
}

/** A subject with a lease, and the steps that most tests begin with. */
class Fixture {
  readonly store: RecordStore;
  readonly journal: JournalBuilder;
  readonly nodeKey: Bytes;
  readonly lease: ReturnType<typeof asLeaseId>;

  constructor(subject: RecordStoreSubject, lease: Uint8Array) {
    this.store = subject.store;
    this.journal = subject.journal;
    this.nodeKey = subject.nodeKey;
    this.lease = asLeaseId(lease);
  }

  put(...records: readonly TestRecord[]): ReturnType<RecordStore["put"]> {
    return this.store.put(
      records.map(({ id, frame }) => ({ id, parts: [frame] })),
      this.lease,
    );
  }

  /** Stores a config, commits genesis and the device's admission. */
  async found(): Promise<void> {
    const config = testRecord(RECORD_KINDS.config, 1);
    await this.put(config);
    this.journal.begin(config.id);
    for (const frame of this.journal.frames) await this.store.commit(frame, [], []);
  }

  /** Everything in the journal, page by page. */
  async readJournal(): Promise<JournalAnswer["items"]> {
    const items: JournalAnswer["items"] = [];
    for (let more = true; more; ) {
      const page = await this.store.journal(items.length - 1);
      items.push(...page.items);
      more = page.more;
      assert.ok(!more || page.items.length > 0, "a page that is not the last has items");
    }
    return items;
  }
}

type Begin = () => Promise<Fixture>;

function recordTests(begin: Begin): void {
  const [pack, other, third] = [testRecord(RECORD_KINDS.contentPack, 2), testRecord(RECORD_KINDS.structurePack, 3), testRecord(RECORD_KINDS.slot, 4)];

  it("get returns what put stored, and null for an unknown id", async () => {
    const fixture = await begin();
    const { store } = fixture;
    assert.deepEqual(await fixture.put(pack, other), { stored: 2, present: 0 });
    assert.deepEqual(await store.get(pack.id), pack.frame);
    assert.deepEqual(await store.get(other.id), other.frame);
    assert.equal(await store.get(UNKNOWN_ID), null);
    assert.equal(await store.getRange(UNKNOWN_ID, 0, 1), null);
  });

  it("put again counts the frames as present", async () => {
    const fixture = await begin();
    await fixture.put(pack);
    assert.deepEqual(await fixture.put(pack, other), { stored: 1, present: 1 });
    assert.deepEqual(await fixture.put(pack, other), { stored: 0, present: 2 });
  });

  it("put joins the parts of a frame of megabytes, and getRange cuts it anywhere", async () => {
    const { store, lease } = await begin();
    const { id, frame } = testRecord(RECORD_KINDS.contentPack, 5, 2_500_000);
    const parts = [frame.subarray(0, 1), frame.subarray(1, 1_048_576), frame.subarray(1_048_576)];
    await store.put([{ id, parts }], lease);
    assert.equal(bytesToHex(testVerifier.sha256((await store.get(id)) as Bytes)), bytesToHex(id));
    for (const [offset, length] of [
      [0, 1],
      [1_048_570, 20],
      [2_000_000, 300_000],
    ] as const)
      assert.deepEqual(await store.getRange(id, offset, length), frame.slice(offset, offset + length));
    assert.deepEqual(await store.getRange(id, frame.length - 5, 100), frame.slice(-5), "fewer bytes at the end of the frame");
  });

  it("put refuses a frame that does not hash to its id, and all after it", async () => {
    const { store, lease } = await begin();
    const frames = [pack, { id: other.id, frame: third.frame }, third].map(({ id, frame }) => ({ id, parts: [frame] }));
    await rejectsWith(store.put(frames, lease), "integrity");
    assert.equal(await store.get(other.id), null);
    assert.equal(await store.get(third.id), null);
  });

  it("put refuses bytes that are no frame", async () => {
    const { store, lease } = await begin();
    const bytes = new Uint8Array(40).fill(7);
    const id = asRecordId(testVerifier.sha256(bytes));
    await rejectsWith(store.put([{ id, parts: [bytes] }], lease), "format");
    assert.equal(await store.get(id), null);
  });

  it("put and missing refuse a lease that nobody opened", async () => {
    const { store } = await begin();
    const lease = asLeaseId(testId("no lease").slice(0, 16));
    await rejectsWith(store.put([{ id: pack.id, parts: [pack.frame] }], lease), "missing");
    assert.equal(await store.get(pack.id), null);
    await rejectsWith(store.missing([pack.id], lease), "missing");
  });

  it("missing names the ids that are not stored, in the order asked", async () => {
    const fixture = await begin();
    await fixture.put(other);
    assert.deepEqual(await fixture.store.missing([third.id, other.id, pack.id], fixture.lease), [third.id, pack.id]);
    assert.deepEqual(await fixture.store.missing([], fixture.lease), []);
  });

  it("lease renews under the same id", async () => {
    const { store, lease } = await begin();
    const renewed = await store.lease(lease);
    assert.deepEqual(renewed.lease, lease);
    assert.ok(renewed.expiresAtMs > 0);
    assert.notDeepEqual((await store.lease(null)).lease, lease);
  });

  it("changes lists index records once each, and goes on from a cursor", async () => {
    const fixture = await begin();
    const indexes = [6, 7, 8, 9, 10].map((seed) => testRecord(seed % 2 === 0 ? RECORD_KINDS.contentIndex : RECORD_KINDS.structureIndex, seed));
    await fixture.put(pack, ...indexes.slice(0, 4));
    await fixture.put(...indexes.slice(0, 4));
    const read = async (after: string): Promise<{ cursor: string; ids: string[] }> => {
      const ids: string[] = [];
      for (let cursor = after; ; ) {
        const page = await fixture.store.changes(cursor);
        ids.push(...page.items.map((item) => bytesToHex(item.id)));
        for (const item of page.items) assert.equal(item.op, "added");
        cursor = page.cursor;
        if (!page.more) return { cursor, ids };
      }
    };
    const first = await read("");
    assert.deepEqual(
      first.ids,
      indexes.slice(0, 4).map(({ id }) => bytesToHex(id)),
    );
    assert.deepEqual((await read(first.cursor)).ids, []);
    await fixture.put(indexes[4] as TestRecord);
    const second = await fixture.store.changes(first.cursor);
    assert.deepEqual(second.items, [{ op: "added", kind: RECORD_KINDS.contentIndex, id: indexes[4]?.id, bytes: indexes[4]?.frame.length, tier: "hot" }]);
  });
}

function commitTests(begin: Begin): void {
  it("commit answers with receipts that form a chain, and journal returns entries and receipts", async () => {
    const fixture = await begin();
    await fixture.found();
    const items = await fixture.readJournal();
    assert.deepEqual(
      items.map((item) => item.entry),
      fixture.journal.frames,
    );
    let previous: RecordId | null = null;
    for (const [seq, { entry, receipt }] of items.entries()) {
      const want: Parameters<typeof verifyReceipt>[2] = { vault: fixture.journal.owner.vaultId, seq, entry: asRecordId(testVerifier.sha256(entry)), previous };
      previous = verifyReceipt(receipt, fixture.nodeKey, want, testVerifier).receipt;
    }
    assert.deepEqual((await fixture.store.journal(items.length - 1)).items, []);
  });

  it("commit of the same entry again answers with the same receipt", async () => {
    const fixture = await begin();
    await fixture.found();
    const items = await fixture.readJournal();
    assert.deepEqual(await fixture.store.commit(fixture.journal.frames[0] as Bytes, [], []), items[0]?.receipt);
    assert.deepEqual(await fixture.store.commit(fixture.journal.frames[1] as Bytes, [], []), items[1]?.receipt);
    assert.equal((await fixture.readJournal()).length, items.length);
  });

  it("commit refuses an entry that does not follow the head, and names the head", async () => {
    const fixture = await begin();
    await fixture.found();
    const slot = testRecord(RECORD_KINDS.slot, 20);
    await fixture.put(slot);
    const [mine, theirs] = [fixture.journal.frame(slotAdded(slot.id)), fixture.journal.frame(slotAdded(slot.id, 2))];
    await fixture.store.commit(theirs, [], []);
    const { detail } = await rejectsWith(fixture.store.commit(mine, [], []), "conflict");
    assert.deepEqual(detail, { seq: 2, head: bytesToHex(testVerifier.sha256(theirs)) });
  });

  it("commit refuses a damaged signature or a missing owner, and appends nothing", async () => {
    const fixture = await begin();
    await fixture.found();
    const slot = testRecord(RECORD_KINDS.slot, 21);
    await fixture.put(slot);
    const honest = fixture.journal.frame(slotAdded(slot.id));
    const { payloadBytes, deviceSignature, ownerSignature } = parseJournalEntry(honest);
    const damaged = deviceSignature.slice();
    damaged[40] = (damaged[40] as number) ^ 1;
    await rejectsWith(fixture.store.commit(encodeJournalEntry(payloadBytes, damaged, ownerSignature), [], []), "integrity");
    await rejectsWith(fixture.store.commit(encodeJournalEntry(payloadBytes, deviceSignature, null), [], []), "denied");
    assert.equal((await fixture.readJournal()).length, 2);
    await fixture.store.commit(honest, [], []);
    assert.equal((await fixture.readJournal()).length, 3);
  });

  it("commit refuses an entry that names a record which is not stored", async () => {
    const fixture = await begin();
    const config = testRecord(RECORD_KINDS.config, 1);
    const genesis = fixture.journal.frame(fixture.journal.genesisBody(config.id));
    const { detail } = await rejectsWith(fixture.store.commit(genesis, [], []), "missing");
    assert.deepEqual(detail.ids, [bytesToHex(config.id)]);
    await fixture.found();
    const slot = testRecord(RECORD_KINDS.slot, 22);
    await rejectsWith(fixture.store.commit(fixture.journal.frame(slotAdded(slot.id)), [], []), "missing");
  });

  it("commit refuses records beside an entry that is no snapshot", async () => {
    const fixture = await begin();
    await fixture.found();
    const slot = testRecord(RECORD_KINDS.slot, 23);
    await fixture.put(slot);
    await rejectsWith(fixture.store.commit(fixture.journal.frame(slotAdded(slot.id)), [slot.id], []), "format");
  });
}

function needsTests(begin: Begin): void {
  const snapshot = testRecord(RECORD_KINDS.snapshot, 30);
  const next = testRecord(RECORD_KINDS.snapshot, 31);
  const [pack, index, late] = [testRecord(RECORD_KINDS.contentPack, 32), testRecord(RECORD_KINDS.contentIndex, 33), testRecord(RECORD_KINDS.contentPack, 34)];
  const ids = [snapshot.id, pack.id, index.id];

  it("commit of a snapshot answers missing with the ids that are not stored, and works once they are", async () => {
    const fixture = await begin();
    await fixture.found();
    await fixture.put(snapshot, index);
    const entry = fixture.journal.frame(snapshotBody(snapshot.id, { needs: needsOf(3, ids) }));
    const { detail } = await rejectsWith(fixture.store.commit(entry, ids, []), "missing");
    assert.deepEqual(detail, { count: 1, ids: [bytesToHex(pack.id)] });
    await fixture.put(pack);
    await fixture.store.commit(entry, ids, []);
    assert.equal((await fixture.readJournal()).length, 3);
  });

  it("commit refuses ids that do not have the digests and the count of the entry", async () => {
    const fixture = await begin();
    await fixture.found();
    await fixture.put(snapshot, pack, index, late);
    const entry = fixture.journal.frame(snapshotBody(snapshot.id, { needs: needsOf(3, ids) }));
    await rejectsWith(fixture.store.commit(entry, [...ids, late.id], []), "integrity");
    await rejectsWith(fixture.store.commit(entry, ids.slice(1), []), "integrity");
    await rejectsWith(fixture.store.commit(entry, ids, [late.id]), "integrity");
    await rejectsWith(fixture.store.commit(entry, [...ids, pack.id], []), "format");
    const wrongCount = fixture.journal.frame(snapshotBody(snapshot.id, { needs: needsOf(4, ids) }));
    await rejectsWith(fixture.store.commit(wrongCount, ids, []), "integrity");
    assert.equal((await fixture.readJournal()).length, 2);
  });

  it("commit refuses needs without the snapshot record itself", async () => {
    const fixture = await begin();
    await fixture.found();
    await fixture.put(snapshot, pack, index);
    const entry = fixture.journal.frame(snapshotBody(snapshot.id, { needs: needsOf(2, ids.slice(1)) }));
    await rejectsWith(fixture.store.commit(entry, ids.slice(1), []), "integrity");
  });

  it("commit takes a difference to a base only if it fits the base", async () => {
    const fixture = await begin();
    await fixture.found();
    await fixture.put(snapshot, next, pack, index, late);
    const first = fixture.journal.frame(snapshotBody(snapshot.id, { needs: needsOf(3, ids) }));
    await fixture.store.commit(first, ids, []);
    const base = fixture.journal.take(first);
    const attempt = (count: number, additions: RecordId[], drops: RecordId[]): Promise<Bytes> =>
      fixture.store.commit(fixture.journal.frame(snapshotBody(next.id, { needs: needsOf(count, additions, drops, base) })), additions, drops);
    await rejectsWith(attempt(5, [next.id, pack.id], []), "integrity");
    await rejectsWith(attempt(3, [next.id], [late.id]), "integrity");
    await attempt(3, [next.id, late.id], [snapshot.id, pack.id]);
    assert.equal((await fixture.readJournal()).length, 4);
  });
}
