import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asLeaseId, RECORD_KINDS } from "@holdfast/protocol";
import { randomFrame, VaultFixture } from "../testing/vault-fixture.ts";

const { contentPack, contentIndex, slot, journalEntry } = RECORD_KINDS;
const MIB = 1024 * 1024;

describe("store: records", () => {
  it("gives back what was put, in frames of every size around a part", async () => {
    await using vault = await VaultFixture.create();
    const frames = [1, 23, 24, 255, 256, 65_535, 65_536, MIB - 10, MIB - 9, MIB - 8, MIB, 3 * MIB + 17].map((byteCount) => randomFrame(contentPack, byteCount));
    assert.deepEqual(await vault.put(frames), { stored: frames.length, present: 0 });
    for (const frame of frames) assert.equal(await vault.has(frame), true);
  });

  it("does not care how the body is cut on its way", async () => {
    await using vault = await VaultFixture.create();
    for (const pieceBytes of [1, 7, 1000]) {
      const frames = [randomFrame(contentPack, 5), randomFrame(contentPack, 300), randomFrame(contentPack, 70_000)];
      await vault.put(frames, { pieceBytes });
      for (const frame of frames) assert.equal(await vault.has(frame), true);
    }
  });

  it("keeps records over a restart", async () => {
    await using vault = await VaultFixture.create();
    const frame = randomFrame(contentPack, 2 * MIB);
    await vault.put([frame]);
    await vault.reopen();
    assert.equal(await vault.has(frame), true);
    assert.deepEqual(await vault.put([frame]), { stored: 0, present: 1 });
    assert.equal(await vault.has(frame), true);
  });

  it("counts a record that is stored already, also within one request", async () => {
    await using vault = await VaultFixture.create();
    const [first, second] = [randomFrame(contentPack, 100), randomFrame(contentPack, 2 * MIB)];
    assert.deepEqual(await vault.put([first, second, first]), { stored: 2, present: 1 });
    assert.deepEqual(await vault.put([second, first]), { stored: 0, present: 2 });
    assert.equal(await vault.has(first), true);
    assert.equal(await vault.has(second), true);
  });

  it("takes many uploads at once", async () => {
    await using vault = await VaultFixture.create();
    const frames = Array.from({ length: 24 }, () => randomFrame(contentPack, 1.5 * MIB));
    await Promise.all(frames.map((frame) => vault.put([frame])));
    for (const frame of frames) assert.equal(await vault.has(frame), true);
    assert.equal(vault.budget.heldBytes, 0);
  });

  it("stores the same frame once when two uploads race", async () => {
    await using vault = await VaultFixture.create();
    const frame = randomFrame(contentPack, 2 * MIB);
    const answers = await Promise.all([vault.put([frame]), vault.put([frame])]);
    assert.equal(answers[0].stored + answers[1].stored, 1);
    assert.equal(await vault.has(frame), true);
    await vault.reopen();
    assert.equal(await vault.has(frame), true);
  });

  it("opens a new segment when one is full, and reads from both", async () => {
    await using vault = await VaultFixture.create({ segmentBytesMax: 2 * MIB });
    const frames = Array.from({ length: 6 }, () => randomFrame(contentPack, MIB));
    for (const frame of frames) await vault.put([frame]);
    await vault.reopen();
    for (const frame of frames) assert.equal(await vault.has(frame), true);
    const places = await Promise.all(frames.map((frame) => vault.store.reader.call("place", [vault.account.vault, frame.id])));
    assert.ok((places.at(-1)?.segmentNo ?? 0) >= 3);
  });

  it("answers null for a record that it does not have", async () => {
    await using vault = await VaultFixture.create();
    assert.equal(await vault.get(randomFrame(contentPack, 1).id), null);
  });
});

describe("store: refused uploads leave nothing", () => {
  async function leavesNothing(
    put: (vault: VaultFixture, frames: ReturnType<typeof randomFrame>[]) => Promise<unknown>,
    code: string,
    options = {},
  ): Promise<void> {
    await using vault = await VaultFixture.create(options);
    const frames = [randomFrame(contentPack, 100), randomFrame(contentPack, 2 * MIB)];
    await assert.rejects(put(vault, frames), { name: "Fault", code });
    for (const frame of frames) assert.equal(await vault.get(frame.id), null);
    assert.equal(vault.budget.heldBytes, 0);
    assert.equal(await vault.store.reader.call("storedBytes", [vault.account.vault]), 0);
    await vault.reopen({ reserveBytes: 0 });
    assert.deepEqual(await vault.put(frames), { stored: 2, present: 0 }); // And what follows is not disturbed.
    for (const frame of frames) assert.equal(await vault.has(frame), true);
  }

  it("ids that were not signed", () => leavesNothing((vault, frames) => vault.put(frames, { digest: new Uint8Array(32) }), "integrity"));

  it("a body that ends within a frame", () =>
    leavesNothing((vault, frames) => vault.put(frames, { body: (frames[1] as (typeof frames)[0]).frame.subarray(0, MIB + 5).slice() }), "format"));

  it("a body that ends within a head", () => leavesNothing((vault, frames) => vault.put(frames, { body: Uint8Array.of(0x85, 1, 3) }), "format"));

  it("an empty body", () => leavesNothing((vault, frames) => vault.put(frames, { body: new Uint8Array(0) }), "format"));

  it("bytes that are no frame", () => leavesNothing((vault, frames) => vault.put(frames, { body: new Uint8Array(100).fill(0x41) }), "format"));

  it("a frame longer than any may be", () =>
    leavesNothing((vault, frames) => vault.put(frames, { body: Uint8Array.of(0x85, 1, 3, 1, 0, 0x5a, 0x03, 0, 0, 0) }), "limit"));

  it("a frame of an unknown format version", () =>
    leavesNothing((vault, frames) => vault.put(frames, { body: Uint8Array.of(0x85, 2, 3, 1, 0, 0x41, 0) }), "version"));

  it("a frame of an unknown kind", () => leavesNothing((vault, frames) => vault.put(frames, { body: Uint8Array.of(0x85, 1, 10, 1, 0, 0x41, 0) }), "version"));

  it("a slot longer than a slot may be", () => leavesNothing((vault) => vault.put([randomFrame(slot, 70_000)]), "limit"));

  it("a journal entry among the records", () =>
    leavesNothing((vault, frames) => vault.put(frames, { body: Uint8Array.of(0x85, 1, journalEntry, 0, 0, 0x41, 0) }), "denied"));

  it("a lease that was never opened", () => leavesNothing((vault, frames) => vault.put(frames, { lease: asLeaseId(new Uint8Array(16)) }), "missing"));

  it("more than the account's quota", () => leavesNothing((vault, frames) => vault.put(frames, { quotaBytes: 2 * MIB }), "quota"));

  it("a disk with less room than the reserve", () => leavesNothing((vault, frames) => vault.put(frames), "quota", { reserveBytes: Number.MAX_SAFE_INTEGER }));

  it("a body whose sender goes away", () =>
    leavesNothing((vault, frames) => {
      async function* cut(): AsyncGenerator<Uint8Array> {
        yield (frames[1] as (typeof frames)[0]).frame.subarray(0, 1.5 * MIB);
        throw Object.assign(new Error("aborted"), { code: "transport", name: "Fault" });
      }
      return vault.putBody(cut());
    }, "transport"));
});

describe("store: have, leases and changes", () => {
  it("names the records that are missing, in the order asked", async () => {
    await using vault = await VaultFixture.create();
    const [stored, absent, other] = [randomFrame(contentPack, 10), randomFrame(contentPack, 11), randomFrame(contentPack, 12)];
    await vault.put([stored]);
    assert.deepEqual(await vault.missing([other.id, stored.id, absent.id]), new Uint8Array([...other.id, ...absent.id]));
  });

  it("refuses another device's lease", async () => {
    await using vault = await VaultFixture.create();
    const stranger = new Uint8Array(16).fill(9) as typeof vault.account.device;
    await assert.rejects(vault.store.writer.call("lease", [vault.account.ref, vault.lease, stranger]), { code: "denied" });
  });

  it("lists index records after a cursor", async () => {
    await using vault = await VaultFixture.create();
    const [first, pack, second] = [randomFrame(contentIndex, 10), randomFrame(contentPack, 11), randomFrame(contentIndex, 12)];
    const changes = (cursor: string) => vault.store.reader.call("changes", [vault.account.vault, cursor]);
    const empty = await changes("");
    await vault.put([first, pack]);
    await vault.put([second]);
    const all = await changes(empty.cursor);
    assert.deepEqual(
      all.items.map((item) => item.id),
      [first.id, second.id],
    );
    assert.equal(all.more, false);
    await vault.put([randomFrame(contentIndex, 13)]);
    assert.equal((await changes(all.cursor)).items.length, 1);
    await vault.reopen();
    assert.equal((await changes(all.cursor)).items.length, 1);
  });

  it("refuses a cursor of another lineage", async () => {
    await using vault = await VaultFixture.create();
    await assert.rejects(vault.store.reader.call("changes", [vault.account.vault, `${"00".repeat(16)}.1`]), { code: "conflict" });
    await assert.rejects(vault.store.reader.call("changes", [vault.account.vault, "x"]), { code: "input" });
  });

  it("pages long lists", async () => {
    await using vault = await VaultFixture.create();
    const frames = Array.from({ length: 1001 }, (_, index) => randomFrame(contentIndex, 16 + (index % 50)));
    await vault.put(frames.slice(0, 1000));
    await vault.put(frames.slice(1000));
    const page = await vault.store.reader.call("changes", [vault.account.vault, ""]);
    assert.deepEqual([page.items.length, page.more], [1000, true]);
    const rest = await vault.store.reader.call("changes", [vault.account.vault, page.cursor]);
    assert.deepEqual([rest.items.length, rest.more], [1, false]);
  });
});
