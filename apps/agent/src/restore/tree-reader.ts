/**
 * Reads folders of a snapshot so that damage stays where it is: a node that cannot be read is reported and left out, and
 * the nodes beside it are read all the same. (`readFolder` of the vault package stops at the first.)
 */
import { assert, compareBytes, Fault } from "@holdfast/base";
import type { ObjectId } from "@holdfast/protocol";
import { type Entry, type LoadObject, parseTree } from "@holdfast/vault";
import { isDamage } from "./damage.ts";
import { printable } from "./printable.ts";

/** Told of a node that was left out. */
export type OnDamage = (fault: Fault) => void;

/** Entries of the folder whose topmost node is `root`, in order, a node at a time. Damage goes to `onDamage`; all else is thrown. */
export async function* readFolderParts(root: ObjectId, load: LoadObject, onDamage: OnDamage): AsyncGenerator<readonly Entry[]> {
  const reader: FolderReader = { load, onDamage, lastName: new Uint8Array(0) };
  yield* readNode(reader, root, null);
}

interface FolderReader {
  readonly load: LoadObject;
  readonly onDamage: OnDamage;
  /** Names ascend over all nodes of the folder, so that none comes twice. */
  lastName: Uint8Array;
}

/** @param claim - What the parent says of the node, or `null` for the topmost. */
async function* readNode(
  reader: FolderReader,
  objectId: ObjectId,
  claim: { readonly level: number; readonly firstName: Uint8Array } | null,
): AsyncGenerator<readonly Entry[]> {
  let node: ReturnType<typeof parseTree>;
  try {
    node = parseTree(await reader.load(objectId));
    const firstName = node.entries === null ? node.children[0]?.firstName : node.entries[0]?.name;
    if (claim !== null && node.level !== claim.level) throw new Fault("format", `tree: got level ${node.level}, want ${claim.level}`);
    if (claim !== null && (firstName === undefined || compareBytes(firstName, claim.firstName) !== 0))
      throw new Fault("format", "tree: node does not begin as its parent says");
    if (firstName !== undefined && node.entries !== null && compareBytes(reader.lastName, firstName) >= 0)
      throw new Fault("format", "tree: names not in order");
  } catch (error) {
    if (!isDamage(error)) throw error;
    reader.onDamage(error);
    return;
  }
  if (node.entries === null) {
    for (const child of node.children) yield* readNode(reader, child.objectId, { level: node.level - 1, firstName: child.firstName });
    return;
  }
  reader.lastName = node.entries.at(-1)?.name ?? reader.lastName;
  yield node.entries;
}

/** The entry called `name`, or `null`. Damage in the way is thrown. */
export async function findEntry(root: ObjectId, name: Uint8Array, load: LoadObject): Promise<Entry | null> {
  const rethrow = (fault: Fault): never => {
    throw fault;
  };
  for await (const entries of readFolderParts(root, load, rethrow)) {
    for (const entry of entries) {
      const order = compareBytes(entry.name, name);
      if (order === 0) return entry;
      if (order > 0) return null;
    }
  }
  return null;
}

/** The entry at `path` below the folder `root`. Nothing there: `missing`. A step through what is no folder: `missing` too. */
export async function findPath(root: ObjectId, path: readonly Uint8Array[], load: LoadObject): Promise<Entry> {
  let tree: ObjectId | null = root;
  let found: Entry | null = null;
  for (const [index, name] of path.entries()) {
    found = tree === null ? null : await findEntry(tree, name, load);
    if (found === null)
      throw new Fault(
        "missing",
        `snapshot path: it has no ${path
          .slice(0, index + 1)
          .map(printable)
          .join("/")}`,
      );
    tree = found.subtree;
  }
  assert(found !== null, "snapshot path: has a step");
  return found;
}
