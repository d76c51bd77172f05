import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, bytesToHex, compareBytes, type FaultCode, isFault } from "@holdfast/base";
import { needsOf, testId, testKey } from "@holdfast/testkit";
import { type Canonical, decodeCanonical, encodeCanonical } from "./codec.ts";
import { encodeFrame, RECORD_KINDS } from "./frame.ts";
import { asAccountId, asLineId, asRecordId, type RecordId } from "./id.ts";
import { type EntryBody, type EntryPayload, encodeEntryPayload, encodeJournalEntry, parseJournalEntry } from "./journal-entry.ts";
import { FORGET_ENTRIES_MAX, MINIMUM_AGE_SECONDS } from "./limits.ts";

const id = (name: string): ReturnType<typeof asRecordId> => asRecordId(testId(name));
const ids = (count: number): ReturnType<typeof asRecordId>[] => Array.from({ length: count }, (_, index) => id(`entry ${index}`)).sort(compareBytes);
const line = asLineId(testId("line"));
const device = testKey(2);
const signature = new Uint8Array(64).fill(1);
const snapshot = { snapshot: id("snapshot"), line, complete: true, needs: needsOf(1, [id("snapshot")]), supersedes: null };

const BODIES: readonly EntryBody[] = [
  { kind: 1, ownerKey: testKey(1).publicKey, containerKey: testId("container"), config: id("config"), deviceKey: device.publicKey },
  { kind: 2, deviceKey: device.publicKey, roles: ["agent", "admin"], label: "büro" },
  { kind: 3, device: device.deviceId, badSince: null },
  { kind: 3, device: device.deviceId, badSince: 0 },
  { kind: 4, slot: id("slot"), slotType: 2, slotId: testId("slot id").slice(0, 16), label: "" },
  { kind: 5, slot: id("slot") },
  { kind: 6, config: id("config") },
  { kind: 7, line: null, rule: new Map(), minimumAgeSeconds: MINIMUM_AGE_SECONDS },
  {
    kind: 7,
    line,
    rule: new Map([
      [1, 5],
      [3, 7],
      [6, 1],
    ]),
    minimumAgeSeconds: MINIMUM_AGE_SECONDS * 2,
  },
  { kind: 8, epoch: 0xffffffff, containerKey: testId("container"), slot: id("slot") },
  { kind: 9, ...snapshot },
  { kind: 9, ...snapshot, complete: false, supersedes: id("partial"), needs: needsOf(3, [id("a")], [id("b")], id("base")) },
  { kind: 10, ...snapshot },
  { kind: 11, entries: [] },
  { kind: 11, entries: ids(3) },
  { kind: 12, entry: id("entry"), reason: null },
  { kind: 12, entry: id("entry"), reason: "court order" },
  { kind: 13, entry: id("entry"), reason: "" },
];

const payloadOf = (body: EntryBody): EntryPayload => ({
  vault: testKey(1).vaultId,
  account: asAccountId(testId("account").slice(0, 16)),
  device: device.deviceId,
  seq: 7,
  previous: id("previous"),
  timeMs: 1_760_000_000_000,
  body,
});
const faultOf = (code: FaultCode) => (error: unknown) => isFault(error, code);

/** The entry's frame after `change` to the payload's map. */
function framed(body: EntryBody, change: (payload: Map<number, Canonical>) => void): Bytes {
  const payload = decodeCanonical(encodeEntryPayload(payloadOf(body))) as Map<number, Canonical>;
  change(payload);
  return encodeJournalEntry(encodeCanonical(payload), signature, null);
}

/** `framed`, with fields of the body replaced; `undefined` takes one away. */
function withFields(body: EntryBody, fields: Readonly<Record<number, Canonical | undefined>>): Bytes {
  return framed(body, (payload) => {
    const map = new Map(payload.get(8) as ReadonlyMap<number, Canonical>);
    for (const [key, value] of Object.entries(fields)) {
      if (value === undefined) map.delete(Number(key));
      else map.set(Number(key), value);
    }
    payload.set(8, map);
  });
}

const bodyOf = (kind: number): EntryBody => BODIES.find((body) => body.kind === kind) as EntryBody;

describe("journal entries", () => {
  for (const body of BODIES) {
    it(`of kind ${body.kind} come back as they went (${bytesToHex(encodeEntryPayload(payloadOf(body))).length / 2} bytes)`, () => {
      const payload = payloadOf(body);
      for (const owner of [null, new Uint8Array(64).fill(2)]) {
        const parsed = parseJournalEntry(encodeJournalEntry(encodeEntryPayload(payload), signature, owner));
        assert.deepEqual(parsed.payload, payload);
        assert.deepEqual(encodeEntryPayload(parsed.payload), parsed.payloadBytes);
        assert.deepEqual(parsed.deviceSignature, signature);
        assert.deepEqual(parsed.ownerSignature, owner);
      }
    });
  }

  it("at seq 0 have nothing before", () => {
    const payload = { ...payloadOf(bodyOf(1)), seq: 0, previous: null };
    assert.deepEqual(parseJournalEntry(encodeJournalEntry(encodeEntryPayload(payload), signature, signature)).payload, payload);
  });

  it("of reserved and unknown kinds are a version fault", () => {
    for (const kind of [0, 14, 15, 16, 17, 18, 19, 1_000]) {
      assert.throws(() => parseJournalEntry(framed(bodyOf(5), (payload) => payload.set(7, kind))), faultOf("version"), `kind ${kind}`);
    }
  });

  it("are refused with a payload field missing, unknown or of the wrong type", () => {
    for (let key = 1; key <= 8; key++) {
      assert.throws(() => parseJournalEntry(framed(bodyOf(5), (payload) => payload.delete(key))), faultOf("format"), `without ${key}`);
      assert.throws(() => parseJournalEntry(framed(bodyOf(5), (payload) => payload.set(key, "text"))), faultOf("format"), `text in ${key}`);
    }
    assert.throws(() => parseJournalEntry(framed(bodyOf(5), (payload) => payload.set(9, 0))), faultOf("format"));
    for (const [key, bytes] of [
      [1, 15],
      [2, 17],
      [3, 32],
      [5, 31],
    ] as const)
      assert.throws(() => parseJournalEntry(framed(bodyOf(5), (payload) => payload.set(key, new Uint8Array(bytes)))), faultOf("format"));
  });

  it("are refused with a body field missing, unknown or of the wrong type", () => {
    for (const body of BODIES) {
      const fields = (decodeCanonical(encodeEntryPayload(payloadOf(body))) as Map<number, ReadonlyMap<number, Canonical>>).get(8) as ReadonlyMap<
        number,
        Canonical
      >;
      for (const key of fields.keys()) {
        const isOptional = (body.kind === 3 && key === 2) || ((body.kind === 9 || body.kind === 10) && key === 5) || (body.kind >= 12 && key === 2);
        if (!isOptional) assert.throws(() => parseJournalEntry(withFields(body, { [key]: undefined })), faultOf("format"), `kind ${body.kind} without ${key}`);
        assert.throws(() => parseJournalEntry(withFields(body, { [key]: new Map([[99, 99]]) })), faultOf("format"), `kind ${body.kind}, map in ${key}`);
      }
      assert.throws(() => parseJournalEntry(withFields(body, { 9: 0 })), faultOf("format"), `kind ${body.kind} with 9`);
    }
  });

  it("name roles once each and in order", () => {
    for (const roles of [[], [2, 1], [1, 1], [0], [5], [1, 2, 3, 4, 4], ["1"]])
      assert.throws(
        () => parseJournalEntry(withFields(bodyOf(2), { 2: roles })),
        (error) => isFault(error, "format") || isFault(error, "limit"),
        `${roles}`,
      );
  });

  it("write roles and forgotten entries in order, however they were given", () => {
    const roles = payloadOf({ kind: 2, deviceKey: device.publicKey, roles: ["admin", "agent"], label: "" });
    assert.deepEqual(
      encodeEntryPayload(roles),
      encodeEntryPayload(payloadOf({ ...(roles.body as Extract<EntryBody, { kind: 2 }>), roles: ["agent", "admin"] })),
    );
    assert.deepEqual(encodeEntryPayload(payloadOf({ kind: 11, entries: ids(3).reverse() })), encodeEntryPayload(payloadOf({ kind: 11, entries: ids(3) })));
  });

  it("forget entries in ascending order, each once, and at most so many", () => {
    const [first, second] = ids(2) as [RecordId, RecordId];
    for (const entries of [
      [second, first],
      [first, first],
      [first, second, second],
    ])
      assert.throws(() => parseJournalEntry(withFields(bodyOf(11), { 1: entries })), faultOf("format"));
    assert.equal(
      (parseJournalEntry(withFields(bodyOf(11), { 1: ids(FORGET_ENTRIES_MAX) })).payload.body as Extract<EntryBody, { kind: 11 }>).entries.length,
      FORGET_ENTRIES_MAX,
    );
    assert.throws(() => parseJournalEntry(withFields(bodyOf(11), { 1: ids(FORGET_ENTRIES_MAX + 1) })), faultOf("limit"));
  });

  it("hold policies to their floors", () => {
    for (const rule of [new Map([[1, 0]]), new Map([[7, 1]]), new Map([[0, 1]]), new Map([[1, -1]])])
      assert.throws(() => parseJournalEntry(withFields(bodyOf(7), { 2: rule })), faultOf("format"));
    assert.throws(() => parseJournalEntry(withFields(bodyOf(7), { 3: MINIMUM_AGE_SECONDS - 1 })), faultOf("limit"));
  });

  it("bound labels and reasons in bytes", () => {
    for (const [kind, key] of [
      [2, 3],
      [4, 4],
      [12, 2],
    ] as const) {
      parseJournalEntry(withFields(bodyOf(kind), { [key]: "ü".repeat(128) }));
      assert.throws(() => parseJournalEntry(withFields(bodyOf(kind), { [key]: `${"ü".repeat(128)}x` })), faultOf("limit"));
    }
  });

  it("bound numbers", () => {
    assert.throws(() => parseJournalEntry(withFields(bodyOf(8), { 1: 2 ** 32 })), faultOf("format"));
    assert.throws(() => parseJournalEntry(withFields(bodyOf(4), { 2: 256 })), faultOf("format"));
    assert.throws(() => parseJournalEntry(framed(bodyOf(5), (payload) => payload.set(4, -1))), faultOf("format"));
  });

  it("are refused when the outer map, the signatures or the frame are wrong", () => {
    const payload = encodeEntryPayload(payloadOf(bodyOf(5)));
    const wrap = (map: ReadonlyMap<number, Canonical>): Bytes => encodeFrame(RECORD_KINDS.journalEntry, 0, 0, encodeCanonical(map));
    for (const map of [
      new Map([[1, payload]]),
      new Map([
        [1, payload],
        [2, signature.slice(1)],
      ]),
      new Map([
        [1, payload],
        [2, signature],
        [3, new Uint8Array(0)],
      ]),
      new Map<number, Canonical>([
        [1, payload],
        [2, signature],
        [3, null],
      ]),
      new Map([
        [1, payload],
        [2, signature],
        [4, signature],
      ]),
    ]) {
      assert.throws(() => parseJournalEntry(wrap(map as ReadonlyMap<number, Canonical>)), faultOf("format"));
    }
    assert.throws(
      () =>
        parseJournalEntry(
          encodeFrame(
            RECORD_KINDS.receipt,
            0,
            0,
            encodeCanonical(
              new Map([
                [1, payload],
                [2, signature],
              ]),
            ),
          ),
        ),
      faultOf("integrity"),
    );
    assert.throws(() => parseJournalEntry(new Uint8Array(65_537)), faultOf("limit"));
  });
});
