/**
 * The content of a file (docs/format.md §9): a sequence of chunks and holes, inline when short, else in nested lists.
 * Built and read in bounded memory: at most one node per level is held.
 */
import { assert, type Bytes, copyBytes, Fault } from "@holdfast/base";
import { CONTENT_ITEMS_INLINE_MAX, ID_BYTES, type ObjectId, SPLIT_ITEMS_MAX, TREE_LEVELS_MAX } from "@holdfast/protocol";
import { CborReader } from "./cbor-reader.ts";
import { type CborWriter, readU32 } from "./cbor-writer.ts";
import { NodeBuffer } from "./node-buffer.ts";
import { type EmitObject, OBJECT_KINDS } from "./object.ts";

/** A chunk, or a hole when `objectId` is `null`. */
export interface ContentItem {
  readonly objectId: ObjectId | null;
  readonly plainBytes: number;
}

/** An item of a list above level 0. */
export interface ListChild {
  readonly objectId: ObjectId;
  /** Plaintext under it, holes included. */
  readonly plainBytes: number;
  /** Content items under it. */
  readonly itemCount: number;
}

/** Content as it stands in a tree entry. */
export type Content = { readonly items: readonly ContentItem[]; readonly listId: null } | { readonly items: null; readonly listId: ObjectId };

export type ListNode =
  | { readonly level: 0; readonly items: readonly ContentItem[]; readonly children: null }
  | { readonly level: number; readonly items: null; readonly children: readonly ListChild[] };

/** Fetches the plaintext of an object whose id has been verified. */
export type LoadObject = (objectId: ObjectId) => Promise<Uint8Array> | Uint8Array;

export interface ContentBuilder {
  /** Adds a chunk. The id is kept by reference until the content is finished or goes into a list. */
  addChunk(objectId: ObjectId, plainBytes: number): void;
  addHole(plainBytes: number): void;
  /** The content of the file; the builder is ready for the next file. */
  finish(): Content;
}

/** A builder that gives list objects to `emit` as they close. One builder serves many files. */
export function createContentBuilder(emit: EmitObject): ContentBuilder {
  let inline: ContentItem[] = [];
  let lists: ListBuilder | null = null;
  const add = (objectId: ObjectId | null, plainBytes: number): void => {
    assert(plainBytes >= 1, "content: item has a length");
    if (lists === null && inline.length < CONTENT_ITEMS_INLINE_MAX) {
      inline.push({ objectId, plainBytes });
      return;
    }
    if (lists === null) {
      lists = new ListBuilder(emit);
      for (const item of inline) lists.add(item.objectId, item.plainBytes);
      inline = [];
    }
    lists.add(objectId, plainBytes);
  };
  return {
    addChunk: add,
    addHole: (plainBytes) => add(null, plainBytes),
    finish() {
      const content: Content = lists === null ? { items: inline, listId: null } : { items: null, listId: lists.finish() };
      inline = [];
      lists = null;
      return content;
    },
  };
}

/** Writes the CBOR of one content item. */
export function writeContentItem(writer: CborWriter, item: ContentItem): void {
  if (item.objectId === null) {
    writer.array(1);
  } else {
    writer.array(2);
    writer.byteString(item.objectId);
  }
  writer.uint(item.plainBytes);
}

/** Reads one content item. */
export function readContentItem(reader: CborReader): ContentItem {
  const objectId = reader.array(1, 2) === 1 ? null : (reader.fixedBytes(ID_BYTES) as ObjectId);
  const plainBytes = reader.uint();
  if (plainBytes === 0) throw reader.fault("content item without length");
  return { objectId, plainBytes };
}

/** Checks and decodes the plaintext of a list object. */
export function parseList(plaintext: Uint8Array): ListNode {
  const reader = new CborReader(plaintext, "list");
  reader.map(2, 2);
  reader.expectUint(1);
  const level = reader.uint(TREE_LEVELS_MAX - 1, "limit");
  reader.expectUint(2);
  const count = reader.array(1, SPLIT_ITEMS_MAX, "limit");
  if (level === 0) {
    const items: ContentItem[] = [];
    for (let index = 0; index < count; index++) items.push(readContentItem(reader));
    reader.end();
    return { level: 0, items, children: null };
  }
  const children: ListChild[] = [];
  for (let index = 0; index < count; index++) {
    reader.array(3, 3);
    children.push({ objectId: reader.fixedBytes(ID_BYTES) as ObjectId, plainBytes: reader.uint(), itemCount: reader.uint() });
  }
  reader.end();
  return { level, items: null, children };
}

/**
 * The items of a file in order, a list at a time. `sizeBytes` is the size in the tree entry: content that does not add up
 * to it, or lists that do not hold what their parent says, are `format` faults, found no later than the end.
 */
export async function* readContent(content: Content, sizeBytes: number, load: LoadObject): AsyncGenerator<readonly ContentItem[]> {
  if (content.items !== null) {
    checkTotals(content.items, sizeBytes, content.items.length);
    yield content.items;
    return;
  }
  const root = parseList(await load(content.listId));
  yield* readListNode(root, { objectId: content.listId, plainBytes: sizeBytes, itemCount: -1 }, load);
}

async function* readListNode(node: ListNode, claim: ListChild, load: LoadObject): AsyncGenerator<readonly ContentItem[]> {
  if (node.items !== null) {
    checkTotals(node.items, claim.plainBytes, claim.itemCount === -1 ? node.items.length : claim.itemCount);
    yield node.items;
    return;
  }
  checkTotals(node.children, claim.plainBytes, claim.itemCount);
  for (const child of node.children) {
    const next = parseList(await load(child.objectId));
    if (next.level !== node.level - 1) throw new Fault("format", `list: got level ${next.level} under level ${node.level}`);
    yield* readListNode(next, child, load);
  }
}

/** `itemCount` -1: unknown, as for the topmost list. */
function checkTotals(items: readonly (ContentItem | ListChild)[], plainBytes: number, itemCount: number): void {
  let gotBytes = 0;
  let gotItems = 0;
  for (const item of items) {
    gotBytes += item.plainBytes;
    gotItems += "itemCount" in item ? item.itemCount : 1;
  }
  if (gotBytes !== plainBytes) throw new Fault("format", `content: adds up to ${gotBytes} bytes, want ${plainBytes}`);
  if (itemCount !== -1 && gotItems !== itemCount) throw new Fault("format", `content: holds ${gotItems} items, want ${itemCount}`);
}

/** One level of lists: its open node and what was ever added. */
interface ListLevel {
  readonly node: NodeBuffer;
  plainBytes: number;
  itemCount: number;
  addedCount: number;
  lastId: Bytes;
}

class ListBuilder {
  readonly #emit: EmitObject;
  readonly #levels: ListLevel[] = [];

  constructor(emit: EmitObject) {
    this.#emit = emit;
  }

  add(objectId: ObjectId | null, plainBytes: number): void {
    const level = this.#level(0);
    writeContentItem(level.node.writer, { objectId, plainBytes });
    this.#added(0, objectId === null ? plainBytes % 0x1_0000_0000 : readU32(objectId, 0), plainBytes, 1);
  }

  /** Closes what is open and returns the id of the topmost list. */
  finish(): ObjectId {
    for (let index = 0; ; index++) {
      if (this.#level(index).node.itemCount > 0) this.#close(index);
      const parent = this.#level(index + 1);
      if (parent.addedCount === 1) return parent.lastId as ObjectId;
    }
  }

  #level(index: number): ListLevel {
    let level = this.#levels[index];
    if (level === undefined) {
      level = { node: new NodeBuffer(index), plainBytes: 0, itemCount: 0, addedCount: 0, lastId: new Uint8Array(0) };
      this.#levels.push(level);
    }
    return level;
  }

  #added(index: number, splitWord: number, plainBytes: number, itemCount: number): void {
    const level = this.#level(index);
    level.node.commit();
    level.plainBytes += plainBytes;
    level.itemCount += itemCount;
    level.addedCount++;
    if (level.node.endsAfter(splitWord)) this.#close(index);
  }

  #close(index: number): void {
    const level = this.#level(index);
    const objectId = this.#emit(OBJECT_KINDS.list, level.node.close());
    const { plainBytes, itemCount } = level;
    level.node.clear();
    level.plainBytes = 0;
    level.itemCount = 0;
    const parent = this.#level(index + 1);
    parent.lastId = copyBytes(objectId);
    const { writer } = parent.node;
    writer.array(3);
    writer.byteString(objectId);
    writer.uint(plainBytes);
    writer.uint(itemCount);
    this.#added(index + 1, readU32(objectId, 0), plainBytes, itemCount);
  }
}
