import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, utf8 } from "@holdfast/base";
import type { RecordId } from "@holdfast/protocol";
import { FILE_KINDS } from "@holdfast/vault";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { formatListed, type ListedEntry, type ListFormat, listSnapshot } from "./list.ts";

async function list(vault: VaultBuilder, spec: string, recursive = false): Promise<{ listed: ListedEntry[]; damage: string[] }> {
  const damage: string[] = [];
  const listed: ListedEntry[] = [];
  for await (const entry of listSnapshot(vault.session(), spec, { recursive }, (path) => damage.push(path))) listed.push(entry);
  return { listed, damage };
}

const lines = (listed: readonly ListedEntry[], format?: ListFormat): string[] => listed.map((each) => formatListed(each, format));

describe("listSnapshot", () => {
  it("lists the root, a folder, a file, or all", async () => {
    const vault = await VaultBuilder.create();
    await vault.commit([vault.folder("a", [vault.folder("b", [vault.file("c", [utf8("x")])])]), vault.file("d", [])]);
    assert.deepEqual(lines((await list(vault, "latest")).listed), ["/a", "/d"]);
    assert.deepEqual(lines((await list(vault, "latest:a/b")).listed), ["/a/b/c"]);
    assert.deepEqual(lines((await list(vault, "latest:a/b/c")).listed), ["/a/b/c"]);
    assert.deepEqual(lines((await list(vault, "latest", true)).listed), ["/a", "/a/b", "/a/b/c", "/d"]);
    await assert.rejects(list(vault, "latest:a/x"), { name: "Fault", code: "missing" });
  });

  it("reads no content", async () => {
    const vault = await VaultBuilder.create();
    await vault.commit([vault.file("file", [utf8("x")])]);
    for (const pack of vault.contentPacks) vault.remove(pack);
    assert.deepEqual(lines((await list(vault, "latest")).listed), ["/file"]);
  });

  it("tells of a folder that cannot be read and lists the rest", async () => {
    const vault = await VaultBuilder.create();
    const bad = vault.folder("bad", [vault.file("lost", [])]);
    vault.closePack(2);
    await vault.commit([bad, vault.file("good", [])]);
    vault.damage(vault.structurePacks[0] as RecordId);
    const { listed, damage } = await list(vault, "latest", true);
    assert.deepEqual(lines(listed), ["/bad", "/good"]);
    assert.deepEqual(damage, ["bad"]);
  });
});

describe("formatListed", () => {
  it("writes kinds, modes, owners, sizes, times and targets", async () => {
    const vault = await VaultBuilder.create();
    const owner = { uid: 1, gid: 2, user: "someone" };
    const listed = [
      vault.entry("f", { ...owner, mode: 0o4751, sizeBytes: 12 }),
      vault.entry("d", { ...owner, kind: FILE_KINDS.folder, mode: 0o1777 }),
      vault.entry("l", { ...owner, kind: FILE_KINDS.symlink, mode: 0o777, linkTarget: utf8("x\ny") }),
      vault.entry("n", { ...owner, kind: FILE_KINDS.characterDevice, mode: 0o2606, device: { major: 1, minor: 3 } }),
    ].map((entry) => ({ path: entry.name, entry }));
    assert.deepEqual(lines(listed, { long: true }), [
      "-rwsr-x--x someone/2                   12 2020-09-13 12:26:40 /f",
      "drwxrwxrwt someone/2                    0 2020-09-13 12:26:40 /d",
      "lrwxrwxrwx someone/2                    0 2020-09-13 12:26:40 /l -> x\\x0ay",
      "crw---Srw- someone/2                  1,3 2020-09-13 12:26:40 /n",
    ]);
  });

  it("gives JSON from which a raw name can be had back", async () => {
    const vault = await VaultBuilder.create();
    const name = Uint8Array.of(0x1b, 0xff, 0x61);
    const json = JSON.parse(formatListed({ path: name, entry: vault.entry(name, { sizeBytes: 3 }) }, { json: true }));
    assert.equal(json.path, "/\\x1b\\xffa");
    assert.equal(json.pathHex, bytesToHex(name));
    assert.deepEqual([json.kind, json.mode, json.sizeBytes, json.modifiedSeconds], ["file", "0644", 3, 1_600_000_000]);
  });

  it("writes times that no calendar has as seconds", async () => {
    const vault = await VaultBuilder.create();
    const entry = vault.entry("f", { modified: { seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 0 } });
    assert.match(formatListed({ path: entry.name, entry }, { long: true }), / @9007199254740991 \/f$/);
  });
});
