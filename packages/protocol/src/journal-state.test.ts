import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, bytesToHex, compareBytes, type FaultCode, isFault, utf8 } from "@holdfast/base";
import { admission, damages, JournalBuilder, needsOf, slotAdded, snapshotBody, testId, testKey, testVerifier } from "@holdfast/testkit";
import { asAccountId, asLineId, asRecordId, type RecordId } from "./id.ts";
import { type EntryBody, encodeJournalEntry, parseJournalEntry, type Role } from "./journal-entry.ts";
import { applyEntry, emptyJournal, type JournalState } from "./journal-state.ts";
import { MINIMUM_AGE_SECONDS, SLOTS_MAX } from "./limits.ts";

const id = (name: string): RecordId => asRecordId(testId(name));
const policy = (last: number, line: ReturnType<typeof asLineId> | null = null): EntryBody => ({
  kind: 7,
  line,
  rule: new Map([[1, last]]),
  minimumAgeSeconds: MINIMUM_AGE_SECONDS,
});

/** Applying `frame` fails with `code`, and the state stays as it was. */
function refuses(journal: JournalBuilder, frame: Bytes, code: FaultCode, what = ""): void {
  const before = describeState(journal.state);
  assert.throws(
    () => applyEntry(journal.state, frame, testVerifier),
    (error) => {
      assert.ok(isFault(error), `${what}: ${String(error)}`);
      assert.equal(error.code, code, `${what}: ${error.message}`);
      return true;
    },
  );
  assert.equal(describeState(journal.state), before);
}

function describeState(state: JournalState): string {
  return JSON.stringify(state, (_, value: unknown) =>
    value instanceof Map ? [...value] : value instanceof Set ? [...value] : value instanceof Uint8Array ? bytesToHex(value) : value,
  );
}

describe("journal", () => {
  it("follows a vault through all that can happen to it", () => {
    const journal = new JournalBuilder().begin(id("config"));
    const { device, owner } = journal;
    assert.deepEqual(journal.state.ownerKey, owner.publicKey);
    assert.deepEqual(journal.state.config, id("config"));

    journal.append(slotAdded(id("passphrase"), 1));
    journal.append(slotAdded(id("recovery"), 2));
    journal.append(slotAdded(id("epochs"), 6));
    assert.deepEqual(journal.state.epochsSlot, id("epochs"));

    const partial = journal.append(snapshotBody(id("partial"), { complete: false }));
    assert.equal(journal.state.snapshots.get(bytesToHex(partial))?.complete, false);
    const full = journal.append(snapshotBody(id("full"), { supersedes: partial, needs: needsOf(2, [id("full"), id("pack")], [id("partial")], partial) }));
    assert.deepEqual([...journal.state.snapshots.keys()], [bytesToHex(full)]);

    journal.append({ kind: 12, entry: full, reason: "audit" });
    journal.append({ kind: 12, entry: full, reason: null });
    refuses(journal, journal.frame({ kind: 11, entries: [full] }), "denied", "forget under two holds");
    journal.append({ kind: 13, entry: full, reason: null });
    refuses(journal, journal.frame({ kind: 11, entries: [full] }), "denied", "forget under one hold");
    journal.append({ kind: 13, entry: full, reason: null });
    journal.append({ kind: 11, entries: [full] });
    assert.equal(journal.state.snapshots.size, 0);

    journal.append({ kind: 5, slot: id("recovery") });
    assert.deepEqual([...journal.state.slots.keys()], [bytesToHex(id("passphrase")), bytesToHex(id("epochs"))]);
    journal.append({ kind: 8, epoch: 1, containerKey: testId("container 1"), slot: id("epochs 1") });
    assert.equal(journal.state.epoch, 1);
    assert.deepEqual(journal.state.epochsSlot, id("epochs 1"));
    assert.deepEqual([...journal.state.containerKeys.keys()], [0, 1]);

    journal.append(policy(5));
    journal.append(policy(7, asLineId(testId("line"))));
    journal.append(policy(6));
    assert.deepEqual(
      journal.state.policies.map((each) => [each.line === null, each.rule.get(1)]),
      [
        [false, 7],
        [true, 6],
      ],
    );
    journal.append({ kind: 6, config: id("config 2") });
    assert.deepEqual(journal.state.config, id("config 2"));

    const second = testKey(20);
    journal.append(admission(second, ["agent"], "second"));
    journal.append({ kind: 3, device: device.deviceId, badSince: 4 }, { by: second });
    assert.equal(journal.state.devices.get(bytesToHex(device.deviceId))?.badSince, 4);
    refuses(journal, journal.frame(snapshotBody(id("late"))), "denied", "revoked device");
    journal.append(snapshotBody(id("late")), { by: second });
    assert.equal(journal.state.head?.seq, journal.frames.length - 1);

    let replayed = emptyJournal(owner.vaultId, journal.account);
    for (const frame of journal.frames) replayed = applyEntry(replayed, frame, testVerifier).state;
    assert.equal(describeState(replayed), describeState(journal.state), "the same entries give the same state");
  });

  it("needs the owner's signature on what only the owner may say, and takes it on nothing else", () => {
    const journal = new JournalBuilder().begin();
    journal.append(slotAdded(id("slot")));
    const other = journal.append(snapshotBody(id("snapshot")));
    const owned: EntryBody[] = [
      admission(testKey(30), ["agent"]),
      { kind: 3, device: journal.device.deviceId, badSince: null },
      slotAdded(id("slot 2")),
      { kind: 5, slot: id("slot") },
      { kind: 6, config: id("config 2") },
      policy(1),
      { kind: 8, epoch: 1, containerKey: testId("container"), slot: id("epochs") },
    ];
    for (const body of owned) {
      refuses(journal, journal.frame(body, { ownerSigns: false }), "denied", `kind ${body.kind} without the owner`);
      refuses(journal, journal.frame(body, { ownerKey: testKey(31) }), "integrity", `kind ${body.kind} by another owner`);
      refuses(journal, journal.frame(body, { ownerKey: journal.device }), "integrity", `kind ${body.kind} by the device as owner`);
    }
    const others: EntryBody[] = [
      snapshotBody(id("more")),
      snapshotBody(id("more"), { kind: 10 }),
      { kind: 11, entries: [other] },
      { kind: 12, entry: other, reason: null },
      { kind: 13, entry: other, reason: null },
    ];
    for (const body of others) refuses(journal, journal.frame(body, { ownerSigns: true }), "denied", `kind ${body.kind} with the owner`);
  });

  const roles: readonly (Role | "none" | "revoked")[] = ["agent", "maintainer", "auditor", "admin", "none", "revoked"];
  const allowed: Readonly<Record<number, readonly string[]>> = {
    2: ["agent", "maintainer", "auditor", "admin"],
    9: ["agent"],
    10: ["agent"],
    11: ["maintainer"],
    12: ["maintainer"],
    13: ["maintainer"],
  };
  for (const kind of [2, 9, 10, 11, 12, 13]) {
    for (const role of roles) {
      it(`kind ${kind} by a device that is ${role}: ${allowed[kind]?.includes(role) ? "taken" : "denied"}`, () => {
        const journal = new JournalBuilder().begin();
        const by = testKey(40);
        const target = journal.append(snapshotBody(id("target")));
        if (kind === 13) journal.append({ kind: 12, entry: target, reason: null });
        if (role !== "none") journal.append(admission(by, role === "revoked" ? ["agent", "maintainer", "auditor", "admin"] : [role]));
        if (role === "revoked") journal.append({ kind: 3, device: by.deviceId, badSince: null });
        const bodies: Readonly<Record<number, EntryBody>> = {
          2: admission(testKey(41), ["agent"]),
          9: snapshotBody(id("new")),
          10: snapshotBody(id("new"), { kind: 10 }),
          11: { kind: 11, entries: [target] },
          12: { kind: 12, entry: target, reason: null },
          13: { kind: 13, entry: target, reason: null },
        };
        const body = bodies[kind] as EntryBody;
        if (allowed[kind]?.includes(role)) journal.append(body, { by });
        else refuses(journal, journal.frame(body, { by }), "denied");
      });
    }
  }

  it("refuses an entry that does not follow the head, and names the head", () => {
    const journal = new JournalBuilder().begin();
    const head = journal.state.head as NonNullable<JournalState["head"]>;
    for (const payload of [
      { seq: 1 },
      { seq: 3 },
      { previous: id("other") },
      { previous: null },
      { seq: 1, previous: asRecordId(testVerifier.sha256(journal.frames[0] as Bytes)) },
    ]) {
      const frame = journal.frame(slotAdded(id("slot")), { payload });
      assert.throws(
        () => applyEntry(journal.state, frame, testVerifier),
        (error) => isFault(error, "conflict") && error.detail.seq === 1 && error.detail.head === bytesToHex(head.entry),
      );
    }
    const empty = new JournalBuilder();
    assert.throws(
      () => applyEntry(empty.state, journal.frames[1] as Bytes, testVerifier),
      (error) => isFault(error, "conflict") && error.detail.seq === -1,
    );
  });

  it("begins with genesis, and with nothing else", () => {
    const journal = new JournalBuilder();
    refuses(journal, journal.frame(admission(journal.device, ["agent"])), "format", "device-added at seq 0");
    refuses(journal, journal.frame(journal.genesisBody(), { ownerSigns: false }), "denied", "genesis without the owner");
    refuses(journal, journal.frame(journal.genesisBody(), { ownerKey: testKey(50) }), "integrity", "genesis signed by another owner");
    refuses(
      journal,
      journal.frame({ ...journal.genesisBody(), ownerKey: testKey(50).publicKey } as EntryBody, { ownerKey: testKey(50) }),
      "integrity",
      "genesis of another owner",
    );
    refuses(journal, journal.frame(journal.genesisBody(), { by: testKey(51) }), "integrity", "genesis signed by a device that it does not name");
    journal.append(journal.genesisBody());
    refuses(journal, journal.frame(journal.genesisBody()), "format", "genesis at seq 1");
    journal.append(admission(journal.device, ["agent"]));
    refuses(journal, journal.frame(journal.genesisBody()), "format", "genesis at seq 2");
  });

  it("goes on with the admission of the genesis device, and with nothing else", () => {
    const journal = new JournalBuilder();
    journal.append(journal.genesisBody());
    const other = testKey(60);
    refuses(journal, journal.frame(admission(other, ["agent"]), { by: other }), "denied", "another device admits itself");
    refuses(journal, journal.frame(admission(other, ["agent"])), "denied", "the genesis device admits another");
    refuses(journal, journal.frame(admission(journal.device, ["agent"]), { by: other }), "denied", "another device admits the genesis device");
    refuses(journal, journal.frame(slotAdded(id("slot"))), "denied", "a slot at seq 1");
    refuses(journal, journal.frame(admission(journal.device, ["agent"]), { ownerSigns: false }), "denied", "without the owner");
    journal.append(admission(journal.device, ["agent"]));
  });

  it("lets a device that joins sign its own admission, if the owner signs it too", () => {
    const journal = new JournalBuilder().begin();
    const other = testKey(60);
    refuses(journal, journal.frame(admission(other, ["agent"]), { by: other, ownerSigns: false }), "denied", "without the owner");
    refuses(journal, journal.frame(admission(testKey(61), ["agent"]), { by: other }), "denied", "an unknown device admits a third one");
    refuses(journal, journal.frame(admission(other, ["agent"]), { by: other, ownerKey: other }), "integrity", "as its own owner");
    refuses(
      journal,
      journal.frame(admission(other, ["agent"]), { by: testKey(61), payload: { device: other.deviceId } }),
      "integrity",
      "signed by another than the one it admits",
    );
    journal.append(admission(other, ["agent"]), { by: other });
    journal.append({ kind: 3, device: other.deviceId, badSince: null });
    refuses(journal, journal.frame(admission(testKey(61), ["agent"]), { by: other }), "denied", "a revoked device admits a third one");
    journal.append(admission(other, ["agent"]), { by: other });
    assert.equal(journal.state.devices.get(bytesToHex(other.deviceId))?.revokedSeq, null);
  });

  it("refuses entries of another vault or account", () => {
    const journal = new JournalBuilder().begin();
    refuses(journal, journal.frame(slotAdded(id("slot")), { payload: { vault: testKey(70).vaultId } }), "integrity");
    refuses(journal, journal.frame(slotAdded(id("slot")), { payload: { account: asAccountId(new Uint8Array(16)) } }), "integrity");
  });

  it("refuses an entry under the id of another device, or signed for another use", () => {
    const journal = new JournalBuilder().begin();
    const second = testKey(71);
    journal.append(admission(second, ["agent"]));
    refuses(journal, journal.frame(snapshotBody(id("snapshot")), { by: second, payload: { device: journal.device.deviceId } }), "integrity");
    const { payloadBytes } = parseJournalEntry(journal.frame(snapshotBody(id("snapshot"))));
    refuses(journal, encodeJournalEntry(payloadBytes, journal.device.sign("request", payloadBytes), null), "integrity");
    refuses(journal, encodeJournalEntry(payloadBytes, journal.device.sign("journal", utf8("something else")), null), "integrity");
  });

  it("refuses an entry with any bit flipped, cut anywhere or with a byte more", () => {
    const journal = new JournalBuilder().begin();
    for (const body of [slotAdded(id("slot")), snapshotBody(id("snapshot"))]) {
      for (const damage of damages(journal.frame(body)))
        assert.throws(
          () => applyEntry(journal.state, damage.bytes, testVerifier),
          (error) => isFault(error),
          damage.name,
        );
    }
  });

  it("keeps the last slot that a person can open, and at most so many slots", () => {
    const journal = new JournalBuilder().begin();
    journal.append(slotAdded(id("passphrase"), 1));
    journal.append(slotAdded(id("epochs"), 6));
    refuses(journal, journal.frame({ kind: 5, slot: id("passphrase") }), "denied");
    refuses(journal, journal.frame({ kind: 5, slot: id("nowhere") }), "missing");
    journal.append(slotAdded(id("recipient"), 3));
    journal.append({ kind: 5, slot: id("passphrase") });
    refuses(journal, journal.frame({ kind: 5, slot: id("recipient") }), "denied");
    for (let count = journal.state.slots.size; count < SLOTS_MAX; count++) journal.append(slotAdded(id(`slot ${count}`), 3));
    refuses(journal, journal.frame(slotAdded(id("one more"), 3)), "limit");
    journal.append(slotAdded(id("recipient"), 3));
  });

  it("keeps the epochs slot in force, however it came there, and lets an older one go", () => {
    const journal = new JournalBuilder().begin();
    journal.append(slotAdded(id("passphrase"), 1));
    journal.append(slotAdded(id("epochs 0"), 6));
    refuses(journal, journal.frame({ kind: 5, slot: id("epochs 0") }), "denied", "added as a slot");
    journal.append({ kind: 8, epoch: 1, containerKey: testId("container"), slot: id("epochs 1") });
    refuses(journal, journal.frame({ kind: 5, slot: id("epochs 1") }), "denied", "added with its epoch");
    journal.append({ kind: 5, slot: id("epochs 0") });
    assert.deepEqual([...journal.state.slots.keys()], [bytesToHex(id("passphrase"))]);
    assert.deepEqual(journal.state.epochsSlot, id("epochs 1"));
    journal.append({ kind: 8, epoch: 2, containerKey: testId("container"), slot: id("epochs 2") });
    refuses(journal, journal.frame({ kind: 5, slot: id("epochs 1") }), "missing", "never a slot of its own");
  });

  it("adds epochs one by one", () => {
    const journal = new JournalBuilder().begin();
    for (const epoch of [0, 2, 5]) refuses(journal, journal.frame({ kind: 8, epoch, containerKey: testId("c"), slot: id("s") }), "format");
    refuses(journal, journal.frame({ kind: 3, device: testKey(80).deviceId, badSince: null }), "missing", "revokes an unknown device");
  });

  it("takes a base only if it is a retained snapshot of the same line", () => {
    const journal = new JournalBuilder().begin();
    const base = journal.append(snapshotBody(id("base")));
    const on = (entry: RecordId, line = "line"): EntryBody =>
      snapshotBody(id("next"), { line: asLineId(testId(line)), needs: needsOf(2, [id("next")], [], entry) });
    refuses(journal, journal.frame(on(base, "other line")), "format", "base of another line");
    refuses(journal, journal.frame(on(id("nowhere"))), "conflict", "unknown base");
    journal.append(on(base));
    journal.append({ kind: 11, entries: [base] });
    refuses(journal, journal.frame(on(base)), "conflict", "forgotten base");
  });

  it("lets a device supersede its own partial snapshot of the same line, unless it is held", () => {
    const journal = new JournalBuilder().begin();
    const second = testKey(81);
    journal.append(admission(second, ["agent"]));
    const partial = journal.append(snapshotBody(id("partial"), { complete: false }));
    const complete = journal.append(snapshotBody(id("complete")));
    refuses(journal, journal.frame(snapshotBody(id("new"), { supersedes: partial }), { by: second }), "denied", "of another device");
    refuses(journal, journal.frame(snapshotBody(id("new"), { supersedes: partial, line: asLineId(testId("other")) })), "denied", "of another line");
    refuses(journal, journal.frame(snapshotBody(id("new"), { supersedes: complete })), "denied", "complete");
    refuses(journal, journal.frame(snapshotBody(id("new"), { supersedes: id("nowhere") })), "denied", "unknown");
    journal.append({ kind: 12, entry: partial, reason: null });
    refuses(journal, journal.frame(snapshotBody(id("new"), { supersedes: partial })), "denied", "held");
    journal.append({ kind: 13, entry: partial, reason: null });
    journal.append(snapshotBody(id("new"), { supersedes: partial }));
  });

  it("forgets all or nothing, and only what is there", () => {
    const journal = new JournalBuilder().begin();
    const entries = [journal.append(snapshotBody(id("one"))), journal.append(snapshotBody(id("two")))];
    refuses(journal, journal.frame({ kind: 11, entries: [...entries, id("nowhere")] }), "missing");
    assert.equal(journal.state.snapshots.size, 2);
    journal.append({ kind: 11, entries: entries.sort(compareBytes) });
    refuses(journal, journal.frame({ kind: 11, entries: [entries[0] as RecordId] }), "missing", "forgotten already");
    refuses(journal, journal.frame({ kind: 12, entry: entries[0] as RecordId, reason: null }), "missing", "hold of a forgotten one");
  });

  it("never forgets an offload, which goes by its release", () => {
    const journal = new JournalBuilder().begin();
    const [offload, snapshot] = [journal.append(snapshotBody(id("offload"), { kind: 10 })), journal.append(snapshotBody(id("snapshot")))];
    refuses(journal, journal.frame({ kind: 11, entries: [offload, snapshot] }), "denied");
    journal.append({ kind: 13, entry: offload, reason: null });
    assert.deepEqual([...journal.state.snapshots.keys()], [bytesToHex(snapshot)]);
  });

  it("releases what is held, and an offload by its own agent only while no hold lies on it", () => {
    const journal = new JournalBuilder().begin();
    const [agent, other] = [testKey(82), testKey(83)];
    journal.append(admission(agent, ["agent"]));
    journal.append(admission(other, ["agent"]));
    const snapshot = journal.append(snapshotBody(id("snapshot")), { by: agent });
    refuses(journal, journal.frame({ kind: 13, entry: snapshot, reason: null }), "missing", "no hold");
    refuses(journal, journal.frame({ kind: 13, entry: snapshot, reason: null }, { by: agent }), "denied", "an agent's snapshot is no offload");
    const offload = journal.append(snapshotBody(id("offload"), { kind: 10 }), { by: agent });
    journal.append({ kind: 12, entry: offload, reason: null });
    refuses(journal, journal.frame({ kind: 13, entry: offload, reason: null }, { by: agent }), "denied", "the maintainer's hold");
    journal.append({ kind: 13, entry: offload, reason: null });
    refuses(journal, journal.frame({ kind: 13, entry: offload, reason: null }, { by: other }), "denied", "another's offload");
    journal.append({ kind: 13, entry: offload, reason: null }, { by: agent });
    assert.deepEqual([...journal.state.snapshots.keys()], [bytesToHex(snapshot)]);
  });
});
