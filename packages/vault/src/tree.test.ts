import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, Fault, utf8 } from "@holdfast/base";
import { type Canonical, decodeCanonical, encodeCanonical, type ObjectId } from "@holdfast/protocol";
import { createSeededRandom, damages } from "@holdfast/testkit";
import { CborWriter } from "./cbor-writer.ts";
import type { ContentItem } from "./content.ts";
import { type Entry, FILE_KINDS, type FileKind, writeEntry } from "./entry.ts";
import { createObjectKeeper, numberedId, sampleEntry } from "./testing/samples.ts";
import { createFolderBuilder, parseTree, readFolder } from "./tree.ts";

const SEED = 43;
const random = createSeededRandom(SEED);

/** A number of any encoded length. */
function anyNumber(): number {
  return Math.floor((random.u32() * 2 ** 21 + random.below(2 ** 21)) / 2 ** random.below(54));
}

function anyName(): Uint8Array {
  return random.bytes(1 + random.below(random.pick([8, 40, 255]))).map((byte) => (byte === 0 || byte === 0x2f || byte === 0x2e ? 0x61 : byte));
}

function anyItems(): { items: ContentItem[]; sizeBytes: number } {
  const items = Array.from({ length: random.below(random.pick([1, 3, 129])) }, (_, index) => ({
    objectId: random.below(4) === 0 ? null : numberedId(index),
    plainBytes: 1 + random.below(5_000_000),
  }));
  return { items, sizeBytes: items.reduce((sum, item) => sum + item.plainBytes, 0) };
}

function anyEntry(): Entry {
  const kind = (1 + random.below(7)) as FileKind;
  const isFile = kind === FILE_KINDS.file;
  const { items, sizeBytes } = anyItems();
  const hasList = isFile && random.below(4) === 0;
  const isDevice = kind === FILE_KINDS.characterDevice || kind === FILE_KINDS.blockDevice;
  return sampleEntry(anyName(), {
    kind,
    mode: random.below(4096),
    uid: anyNumber(),
    gid: anyNumber(),
    user: random.pick([null, "", "root", "jürgen", "x".repeat(30)]),
    group: random.pick([null, "wheel", "日本"]),
    modified: { seconds: random.pick([0, -1 - anyNumber(), anyNumber()]), nanoseconds: random.below(1_000_000_000) },
    sizeBytes: !isFile ? 0 : hasList ? anyNumber() : sizeBytes,
    linkTarget: kind === FILE_KINDS.symlink ? random.bytes(random.below(300)) : null,
    device: isDevice ? { major: anyNumber(), minor: anyNumber() } : null,
    xattrs: random.pick([
      [],
      [
        { name: utf8("user.a"), value: random.bytes(50) },
        { name: utf8("user.b"), value: new Uint8Array(0) },
      ],
    ]),
    inode: kind !== FILE_KINDS.folder && random.below(3) === 0 ? { fileSystem: random.below(3), inode: anyNumber() } : null,
    content: !isFile ? null : hasList ? { items: null, listId: numberedId(7) } : items.length === 0 ? null : { items, listId: null },
    subtree: kind === FILE_KINDS.folder ? numberedId(8) : null,
    flags: random.below(8),
  });
}

/** The entry as the general encoder takes it. */
function entryMap(entry: Entry): Map<number, Canonical> {
  const optional: readonly [number, Canonical | null][] = [
    [6, entry.user],
    [7, entry.group],
    [9, entry.sizeBytes || null],
    [10, entry.linkTarget],
    [11, entry.device && [entry.device.major, entry.device.minor]],
    [12, entry.xattrs.length === 0 ? null : entry.xattrs.map(({ name, value }) => [name, value])],
    [13, entry.inode && [entry.inode.fileSystem, entry.inode.inode]],
    [14, entry.content?.items?.map((item) => (item.objectId === null ? [item.plainBytes] : [item.objectId, item.plainBytes])) ?? null],
    [15, entry.content?.listId ?? null],
    [16, entry.subtree],
    [17, entry.flags || null],
  ];
  const fields = new Map<number, Canonical>([
    [1, entry.name],
    [2, entry.kind],
    [3, entry.mode],
    [4, entry.uid],
    [5, entry.gid],
    [8, [entry.modified.seconds, entry.modified.nanoseconds]],
  ]);
  for (const [key, value] of optional) if (value !== null) fields.set(key, value);
  return fields;
}

async function namesOf(root: ObjectId, load: (objectId: ObjectId) => Uint8Array): Promise<string[]> {
  const names: string[] = [];
  for await (const entries of readFolder(root, load)) names.push(...entries.map((entry) => bytesToHex(entry.name)));
  return names;
}

function folderOf(count: number) {
  const keeper = createObjectKeeper();
  const builder = createFolderBuilder(7, keeper.emit);
  const names = Array.from({ length: count }, (_, number) => String(number).padStart(6, "0"));
  for (const name of names) builder.add(sampleEntry(name));
  return { keeper, names: names.map((name) => bytesToHex(utf8(name))), root: builder.finish() };
}

describe(`tree entries (seed ${SEED})`, () => {
  it("are written as the general encoder writes them, and read back equal", () => {
    for (let round = 0; round < 400; round++) {
      const entry = anyEntry();
      const writer = new CborWriter(16);
      writeEntry(writer, entry);
      const written = writer.bytes.slice(0, writer.length);
      assert.equal(bytesToHex(written), bytesToHex(encodeCanonical(entryMap(entry))));
      const node = parseTree(
        encodeCanonical(
          new Map<number, Canonical>([
            [1, 0],
            [2, [entryMap(entry)]],
          ]),
        ),
      );
      assert.deepEqual(node.entries, [entry]);
    }
  });

  it("are refused by the writer when the reader would refuse them", () => {
    const bad: Partial<Entry>[] = [
      { name: utf8("..") },
      { mode: 4096 },
      { sizeBytes: 1 },
      { flags: 8 },
      { subtree: numberedId(1) },
      { modified: { seconds: 0, nanoseconds: 1_000_000_000 } },
      { uid: -1 },
      { uid: 0.5 },
      { gid: 2 ** 53 },
      {
        xattrs: [
          { name: utf8("b"), value: utf8("") },
          { name: utf8("a"), value: utf8("") },
        ],
      },
      { xattrs: [{ name: utf8("a"), value: new Uint8Array(262_144) }] },
      { kind: FILE_KINDS.symlink, linkTarget: new Uint8Array(4097) },
      { kind: FILE_KINDS.folder },
    ];
    for (const changes of bad)
      assert.throws(() => writeEntry(new CborWriter(16), sampleEntry("a", changes)), { name: "AssertionFailure" }, JSON.stringify(changes));
  });

  it("with any damage are refused, or are again what the general decoder accepts and the writer writes", () => {
    const keeper = createObjectKeeper();
    const builder = createFolderBuilder(0, keeper.emit);
    builder.add(sampleEntry("a", { sizeBytes: 300, content: { items: [{ objectId: numberedId(1), plainBytes: 300 }], listId: null }, user: "root" }));
    builder.add(sampleEntry("b", { kind: FILE_KINDS.symlink, linkTarget: utf8("a"), inode: { fileSystem: 0, inode: 70_000 } }));
    const plaintext = keeper.load(builder.finish());
    let acceptedCount = 0;
    for (const { name, bytes } of damages(plaintext)) {
      let entries: readonly Entry[] | null;
      try {
        entries = parseTree(bytes).entries;
      } catch (error) {
        assert.ok(error instanceof Fault, name);
        continue;
      }
      acceptedCount++;
      decodeCanonical(bytes);
      for (const entry of entries ?? assert.fail(name)) builder.add(entry);
      assert.equal(bytesToHex(keeper.load(builder.finish())), bytesToHex(bytes), name);
    }
    assert.ok(acceptedCount > 0);
  });
});

describe("folders", () => {
  for (const count of [0, 1, 256, 5_000]) {
    it(`of ${count} entries are read back in order`, async () => {
      const { keeper, names, root } = folderOf(count);
      assert.deepEqual(await namesOf(root, keeper.load), names);
    });
  }

  it("of 200,000 entries are written in bounded nodes", async () => {
    const { keeper, names, root } = folderOf(200_000);
    assert.ok(keeper.longestBytes <= 524_288);
    assert.ok(keeper.count > 100 && keeper.count < 800);
    assert.equal((await namesOf(root, keeper.load)).length, names.length);
  });

  it("that change by one entry share all nodes but a few", () => {
    const before = createObjectKeeper();
    const seen = new Set<string>();
    let freshCount = 0;
    const emit: typeof before.emit = (kind, plaintext) => {
      const objectId = before.emit(kind, plaintext);
      if (!seen.has(bytesToHex(objectId))) freshCount++;
      seen.add(bytesToHex(objectId));
      return objectId;
    };
    const builder = createFolderBuilder(7, emit);
    for (let number = 0; number < 50_000; number++) builder.add(sampleEntry(String(number).padStart(6, "0")));
    builder.finish();
    freshCount = 0;
    for (let number = 0; number < 50_000; number++) {
      builder.add(sampleEntry(String(number).padStart(6, "0")));
      if (number === 25_000) builder.add(sampleEntry("025000x"));
    }
    builder.finish();
    assert.ok(freshCount >= 2 && freshCount <= 4, `${freshCount} nodes`);
  });

  it("are the same when entries come encoded, and when a copy of the builder was finished on the way", () => {
    const count = 3_000;
    const keeper = createObjectKeeper();
    const builder = createFolderBuilder(7, keeper.emit);
    const writer = new CborWriter(16);
    for (let number = 0; number < count; number++) {
      const entry = sampleEntry(String(number).padStart(6, "0"));
      writer.length = 0;
      writeEntry(writer, entry);
      builder.addEncoded(entry.name, writer.bytes.subarray(0, writer.length));
      if (number % 1_000 === 500) assert.equal(bytesToHex(builder.copy().finish()), bytesToHex(folderOf(number + 1).root));
    }
    assert.equal(bytesToHex(builder.finish()), bytesToHex(folderOf(count).root));
  });

  it("refuse names that do not ascend", () => {
    const builder = createFolderBuilder(0, createObjectKeeper().emit);
    builder.add(sampleEntry("b"));
    assert.throws(() => builder.add(sampleEntry("b")), { name: "AssertionFailure" });
  });

  it("are refused when a node is not the one its parent tells of", async () => {
    const leaf = (...names: string[]) =>
      new Map<number, Canonical>([
        [1, 0],
        [2, names.map((name) => entryMap(sampleEntry(name)))],
      ]);
    const above = (level: number, ...items: [string, ObjectId][]) =>
      new Map<number, Canonical>([
        [1, level],
        [2, items.map(([name, id]) => [utf8(name), id])],
      ]);
    const cases: readonly [string, (emit: (node: Map<number, Canonical>) => ObjectId) => ObjectId][] = [
      ["first name differs", (emit) => emit(above(1, ["a", emit(leaf("b"))]))],
      ["names reach into the next node", (emit) => emit(above(1, ["a", emit(leaf("a", "c"))], ["b", emit(leaf("b"))]))],
      ["level jumps", (emit) => emit(above(2, ["a", emit(leaf("a"))]))],
      ["an empty node under another", (emit) => emit(above(1, ["a", emit(leaf())]))],
      [
        "names reach into the next node two levels below",
        (emit) => emit(above(2, ["a", emit(above(1, ["a", emit(leaf("a", "c"))]))], ["b", emit(above(1, ["b", emit(leaf("b"))]))])),
      ],
    ];
    for (const [name, build] of cases) {
      const keeper = createObjectKeeper();
      const root = build((node) => keeper.emit(2, encodeCanonical(node)));
      await assert.rejects(namesOf(root, keeper.load), { name: "Fault", code: "format" }, name);
    }
  });
});
