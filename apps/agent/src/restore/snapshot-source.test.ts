import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, utf8, utf8ToText } from "@holdfast/base";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { findSnapshot, NO_FILTERS, parseSpec } from "./snapshot-source.ts";

async function withSnapshots(): Promise<{ vault: VaultBuilder; ids: string[] }> {
  const vault = await VaultBuilder.create();
  const ids: string[] = [];
  const about = [
    { host: "one", tags: ["a"], paths: [utf8("/x")] },
    { host: "two", tags: ["a", "b"], paths: [utf8("/x"), utf8("/y")] },
    { host: "one", tags: [], paths: [utf8("/y")] },
    { host: "one", tags: ["partial"], isPartial: true },
  ];
  for (const changes of about) ids.push(bytesToHex(await vault.commit([vault.file("file", [utf8("x")])], changes)));
  return { vault, ids };
}

describe("findSnapshot", () => {
  it("finds the newest complete one, filtered or not", async () => {
    const { vault, ids } = await withSnapshots();
    const find = async (filters = NO_FILTERS) => ids.indexOf(bytesToHex((await findSnapshot(vault.session(), "latest", filters)).entry));
    assert.equal(await find(), 2);
    assert.equal(await find({ ...NO_FILTERS, host: "two" }), 1);
    assert.equal(await find({ ...NO_FILTERS, tags: ["a"] }), 1);
    assert.equal(await find({ ...NO_FILTERS, host: "one", paths: [utf8("/x")] }), 0);
    assert.equal(await find({ ...NO_FILTERS, tags: ["partial"] }), 3);
    await assert.rejects(find({ ...NO_FILTERS, host: "three" }), { name: "Fault", code: "missing" });
  });

  it("finds one by the beginning of its id, in either case, with a path behind it", async () => {
    const { vault, ids } = await withSnapshots();
    const [first] = ids;
    const found = await findSnapshot(vault.session(), `${first?.slice(0, 12).toUpperCase()}:/a//b/`);
    assert.equal(bytesToHex(found.entry), first);
    assert.deepEqual(found.path.map(utf8ToText), ["a", "b"]);
    assert.equal(found.snapshot.host, "one");
    assert.equal(found.epoch, 0);
  });

  it("names the candidates when none or more than one is meant", async () => {
    const { vault } = await withSnapshots();
    // Enough of them that two share their first four digits is past a test: the prefix is too short instead, or wrong.
    await assert.rejects(findSnapshot(vault.session(), "abc"), { name: "Fault", code: "input" });
    await assert.rejects(findSnapshot(vault.session(), "0000000000"), /newest are [0-9a-f]{8} of .*, /);
    await assert.rejects(findSnapshot((await VaultBuilder.create()).session(), "latest"), { name: "Fault", code: "missing" });
  });

  it("says which ones an ambiguous prefix may mean", async () => {
    const { vault, ids } = await withSnapshots();
    const session = vault.session();
    const journal = session.journal();
    const [one, two] = [...journal.snapshots.values()];
    assert.ok(one !== undefined && two !== undefined);
    const twin = { ...two, entry: one.entry.map((byte, index) => (index < 6 ? byte : byte ^ 1)) as typeof one.entry };
    const snapshots = new Map([...journal.snapshots, [bytesToHex(twin.entry), twin]]);
    await assert.rejects(
      findSnapshot({ ...session, journal: () => ({ ...journal, snapshots }) }, ids[0]?.slice(0, 8) ?? ""),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "input");
        assert.match(error.message, /is ambiguous, got [0-9a-f]{8} of .*, [0-9a-f]{8} of/);
        return true;
      },
    );
  });

  it("does not pass over a damaged newest snapshot in silence", async () => {
    const { vault } = await withSnapshots();
    const session = vault.session();
    const newest = [...session.journal().snapshots.values()][2];
    assert.ok(newest !== undefined);
    vault.damage(newest.record);
    await assert.rejects(findSnapshot(session, "latest"), { name: "Fault", code: "integrity" });
    await assert.rejects(findSnapshot(session, "latest", { ...NO_FILTERS, host: "one" }), { name: "Fault", code: "integrity" });
  });
});

describe("parseSpec", () => {
  it("refuses what cannot be meant", () => {
    for (const spec of ["", "lates", "12345g", ":path", "latest:../x", "latest:a/./b"])
      assert.throws(() => parseSpec(spec), { name: "Fault", code: "input" }, spec);
  });
});
