/**
 * Trees (docs/format.md §10): the entries of a folder in order of raw names, split into nodes at content-defined places,
 * so that a change in a large folder rewrites a node or two. Written and read one node per level at a time.
 */
import { assert, type Bytes, compareBytes, copyBytes, Fault } from "@holdfast/base";
import { ID_BYTES, NAME_BYTES_MAX, type ObjectId, SPLIT_ITEMS_MAX, TREE_LEVELS_MAX, TREE_NODE_BYTES_MAX } from "@holdfast/protocol";
import { CborReader } from "./cbor-reader.ts";
import { readU32 } from "./cbor-writer.ts";
import type { LoadObject } from "./content.ts";
import { type Entry, isName, readEntry, writeEntry } from "./entry.ts";
import { NodeBuffer } from "./node-buffer.ts";
import { type EmitObject, OBJECT_KINDS } from "./object.ts";

const FNV_PRIME = 16777619;

/** A node below another one. */
export interface TreeChild {
  readonly firstName: Bytes;
  readonly objectId: ObjectId;
}

export type TreeNode =
  | { readonly level: 0; readonly entries: readonly Entry[]; readonly children: null }
  | { readonly level: number; readonly entries: null; readonly children: readonly TreeChild[] };

export interface FolderBuilder {
  /** Adds the next entry; names ascend. The entry is written at once and not kept. */
  add(entry: Entry): void;
  /** The same for an entry that is CBOR already, as `writeEntry` made it: it is copied, not checked. */
  addEncoded(name: Uint8Array, encoded: Uint8Array): void;
  /** A builder in the same state that goes its own way: to close a folder for a partial snapshot and still continue it. */
  copy(): FolderBuilder;
  /** Closes the folder and returns the id of its topmost node. Ready for the next folder afterwards. */
  finish(): ObjectId;
}

/** Seed of the split hash: first four bytes of the vault's `chunker` key. */
export function splitSeedOf(chunkerKey: Uint8Array): number {
  return readU32(chunkerKey, 0);
}

/** Decides by a name where a node may end. */
export function splitHash(name: Uint8Array, splitSeed: number): number {
  let hash = splitSeed | 0;
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ (name[index] as number), FNV_PRIME);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/** A builder that gives tree nodes to `emit` as they close. One builder serves many folders, one after the other. */
export function createFolderBuilder(splitSeed: number, emit: EmitObject): FolderBuilder {
  return folderBuilder(splitSeed, emit, [], new Uint8Array(0));
}

function folderBuilder(splitSeed: number, emit: EmitObject, levels: TreeLevel[], startName: Uint8Array): FolderBuilder {
  const lastName = new Uint8Array(NAME_BYTES_MAX);
  lastName.set(startName);
  let lastNameLength = startName.length;

  const levelAt = (index: number): TreeLevel => {
    levels[index] ??= { node: new NodeBuffer(index), firstName: new Uint8Array(0), addedCount: 0, lastId: null };
    return levels[index] as TreeLevel;
  };
  const commit = (index: number, name: Uint8Array): void => {
    const level = levelAt(index);
    if (level.node.lengthWithPending > TREE_NODE_BYTES_MAX) {
      if (level.node.itemCount > 0) close(index);
      if (level.node.lengthWithPending > TREE_NODE_BYTES_MAX) throw new Fault("limit", "tree: entry does not fit a node");
    }
    if (level.node.itemCount === 0) level.firstName = copyBytes(name);
    level.node.commit();
    level.addedCount++;
    if (level.node.endsAfter(splitHash(name, splitSeed))) close(index);
  };
  const close = (index: number): void => {
    const { node, firstName } = levelAt(index);
    const objectId = emit(OBJECT_KINDS.tree, node.close());
    node.clear();
    const parent = levelAt(index + 1);
    parent.lastId = copyBytes(objectId) as ObjectId;
    parent.node.writer.array(2);
    parent.node.writer.byteString(firstName);
    parent.node.writer.byteString(objectId);
    commit(index + 1, firstName);
  };

  const follow = (name: Uint8Array): void => {
    assert(compareBytes(lastName.subarray(0, lastNameLength), name) < 0, "tree: names ascend");
    lastName.set(name);
    lastNameLength = name.length;
  };

  return {
    add(entry) {
      follow(entry.name);
      writeEntry(levelAt(0).node.writer, entry);
      commit(0, entry.name);
    },
    addEncoded(name, encoded) {
      follow(name);
      levelAt(0).node.writer.raw(encoded);
      commit(0, name);
    },
    copy: () => folderBuilder(splitSeed, emit, levels.map(copyLevel), lastName.slice(0, lastNameLength)),
    finish() {
      lastNameLength = 0;
      if (levelAt(0).addedCount === 0) return copyBytes(emit(OBJECT_KINDS.tree, levelAt(0).node.close())) as ObjectId;
      for (let index = 0; ; index++) {
        if (levelAt(index).node.itemCount > 0) close(index);
        levelAt(index).addedCount = 0;
        const parent = levelAt(index + 1);
        if (parent.addedCount !== 1) continue;
        // The one node below is the folder: the level above it is not written.
        levels[index + 1] = { node: new NodeBuffer(index + 1), firstName: parent.firstName, addedCount: 0, lastId: null };
        return parent.lastId as ObjectId;
      }
    },
  };
}

interface TreeLevel {
  readonly node: NodeBuffer;
  firstName: Uint8Array;
  addedCount: number;
  lastId: ObjectId | null;
}

function copyLevel({ node, firstName, addedCount, lastId }: TreeLevel): TreeLevel {
  return { node: node.copy(), firstName, addedCount, lastId };
}

/** Checks and decodes the plaintext of a tree object. */
export function parseTree(plaintext: Uint8Array): TreeNode {
  if (plaintext.length > TREE_NODE_BYTES_MAX) throw new Fault("limit", `tree: got ${plaintext.length} bytes, want at most ${TREE_NODE_BYTES_MAX}`);
  const reader = new CborReader(plaintext, "tree");
  reader.map(2, 2);
  reader.expectUint(1);
  const level = reader.uint(TREE_LEVELS_MAX - 1, "limit");
  reader.expectUint(2);
  const count = reader.array(level === 0 ? 0 : 1, SPLIT_ITEMS_MAX, "limit");
  if (level === 0) {
    const entries: Entry[] = [];
    for (let index = 0; index < count; index++) {
      const entry = readEntry(reader);
      checkOrder(entries[index - 1]?.name, entry.name);
      entries.push(entry);
    }
    reader.end();
    return { level: 0, entries, children: null };
  }
  const children: TreeChild[] = [];
  for (let index = 0; index < count; index++) {
    reader.array(2, 2);
    const firstName = reader.byteString(NAME_BYTES_MAX);
    if (!isName(firstName)) throw reader.fault("name not allowed");
    checkOrder(children[index - 1]?.firstName, firstName);
    children.push({ firstName, objectId: reader.fixedBytes(ID_BYTES) as ObjectId });
  }
  reader.end();
  return { level, entries: null, children };
}

function checkOrder(previous: Uint8Array | undefined, name: Uint8Array): void {
  if (previous !== undefined && compareBytes(previous, name) >= 0) throw new Fault("format", "tree: names not in order");
}

/** The entries of the folder whose topmost node is `root`, in order, a node at a time. Nodes that contradict their parent: `format`. */
export async function* readFolder(root: ObjectId, load: LoadObject): AsyncGenerator<readonly Entry[]> {
  const node = parseTree(await load(root));
  if (node.entries !== null) yield node.entries;
  else yield* readChildren(node, load, null);
}

/** `before`: first name of the node that follows, or `null` at the end of the folder. */
async function* readChildren(node: TreeNode & { entries: null }, load: LoadObject, before: Bytes | null): AsyncGenerator<readonly Entry[]> {
  for (const [index, child] of node.children.entries()) {
    const next = parseTree(await load(child.objectId));
    const following = node.children[index + 1]?.firstName ?? before;
    const items = next.entries ?? next.children;
    const firstName = next.entries === null ? next.children[0]?.firstName : next.entries[0]?.name;
    const lastName = next.entries === null ? next.children[items.length - 1]?.firstName : next.entries[items.length - 1]?.name;
    if (next.level !== node.level - 1) throw new Fault("format", `tree: got level ${next.level} under level ${node.level}`);
    if (firstName === undefined || compareBytes(firstName, child.firstName) !== 0) throw new Fault("format", "tree: node does not begin as its parent says");
    if (following !== null && lastName !== undefined) checkOrder(lastName, following);
    if (next.entries !== null) yield next.entries;
    else yield* readChildren(next, load, following);
  }
}
