import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { type Canonical, encodeCanonical } from "@holdfast/protocol";
import { type Content, type ContentItem, createContentBuilder, readContent } from "./content.ts";
import { createObjectKeeper, numberedId } from "./testing/samples.ts";

function itemsOf(count: number): ContentItem[] {
  return Array.from({ length: count }, (_, index) => ({ objectId: index % 50 === 49 ? null : numberedId(index), plainBytes: 1 + index }));
}

function build(items: readonly ContentItem[]) {
  const keeper = createObjectKeeper();
  const builder = createContentBuilder(keeper.emit);
  for (const { objectId, plainBytes } of items) {
    if (objectId === null) builder.addHole(plainBytes);
    else builder.addChunk(objectId, plainBytes);
  }
  return { keeper, builder, content: builder.finish(), sizeBytes: items.reduce((sum, item) => sum + item.plainBytes, 0) };
}

async function readAll(content: Content, sizeBytes: number, load: Parameters<typeof readContent>[2]): Promise<ContentItem[]> {
  const items: ContentItem[] = [];
  for await (const part of readContent(content, sizeBytes, load)) items.push(...part);
  return items;
}

describe("content of a file", () => {
  for (const count of [0, 1, 128, 129, 4_096, 20_000]) {
    it(`of ${count} items is read back`, async () => {
      const items = itemsOf(count);
      const { keeper, content, sizeBytes } = build(items);
      assert.equal(content.items === null, count > 128);
      const got = await readAll(content, sizeBytes, keeper.load);
      assert.equal(got.length, count);
      for (const [index, item] of got.entries()) {
        const want = items[index] as ContentItem;
        assert.ok(
          item.plainBytes === want.plainBytes &&
            (item.objectId === null ? want.objectId === null : bytesToHex(item.objectId) === bytesToHex(want.objectId as Uint8Array)),
        );
      }
    });
  }

  it("a builder serves one file after another", () => {
    const { builder, keeper, content } = build(itemsOf(300));
    const first = keeper.count;
    for (const { objectId, plainBytes } of itemsOf(300)) {
      if (objectId === null) builder.addHole(plainBytes);
      else builder.addChunk(objectId, plainBytes);
    }
    assert.deepEqual(builder.finish(), content);
    assert.equal(keeper.count, 2 * first);
    assert.deepEqual(builder.finish(), { items: [], listId: null });
  });

  it("of another size than the entry says is refused, in the entry and in lists", async () => {
    for (const count of [3, 20_000]) {
      const { keeper, content, sizeBytes } = build(itemsOf(count));
      await assert.rejects(readAll(content, sizeBytes + 1, keeper.load), { name: "Fault", code: "format" });
    }
  });

  it("is refused when a list does not hold what its parent says", async () => {
    const leaf = new Map<number, Canonical>([
      [1, 0],
      [2, [[5], [7]]],
    ]);
    const cases: readonly [string, readonly [number, number], number][] = [
      ["bytes", [13, 2], 13],
      ["items", [12, 3], 12],
    ];
    for (const [name, [plainBytes, itemCount], sizeBytes] of cases) {
      const keeper = createObjectKeeper();
      const leafId = keeper.emit(3, encodeCanonical(leaf));
      const listId = keeper.emit(
        3,
        encodeCanonical(
          new Map<number, Canonical>([
            [1, 1],
            [2, [[leafId, plainBytes, itemCount]]],
          ]),
        ),
      );
      await assert.rejects(readAll({ items: null, listId }, sizeBytes, keeper.load), { name: "Fault", code: "format" }, name);
      const jumped = keeper.emit(
        3,
        encodeCanonical(
          new Map<number, Canonical>([
            [1, 2],
            [2, [[leafId, 12, 2]]],
          ]),
        ),
      );
      await assert.rejects(readAll({ items: null, listId: jumped }, 12, keeper.load), { name: "Fault", code: "format" });
    }
  });

  it("of a million chunks is written in bounded lists", () => {
    let longestBytes = 0;
    const ids = Array.from({ length: 1_000 }, (_, index) => numberedId(index));
    const builder = createContentBuilder((_, plaintext) => {
      longestBytes = Math.max(longestBytes, plaintext.length);
      return ids[plaintext.length % 1_000] as (typeof ids)[number];
    });
    for (let index = 0; index < 1_000_000; index++) builder.addChunk(ids[index % 1_000] as (typeof ids)[number], 1_048_576);
    assert.ok(builder.finish().listId !== null);
    assert.ok(longestBytes <= 4_096 * 50);
  });
});
