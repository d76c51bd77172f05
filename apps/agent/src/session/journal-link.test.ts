import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, isFault, utf8 } from "@holdfast/base";
import { asRecordId, type EntryBody, encodeReceipt, encodeReceiptPayload, parseJournalEntry, type RecordStore } from "@holdfast/protocol";
import {
  createFakeClock,
  createFaultDisk,
  createMemoryNode,
  createSeededRandom,
  JournalBuilder,
  type MemoryNode,
  slotAdded,
  type TestKey,
  testId,
  testKey,
  testVerifier,
} from "@holdfast/testkit";
import { readMark } from "../state/mark.ts";
import { statePaths } from "../state/state-paths.ts";
import { createJournalLink, type JournalLink } from "./journal-link.ts";

const PATHS = statePaths("/state");
const owner = testKey(1);
const device = testKey(2);

interface Setting {
  readonly node: MemoryNode;
  readonly disk: ReturnType<typeof createFaultDisk>;
  link(store?: RecordStore): JournalLink;
}

/** A node with genesis, the device, and `slots` slots more: head at seq `slots` + 1. */
async function setUp(slots = 3): Promise<Setting> {
  const clock = createFakeClock();
  const random = createSeededRandom(7);
  const builder = new JournalBuilder(owner, device);
  const node = createMemoryNode({ vault: owner.vaultId, account: builder.account, clock, random, pageItems: 2 });
  const config = asRecordId(testId("config"));
  node.records.set(hex(config), utf8("any"));
  builder.begin(config);
  for (let count = 0; count < slots; count++) {
    const slot = asRecordId(testId(`slot ${count}`));
    node.records.set(hex(slot), utf8("any"));
    builder.append(slotAdded(slot));
  }
  const store = node.store(device.deviceId);
  for (const frame of builder.frames) await store.commit(frame, [], []);
  const disk = createFaultDisk();
  disk.makeFolder("/state", 0o700);
  const options = {
    ports: { clock, random, disk },
    paths: PATHS,
    vault: owner.vaultId,
    account: builder.account,
    device: device.deviceId,
    signer: device,
    nodeKey: node.key.publicKey,
  };
  return { node, disk, link: (given = store) => createJournalLink({ ...options, store: given }) };
}

const isAlarm =
  (pattern: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(isFault(error, "integrity") && error.detail["alarm"] === true, String(error));
    assert.match(error.message, pattern);
    return true;
  };

describe("journal link", () => {
  it("reads and verifies page by page, and the mark is at the head", async () => {
    const { link, disk } = await setUp();
    const state = await link().refresh();
    assert.deepEqual([state.head?.seq, state.slots.size, readMark(disk, PATHS)?.seq], [4, 3, 4]);
  });

  it("alarms when the node shows a journal that ends before the mark, with and without a cache", async () => {
    for (const keepCache of [true, false]) {
      const { link, disk, node } = await setUp();
      await link().refresh();
      if (!keepCache) disk.remove(`${PATHS.cache}/journal`);
      node.journal.length = 4;
      await assert.rejects(link().refresh(), isAlarm(/this device has seen seq 4: it was set back/));
      assert.equal(readMark(disk, PATHS)?.seq, 4, "the mark stays");
    }
  });

  it("alarms when the node shows an empty journal after a mark", async () => {
    const { link, node } = await setUp();
    await link().refresh();
    node.journal.length = 0;
    await assert.rejects(link().refresh(), isAlarm(/set back/));
  });

  it("alarms when the node shows another entry at the mark", async () => {
    for (const keepCache of [true, false]) {
      const { link, disk, node } = await setUp();
      await link().refresh();
      if (!keepCache) disk.remove(`${PATHS.cache}/journal`);
      rewriteLast(node, { kind: 5, slot: asRecordId(testId("slot 0")) });
      await assert.rejects(link().refresh(), isAlarm(/another entry at seq 4/));
    }
  });

  it("alarms when the node signs another receipt for the entry at the mark", async () => {
    for (const keepCache of [true, false]) {
      const { link, disk, node } = await setUp();
      await link().refresh();
      if (!keepCache) disk.remove(`${PATHS.cache}/journal`);
      const last = node.journal.at(-1)!;
      last.receipt = receiptFor(node.key, node.journal, node.journal.length - 1, 5);
      await assert.rejects(link().refresh(), isAlarm(/another receipt at seq 4/));
    }
  });

  it("alarms at a gap, at a receipt by another key, and at a changed byte", async () => {
    const damage: readonly [(node: MemoryNode) => unknown, RegExp][] = [
      [({ journal }) => journal.splice(2, 1), /entry 2 of the journal does not verify.*entries are missing/],
      [({ journal }) => journal.splice(1, 1, { ...journal[1]!, receipt: receiptFor(testKey(77), journal, 1, 0) }), /receipt of entry 1/],
      [({ journal }) => journal[3]!.entry.fill(0, 100, 101), /entry 3 of the journal does not verify/],
    ];
    for (const [damageNode, pattern] of damage) {
      const { link, node } = await setUp();
      damageNode(node);
      await assert.rejects(link().refresh(), isAlarm(pattern));
    }
  });

  it("throws a damaged cache away and reads from genesis", async () => {
    const damages: readonly ((bytes: Bytes) => Uint8Array)[] = [
      (bytes) => bytes.slice(0, -7),
      (bytes) => bytes.map((byte, index) => (index === 300 ? byte ^ 1 : byte)),
      () => utf8("not a cache at all"),
    ];
    for (const damage of damages) {
      const { link, disk } = await setUp();
      await link().refresh();
      const path = `${PATHS.cache}/journal`;
      const whole = disk.readFile(path, 1e6)!;
      disk.writeFile(path, damage(whole), 0o600);
      assert.equal((await link().refresh()).head?.seq, 4);
      assert.deepEqual(disk.readFile(path, 1e6), whole, "the cache is whole again");
    }
  });

  it("reads only what is new when the cache is good", async () => {
    const { link, node } = await setUp();
    await link().refresh();
    const asked: number[] = [];
    const store = node.store(device.deviceId);
    const listening: RecordStore = {
      ...bound(store),
      journal(after) {
        asked.push(after);
        return store.journal(after);
      },
    };
    await link(listening).refresh();
    assert.deepEqual(asked, [3]);
  });

  it("appends with a durable mark, and after a conflict reads and signs again", async () => {
    const { link, disk, node } = await setUp();
    const [first, second] = [link(), link()];
    await first.refresh();
    await second.refresh();
    for (const name of ["slot x", "slot y"]) node.records.set(hex(testId(name)), utf8("any"));
    await first.append(() => ({ body: slotAdded(asRecordId(testId("slot x"))), additions: [], drops: [] }), owner);
    let calls = 0;
    const appended = await second.append(() => {
      calls++;
      return { body: slotAdded(asRecordId(testId("slot y"))), additions: [], drops: [] };
    }, owner);
    assert.deepEqual([appended.seq, calls, readMark(disk, PATHS)?.seq, second.state().slots.size], [6, 2, 6, 5]);
  });

  it("does not resolve before the mark is on disk", async () => {
    const { link, disk, node } = await setUp();
    const opened = link();
    await opened.refresh();
    node.records.set(hex(testId("slot x")), utf8("any"));
    const before = disk.callCount;
    await opened.append(() => ({ body: slotAdded(asRecordId(testId("slot x"))), additions: [], drops: [] }), owner);
    const writes = disk.calls.slice(before).filter((call) => call.startsWith("writeFile") || call.startsWith("appendFile"));
    assert.deepEqual(writes, ["writeFile /state/mark.json", "appendFile /state/cache/journal"]);
  });

  it("refuses what the node would refuse, before it is sent", async () => {
    const { link, node } = await setUp();
    const opened = link();
    await opened.refresh();
    await assert.rejects(
      opened.append(() => ({ body: slotAdded(asRecordId(testId("slot x"))), additions: [], drops: [] })),
      { name: "Fault", code: "denied" },
    );
    assert.equal(node.journal.length, 5);
  });
});

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Puts an honestly signed entry with `body` in place of the last one. */
function rewriteLast(node: MemoryNode, body: EntryBody): void {
  const builder = new JournalBuilder(owner, device);
  for (const { entry } of node.journal.slice(0, -1)) builder.take(entry);
  const entry = builder.frame(body);
  const at = node.journal.length - 1;
  node.journal[at] = { ...node.journal[at]!, entry };
  node.journal[at]!.receipt = receiptFor(node.key, node.journal, at, 0);
}

/** A receipt by `key` for the entry at `seq`, some ms later than any other. */
function receiptFor(key: TestKey, journal: MemoryNode["journal"], seq: number, laterMs: number): Bytes {
  const { entry } = journal[seq]!;
  const { vault } = parseJournalEntry(entry).payload;
  const before = journal[seq - 1];
  const previous = before === undefined ? null : asRecordId(testVerifier.sha256(before.receipt));
  const payload = encodeReceiptPayload({ vault, seq, entry: asRecordId(testVerifier.sha256(entry)), receivedMs: 1_760_000_000_000 + laterMs, previous });
  return encodeReceipt(payload, key.sign("receipt", payload));
}

/** The methods of a store as a plain object, so that one can be replaced. */
function bound(store: RecordStore): RecordStore {
  return {
    put: (...args) => store.put(...args),
    missing: (...args) => store.missing(...args),
    get: (id) => store.get(id),
    getRange: (...args) => store.getRange(...args),
    changes: (cursor) => store.changes(cursor),
    lease: (lease) => store.lease(lease),
    commit: (...args) => store.commit(...args),
    journal: (after) => store.journal(after),
  };
}
