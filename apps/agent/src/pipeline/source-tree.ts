/** The given paths as a tree of names: folders above them carry their own metadata and only the children that lead to them. */
import { compareBytes, Fault } from "@holdfast/base";

const SLASH = 0x2f;

/** A name on the way to a given path, or a given path itself. */
export interface SourceNode {
  /** Empty for `/`. */
  readonly name: Uint8Array;
  /** Backed up whole. */
  isSource: boolean;
  /** In order of raw names; empty below a source. */
  readonly children: SourceNode[];
}

/** The tree of `paths`, each absolute. A path below another one is part of it. */
export function createSourceTree(paths: readonly Uint8Array[]): SourceNode {
  const root: SourceNode = { name: new Uint8Array(0), isSource: false, children: [] };
  for (const path of paths) {
    if (path[0] !== SLASH) throw new Fault("input", "source path: not absolute");
    let node = root;
    for (const name of splitPath(path)) {
      if (node.isSource) break;
      node = childOf(node, name);
    }
    node.isSource = true;
    node.children.length = 0;
  }
  return root;
}

/** Names of an absolute path. */
export function splitPath(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 1; start <= path.length; ) {
    const next = path.indexOf(SLASH, start);
    const end = next === -1 ? path.length : next;
    if (end > start) names.push(path.slice(start, end));
    start = end + 1;
  }
  return names;
}

function childOf(node: SourceNode, name: Uint8Array): SourceNode {
  let index = 0;
  for (; index < node.children.length; index++) {
    const order = compareBytes((node.children[index] as SourceNode).name, name);
    if (order === 0) return node.children[index] as SourceNode;
    if (order > 0) break;
  }
  const child: SourceNode = { name, isSource: false, children: [] };
  node.children.splice(index, 0, child);
  return child;
}
