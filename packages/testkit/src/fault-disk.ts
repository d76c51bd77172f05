/**
 * A Disk in memory that fails at the N-th call, fills up, and loses power: what the port promises as durable survives a
 * power loss, everything else may or may not (`crashStates`).
 */
import { assert, type Bytes, compareBytes, type Disk, type DiskFile, type DiskStat, Fault, utf8 } from "@holdfast/base";

/**
 * - `error`: the call does nothing and throws `transport`, as EIO does.
 * - `space`: likewise, with errno ENOSPC.
 * - `power-before`, `power-after`: power is lost before or after the call takes effect.
 * - `power-torn`: power is lost half way: an append or a write into an open file wrote half of its bytes, a replaced file is the
 *   old one beside a temporary one.
 */
export type DiskFaultKind = "error" | "space" | "power-before" | "power-after" | "power-torn";

/** Thrown when power is lost, and by every call after it. Not a fault: nothing may handle it. */
export class PowerLoss extends Error {
  override readonly name = "PowerLoss";
}

export interface FaultDisk extends Disk {
  /** Calls so far, reads included. */
  readonly callCount: number;
  /** Name and path of each call, in order. */
  readonly calls: readonly string[];
  /** Makes the `index`-th call from now on (0 is the next) fail. */
  failAt(index: number, kind: DiskFaultKind): void;
  /** Every state in which the disk may come back after a power loss now: each subset of the changes that nothing has synced. */
  crashStates(): Generator<FaultDisk>;
}

interface Node {
  readonly kind: "file" | "folder";
  /** What an open file is known by, whatever its name becomes. */
  readonly inode: number;
  readonly bytes: Bytes;
  readonly mode: number;
}

type Tree = Map<string, Node>;

/** A change that is not durable yet: a rename, a removal, a new folder, bytes written into an open file. */
interface Change {
  /** Folders whose fsync makes it durable. */
  readonly folders: readonly string[];
  /** The file whose fsync makes it durable. */
  readonly inode?: number;
  readonly apply: (tree: Tree) => void;
}

const EMPTY: Bytes = new Uint8Array(0);
const UNSYNCED_MAX = 12; // 4,096 states.

/** A disk of `capacityBytes` with nothing but the root folder. */
export function createFaultDisk(capacityBytes: number = 1024 * 1024 * 1024): FaultDisk {
  return new MemoryDisk(capacityBytes, new Map([["/", { kind: "folder", inode: 0, bytes: EMPTY, mode: 0o755 }]]));
}

class MemoryDisk implements FaultDisk {
  readonly calls: string[] = [];
  readonly #capacityBytes: number;
  readonly #durable: Tree;
  readonly #planned = new Map<number, DiskFaultKind>();
  #current: Tree;
  #unsynced: Change[] = [];
  #isPowered = true;
  #nextInode: number;

  constructor(capacityBytes: number, tree: Tree) {
    this.#capacityBytes = capacityBytes;
    this.#durable = tree;
    this.#current = new Map(tree);
    this.#nextInode = Math.max(...[...tree.values()].map((node) => node.inode)) + 1;
  }

  get callCount(): number {
    return this.calls.length;
  }

  failAt(index: number, kind: DiskFaultKind): void {
    this.#planned.set(this.calls.length + index, kind);
  }

  *crashStates(): Generator<FaultDisk> {
    const changes = this.#unsynced;
    if (changes.length > UNSYNCED_MAX) throw new Error(`fault disk: ${changes.length} unsynced changes, want at most ${UNSYNCED_MAX}`);
    for (let chosen = 0; chosen < 1 << changes.length; chosen++) {
      const tree = new Map(this.#durable);
      changes.forEach((change, index) => {
        if ((chosen >> index) & 1) change.apply(tree);
      });
      yield new MemoryDisk(this.#capacityBytes, tree);
    }
  }

  readFile(path: string, bytesMax: number): Bytes | null {
    this.#call("readFile", path);
    const node = this.#current.get(path);
    if (node === undefined) return null;
    if (node.kind !== "file") throw new Fault("transport", "disk: is a folder", { detail: { errno: "EISDIR" } });
    if (node.bytes.length > bytesMax) throw new Fault("limit", `disk: file too long, got ${node.bytes.length}, want at most ${bytesMax}`);
    return node.bytes.slice();
  }

  writeFile(path: string, bytes: Uint8Array, mode: number): void {
    const copy = new Uint8Array(bytes);
    const inode = this.#nextInode++;
    this.#write("writeFile", path, copy.length, (tree) => tree.set(path, { kind: "file", inode, bytes: copy, mode }), {
      torn: (tree) => tree.set(`${path}.tmp`, { kind: "file", inode, bytes: copy.slice(0, copy.length >> 1), mode }),
    });
  }

  appendFile(path: string, bytes: Uint8Array, mode: number): void {
    const newInode = this.#nextInode++;
    const append = (tree: Tree, part: Uint8Array): void => {
      const old = tree.get(path);
      const joined = new Uint8Array((old?.bytes.length ?? 0) + part.length);
      joined.set(old?.bytes ?? EMPTY);
      joined.set(part, joined.length - part.length);
      tree.set(path, { kind: "file", inode: old?.inode ?? newInode, bytes: joined, mode: old?.mode ?? mode });
    };
    const copy = new Uint8Array(bytes);
    this.#write("appendFile", path, copy.length, (tree) => append(tree, copy), {
      torn: (tree) => append(tree, copy.subarray(0, copy.length >> 1)),
      inode: this.#current.get(path)?.inode ?? newInode,
    });
  }

  openFile(path: string): DiskFile | null {
    this.#call("openFile", path);
    return this.#current.has(path) ? this.#diskFile(path, false) : null;
  }

  makeFile(path: string, mode: number, old: "kept" | "emptied"): DiskFile {
    if (this.#current.has(path)) {
      const kind = this.#call("makeFile", path);
      if (old === "emptied") this.#changeFile(this.#fileAt(path).inode, () => EMPTY);
      if (kind !== null) throw this.#losePower();
    } else {
      const inode = this.#nextInode++;
      this.#write("makeFile", path, 0, (tree) => tree.set(path, { kind: "file", inode, bytes: EMPTY, mode }), { torn: () => {} });
    }
    return this.#diskFile(path, true);
  }

  list(path: string): readonly string[] | null {
    this.#call("list", path);
    if (this.#current.get(path)?.kind !== "folder") return null;
    const names = [...this.#current.keys()]
      .filter((other) => other !== "/" && parentOf(other) === path)
      .map((other) => other.slice(other.lastIndexOf("/") + 1));
    return names.sort((left, right) => compareBytes(utf8(left), utf8(right)));
  }

  makeFolder(path: string, mode: number): void {
    const inode = this.#nextInode++;
    this.#change("makeFolder", path, [parentOf(path)], (tree) => {
      if (!tree.has(path)) tree.set(path, { kind: "folder", inode, bytes: EMPTY, mode });
    });
  }

  rename(from: string, to: string): void {
    if (this.#isPowered && !this.#current.has(from)) throw new Fault("missing", "disk: nothing to rename");
    this.#change("rename", from, [parentOf(from), parentOf(to)], (tree) => {
      for (const [path, node] of [...tree]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        tree.delete(path);
        tree.set(to + path.slice(from.length), node);
      }
    });
  }

  remove(path: string): void {
    this.#change("remove", path, [parentOf(path)], (tree) => {
      for (const other of [...tree.keys()]) if (other === path || other.startsWith(`${path}/`)) tree.delete(other);
    });
  }

  stat(path: string): DiskStat | null {
    this.#call("stat", path);
    const node = this.#current.get(path);
    return node === undefined ? null : { kind: node.kind, sizeBytes: node.bytes.length, mode: node.mode, uid: 0 };
  }

  freeBytes(path: string): number {
    this.#call("freeBytes", path);
    return this.#free();
  }

  /** Counts a call; the fault planned for it, when power goes during it, is for the caller to carry out. */
  #call(name: string, path: string): DiskFaultKind | null {
    if (!this.#isPowered) throw new PowerLoss("disk: no power");
    const kind = this.#planned.get(this.calls.length) ?? null;
    this.calls.push(`${name} ${path}`);
    if (kind === "error") throw new Fault("transport", "disk: input/output error (injected)", { detail: { errno: "EIO" } });
    if (kind === "space") throw noSpace();
    if (kind === "power-before") throw this.#losePower();
    return kind;
  }

  /** An open file, by its inode: it may be renamed meanwhile. */
  #diskFile(path: string, isWritable: boolean): DiskFile {
    const { inode } = this.#fileAt(path);
    let isOpen = true;
    const read = (name: string): Bytes => {
      assert(isOpen, `disk: ${name} on a closed file`);
      this.#call(name, path);
      return this.#bytesOf(inode);
    };
    const change = (name: string, addedBytes: (old: Bytes) => number, edit: (old: Bytes) => Bytes, torn: (old: Bytes) => Bytes): void => {
      assert(isOpen, `disk: ${name} on a closed file`);
      const kind = this.#call(name, path);
      if (!isWritable) throw new Fault("transport", "disk: file is open for reading only", { detail: { errno: "EBADF" } });
      if (addedBytes(this.#bytesOf(inode)) > this.#free()) throw noSpace();
      this.#changeFile(inode, kind === "power-torn" ? torn : edit);
      if (kind !== null) throw this.#losePower();
    };
    return {
      sizeBytes: () => read("sizeBytes").length,
      readAt(target, position) {
        const part = read("readAt").subarray(position, position + target.length);
        target.set(part);
        return part.length;
      },
      writeAt(bytes, position) {
        const copy = new Uint8Array(bytes);
        const added = (old: Bytes): number => Math.max(0, position + copy.length - old.length);
        const half = copy.subarray(0, copy.length >> 1);
        change(
          "writeAt",
          added,
          (old) => overwritten(old, copy, position),
          (old) => overwritten(old, half, position),
        );
      },
      truncate: (sizeBytes) =>
        change(
          "truncate",
          (old) => sizeBytes - old.length,
          (old) => resized(old, sizeBytes),
          (old) => old,
        ),
      sync: () => {
        assert(isOpen, "disk: sync on a closed file");
        const kind = this.#call("sync", path);
        if (kind !== "power-torn") this.#syncFile(inode);
        if (kind !== null) throw this.#losePower();
      },
      [Symbol.dispose]() {
        isOpen = false;
      },
    };
  }

  #fileAt(path: string): Node {
    const node = this.#current.get(path);
    if (node?.kind !== "file") throw new Fault("input", "disk: is a folder", { detail: { errno: "EISDIR" } });
    return node;
  }

  #bytesOf(inode: number): Bytes {
    for (const node of this.#current.values()) if (node.inode === inode) return node.bytes;
    throw new Error("fault disk: an open file was removed or replaced, which is not modelled");
  }

  /** Changes a file's content; durable once the file is synced. */
  #changeFile(inode: number, edit: (old: Bytes) => Bytes): void {
    const apply = (tree: Tree): void => {
      for (const [path, node] of tree) if (node.inode === inode) tree.set(path, { ...node, bytes: edit(node.bytes) });
    };
    this.#unsynced.push({ folders: [], inode, apply });
    apply(this.#current);
  }

  #syncFile(inode: number): void {
    this.#settle((change) => change.inode === inode);
  }

  /** A durable write of `byteCount` bytes; it also syncs the folder it happens in, and what was written into the file `inode` before. */
  #write(
    name: string,
    path: string,
    byteCount: number,
    apply: (tree: Tree) => void,
    { torn, inode }: { readonly torn: (tree: Tree) => void; readonly inode?: number },
  ): void {
    const kind = this.#call(name, path);
    const parent = parentOf(path);
    if (this.#current.get(parent)?.kind !== "folder") throw new Fault("missing", "disk: no such folder");
    if (byteCount > this.#free()) throw noSpace();
    this.#sync(parent);
    if (inode !== undefined) this.#syncFile(inode);
    (kind === "power-torn" ? torn : apply)(this.#durable);
    this.#replay();
    if (kind !== null) throw this.#losePower();
  }

  #change(name: string, path: string, folders: readonly string[], apply: (tree: Tree) => void): void {
    const kind = this.#call(name, path);
    this.#unsynced.push({ folders, apply });
    this.#replay();
    if (kind !== null) throw this.#losePower();
  }

  /** Makes durable what happened in `folder` and in the folders above it, without which it could not be found. */
  #sync(folder: string): void {
    this.#settle((change) => change.folders.some((other) => other === folder || other === "/" || folder.startsWith(`${other}/`)));
  }

  /** Makes the changes durable that `isSynced` picks. */
  #settle(isSynced: (change: Change) => boolean): void {
    for (const change of this.#unsynced.filter(isSynced)) change.apply(this.#durable);
    this.#unsynced = this.#unsynced.filter((change) => !isSynced(change));
  }

  #replay(): void {
    this.#current = new Map(this.#durable);
    for (const change of this.#unsynced) change.apply(this.#current);
  }

  #free(): number {
    let used = 0;
    for (const node of this.#current.values()) used += node.bytes.length;
    return this.#capacityBytes - used;
  }

  #losePower(): PowerLoss {
    this.#isPowered = false;
    return new PowerLoss("disk: power lost (injected)");
  }
}

function noSpace(): Fault {
  return new Fault("transport", "disk: no space left", { detail: { errno: "ENOSPC" } });
}

function overwritten(old: Bytes, bytes: Uint8Array, position: number): Bytes {
  const next = resized(old, Math.max(old.length, position + bytes.length));
  next.set(bytes, position);
  return next;
}

/** A copy, cut or filled up with zeros. */
function resized(old: Bytes, sizeBytes: number): Bytes {
  const next = new Uint8Array(sizeBytes);
  next.set(old.subarray(0, sizeBytes));
  return next;
}

function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}
