import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asLineId, asRecordId, digestRecordIds, type EntryBody, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import { createClient } from "@libsql/client/sqlite3";
import { randomFrame, type TestFrame, VaultFixture } from "../testing/vault-fixture.ts";
import { nodeVerifier } from "../verifier.ts";

const { contentPack, snapshot: snapshotKind } = RECORD_KINDS;

interface Stored {
  readonly snapshot: TestFrame;
  readonly packs: readonly TestFrame[];
  readonly ids: readonly RecordId[];
}

/** Stores a snapshot record and `packCount` packs, and names them all. */
async function store(vault: VaultFixture, packCount: number): Promise<Stored> {
  const snapshot = randomFrame(snapshotKind, 200);
  const packs = Array.from({ length: packCount }, () => randomFrame(contentPack, 100));
  await vault.put([...packs, snapshot]);
  return { snapshot, packs, ids: [snapshot.id, ...packs.map((pack) => pack.id)] };
}

/** Records of the intervals that hold at `seq`, straight from the file. */
async function neededAt(vault: VaultFixture, seq: number): Promise<string[]> {
  const hex = Buffer.from(vault.account.vault).toString("hex");
  const client = createClient({ url: `file:${vault.folder}/vaults/${hex}/vault.db` });
  const { rows } = await client.execute({
    sql: "SELECT hex(record_id) FROM needed JOIN records USING (frame_no) WHERE first_seq <= ? AND last_seq >= ? ORDER BY 1",
    args: [seq, seq],
  });
  client.close();
  return rows.map((row) => String(row[0]).toLowerCase());
}

function hexes(ids: readonly Uint8Array[]): string[] {
  return ids.map((id) => Buffer.from(id).toString("hex")).sort();
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "accepted",
    (error) => String(error.code),
  );
}

describe("journal: the chain", () => {
  it("gives receipts that chain, and pages entries with them", async () => {
    await using vault = await VaultFixture.create();
    await vault.found(); // Verifies each receipt against the one before.
    const all = await vault.store.reader.call("journal", [vault.account.vault, -1, 1_000_000]);
    assert.deepEqual([all.items.length, all.more], [2, false]);
    assert.deepEqual(nodeVerifier.sha256(all.items[1]?.entry as Uint8Array), vault.account.head?.entry);
    const cut = await vault.store.reader.call("journal", [vault.account.vault, -1, 1]);
    assert.deepEqual([cut.items.length, cut.more], [1, true]);
  });

  it("goes on after a restart", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    await vault.reopen();
    const stored = await store(vault, 2);
    await vault.commit(vault.account.snapshot(stored.snapshot.id, { count: 3, additions: stored.ids }), stored.ids);
    assert.equal(vault.account.head?.seq, 2);
  });

  it("answers the same entry again with the receipt of the first time", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const entry = vault.account.sign(vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids }));
    const first = await vault.commitBytes(entry, stored.ids);
    assert.deepEqual(await vault.commitBytes(entry, stored.ids), first);
  });

  it("refuses an entry that does not follow the head, and names the head", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const body = vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids });
    const head = Buffer.from(vault.account.head?.entry as Uint8Array).toString("hex");
    for (const place of [
      { seq: 1, previous: asRecordId(new Uint8Array(32)) },
      { seq: 3, previous: vault.account.head?.entry as RecordId },
      { seq: 2, previous: asRecordId(new Uint8Array(32)) },
    ]) {
      await assert.rejects(vault.commitBytes(vault.account.sign(body, place), stored.ids), { code: "conflict", detail: { seq: 1, head } });
    }
  });

  it("lets one of two entries for one place win", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const [first, second] = [await store(vault, 1), await store(vault, 1)];
    const entries = [first, second].map((stored) => ({
      stored,
      entry: vault.account.sign(vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids })),
    }));
    const outcomes = await Promise.all(entries.map(({ stored, entry }) => codeOf(vault.commitBytes(entry, stored.ids))));
    assert.deepEqual(outcomes.sort(), ["accepted", "conflict"]);
  });

  it("refuses every changed bit of an entry", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const entry = vault.account.sign(vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids }));
    for (let bit = 0; bit < entry.length * 8; bit += 3) {
      const changed = entry.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.notEqual(await codeOf(vault.commitBytes(changed, stored.ids)), "accepted", `bit ${bit}`);
    }
    assert.equal(await codeOf(vault.commitBytes(entry, stored.ids)), "accepted");
  });

  it("refuses an entry under another device's session", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const entry = vault.account.sign(vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids }));
    const other = new Uint8Array(16) as typeof vault.account.device;
    const joined = new Uint8Array(stored.ids.flatMap((id) => [...id]));
    await assert.rejects(vault.store.writer.call("commit", [vault.account.ref, entry, joined, new Uint8Array(0), other]), { code: "denied" });
  });

  it("revokes in the catalog the device that an entry revokes", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const secret = new Uint8Array(16).fill(3);
    await vault.store.writer.call("addInvite", [
      { secret, accountName: "test", edition: "ese", quotaBytes: null, roles: ["agent"], accountId: vault.account.account, nowMs: 1, expiresAtMs: 100 },
    ]);
    const enrolled = await vault.store.writer.call("enroll", [{ secret, deviceKey: vault.account.deviceSigner.publicKey, label: "first", nowMs: 2 }]);
    assert.equal((await vault.store.reader.call("device", [enrolled.device]))?.revoked, false);
    await vault.commit({ kind: 3, device: vault.account.device, badSince: null });
    assert.equal((await vault.store.reader.call("device", [enrolled.device]))?.revoked, true);
    const stored = await store(vault, 1);
    await assert.rejects(vault.commit(vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids }), stored.ids), { code: "denied" });
  });
});

describe("journal: what a snapshot needs", () => {
  it("must be stored: else missing, with the ids", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const absent = randomFrame(contentPack, 10);
    const ids = [...stored.ids, absent.id];
    const commit = vault.commit(vault.account.snapshot(stored.snapshot.id, { count: 3, additions: ids }), ids);
    await assert.rejects(commit, { code: "missing", detail: { count: 1, ids: hexes([absent.id]) } });
    await vault.put([absent]);
    await vault.commit(vault.account.snapshot(stored.snapshot.id, { count: 3, additions: ids }), ids);
  });

  it("must have the snapshot record itself", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const body = vault.account.snapshot(randomFrame(snapshotKind, 9).id, { count: 2, additions: stored.ids });
    await assert.rejects(vault.commit(body, stored.ids), { code: "missing" });
  });

  it("must be what was signed", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 3);
    const wrong: [EntryBody, readonly RecordId[], readonly RecordId[], string][] = [
      [vault.account.snapshot(stored.snapshot.id, { count: 4, additions: stored.ids.slice(1) }), stored.ids, [], "integrity"],
      [vault.account.snapshot(stored.snapshot.id, { count: 3, additions: stored.ids }), stored.ids, [], "integrity"],
      [vault.account.snapshot(stored.snapshot.id, { count: 5, additions: stored.ids }), stored.ids, [], "integrity"],
      [
        vault.account.snapshot(stored.snapshot.id, { count: 3, additions: stored.ids, drops: stored.ids.slice(0, 1) }),
        stored.ids,
        stored.ids.slice(0, 1),
        "integrity",
      ],
      [
        vault.account.snapshot(stored.snapshot.id, { count: 5, additions: [...stored.ids, stored.ids[0] as RecordId] }),
        [...stored.ids, stored.ids[0] as RecordId],
        [],
        "format",
      ],
    ];
    for (const [body, additions, drops, code] of wrong) await assert.rejects(vault.commit(body, additions, drops), { code });
    await vault.commit(vault.account.snapshot(stored.snapshot.id, { count: 4, additions: stored.ids }), stored.ids);
  });

  it("is kept for every snapshot of a line, whatever base each one names", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const sets = new Map<number, string[]>();
    const add = async (base: RecordId | null, baseIds: readonly RecordId[], keepCount: number): Promise<[RecordId, RecordId[]]> => {
      const stored = await store(vault, 2);
      const drops = baseIds.slice(keepCount);
      const ids = [...baseIds.slice(0, keepCount), ...stored.ids];
      const entry = await vault.commit(
        vault.account.snapshot(stored.snapshot.id, { base, count: ids.length, additions: stored.ids, drops }),
        stored.ids,
        drops,
      );
      sets.set(vault.account.head?.seq as number, hexes(ids));
      return [entry, ids];
    };
    const [first, firstIds] = await add(null, [], 0);
    const [second, secondIds] = await add(first, firstIds, 2); // The latest is the base.
    await add(second, secondIds, 4);
    const [fourth, fourthIds] = await add(first, firstIds, 1); // An older one is.
    await add(null, [], 0); // None is, though the line has snapshots.
    await add(fourth, fourthIds, 3); // A record that was needed before, then was not, is needed again.
    for (const [seq, ids] of sets) assert.deepEqual(await neededAt(vault, seq), ids, `seq ${seq}`);
  });

  it("is not mixed between lines", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const [left, right] = [asLineId(new Uint8Array(32).fill(1)), asLineId(new Uint8Array(32).fill(2))];
    const stored = await store(vault, 2);
    const first = await vault.commit(vault.account.snapshot(stored.snapshot.id, { line: left, count: 3, additions: stored.ids }), stored.ids);
    await vault.commit(vault.account.snapshot(stored.snapshot.id, { line: right, count: 3, additions: stored.ids }), stored.ids);
    await vault.commit(
      vault.account.snapshot(stored.snapshot.id, { line: left, base: first, count: 2, additions: [], drops: stored.ids.slice(2) }),
      [],
      stored.ids.slice(2),
    );
    await assert.rejects(vault.commit(vault.account.snapshot(stored.snapshot.id, { line: right, base: first, count: 3, additions: [] })), { code: "format" });
    const other = await neededAt(vault, 4);
    assert.deepEqual([...other].sort(), hexes([...stored.ids, ...stored.ids.slice(0, 2)]));
  });

  it("is let go with a forgotten or superseded snapshot", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    const partial = await vault.commit(vault.account.snapshot(stored.snapshot.id, { count: 2, additions: stored.ids, complete: false }), stored.ids);
    const whole = await vault.commit(vault.account.snapshot(stored.snapshot.id, { base: partial, count: 2, additions: [], supersedes: partial }));
    assert.deepEqual(await retained(vault), [3]);
    await assert.rejects(vault.commit(vault.account.snapshot(stored.snapshot.id, { base: partial, count: 2, additions: [] })), { code: "conflict" });
    await vault.commit({ kind: 11, entries: [whole] });
    assert.deepEqual(await retained(vault), []);
  });

  it("comes with no other kind of entry", async () => {
    await using vault = await VaultFixture.create();
    await vault.found();
    const stored = await store(vault, 1);
    await assert.rejects(vault.commit({ kind: 6, config: stored.snapshot.id }, stored.ids), { code: "format" });
  });

  it("digest of an empty set is that of no bytes", () => {
    assert.deepEqual(digestRecordIds([], nodeVerifier.sha256), nodeVerifier.sha256(new Uint8Array(0)));
  });
});

async function retained(vault: VaultFixture): Promise<number[]> {
  const hex = Buffer.from(vault.account.vault).toString("hex");
  const client = createClient({ url: `file:${vault.folder}/vaults/${hex}/vault.db` });
  const { rows } = await client.execute("SELECT seq FROM snapshots WHERE retained = 1 ORDER BY seq");
  client.close();
  return rows.map((row) => Number(row[0]));
}
