/**
 * The plan of a restore: what is to be made of each content pack, gathered while the trees are walked, so that each pack
 * is fetched once. Bounded: a pack goes to work as soon as everything in it is spoken for, and when the plan is full the
 * pack that was met least recently goes first; whatever of it is met later costs a second fetch.
 */
import { assert } from "@holdfast/base";
import type { ObjectId } from "@holdfast/protocol";
import { DIRECTORY_ENTRY_BYTES, type Entry } from "@holdfast/vault";
import type { FileHandle } from "../platform/index.ts";
import { ByteWriter } from "./byte-stream.ts";
import { joinNames } from "./folder-chain.ts";
import { type Metadata, writeMetadata } from "./metadata.ts";
import type { ObjectIndex, ObjectPlace } from "./object-index.ts";
import type { PlainSpan } from "./pack-fetcher.ts";
import { REPLACES, TASKS, writeObject } from "./tasks.ts";

/** A folder of the target in the making. It is finished when it was left and nothing in it is pending. */
export interface FolderState {
  readonly parent: FolderState | null;
  /** Of the folder in the snapshot; `null` for the target itself. */
  readonly entry: Entry | null;
  /** From the target on, names joined by slashes; empty for the target itself. */
  readonly path: Uint8Array;
  /** `planned` until something in it is restored. */
  state: "planned" | "made" | "failed";
  /** Made by this restore: nothing can be in the way in it. */
  isNew: boolean;
  /** What is made in it gets uid and gid of the process. */
  ownsNew: boolean;
  /** To be set when it is finished; `null` where it stays as it is. */
  metadata: Metadata | null;
  /** Entries that are not done, and one while it is being walked. */
  pending: number;
}

/** A file that the main thread makes: of several objects, with holes, or with several names. */
export interface FileState {
  readonly number: number;
  readonly folder: FolderState;
  readonly entry: Entry;
  readonly metadata: Metadata;
  readonly replaces: boolean;
  handle: FileHandle | null;
  /** What it is called until it is whole. */
  temporaryName: Uint8Array | null;
  /** Objects not written yet. */
  pendingParts: number;
  /** All its parts are in the plan or beyond. */
  isPlanned: boolean;
  failure: string | null;
}

export interface PlannedPart {
  readonly file: FileState;
  readonly position: number;
  readonly row: number;
  readonly objectId: ObjectId;
}

/** What is to be made of one pack. */
export class PackPlan {
  readonly pack: number;
  readonly tasks: ByteWriter = new ByteWriter();
  /** Folders of the files in `tasks`, with how many there are. */
  readonly folders = new Map<FolderState, number>();
  readonly spans: PlainSpan[] = [];
  parts: PlannedPart[] = [];
  fileCount = 0;
  /** Bytes of the pack that are spoken for, directory included. */
  coveredBytes = 0;
  #lastFolder: FolderState | null = null;

  constructor(pack: number) {
    this.pack = pack;
  }

  /** @param place - `null` for an empty file. */
  addFile(folder: FolderState, name: Uint8Array, replaces: boolean, metadata: Metadata, place: ObjectPlace | null): void {
    if (this.#lastFolder !== folder) {
      this.tasks.u8(TASKS.folder);
      this.tasks.bytes(folder.path);
      this.#lastFolder = folder;
    }
    this.tasks.u8(place === null ? TASKS.empty : TASKS.file);
    this.tasks.bytes(name);
    this.tasks.u8(replaces ? REPLACES : 0);
    writeMetadata(this.tasks, metadata);
    if (place !== null) {
      writeObject(this.tasks, place);
      this.cover(place);
    }
    this.folders.set(folder, (this.folders.get(folder) ?? 0) + 1);
    this.fileCount++;
    folder.pending++;
  }

  addPart(part: PlannedPart, place: ObjectPlace): void {
    this.parts.push(part);
    this.coveredBytes += place.storedBytes + DIRECTORY_ENTRY_BYTES;
    part.file.pendingParts++;
  }

  cover({ offset, storedBytes }: PlainSpan): void {
    this.spans.push({ offset, storedBytes });
    this.coveredBytes += storedBytes + DIRECTORY_ENTRY_BYTES;
  }
}

/** Share of a pack's plaintext from which on the rest is padding. */
const COVERED_SHARE = 0.94;
/** Bytes of tasks and number of parts that may wait: about 60 MB of memory. */
const TASK_BYTES_MAX = 24 * 1024 * 1024;
const PARTS_MAX = 150_000;
const EMPTY_FILES_MAX = 1_024;
/** The plan of files without content. */
const NO_PACK = -1;

export class Plan {
  readonly #index: ObjectIndex;
  /** The one met last is last. */
  readonly #packs = new Map<number, PackPlan>();
  #waitingBytes = 0;
  #waitingParts = 0;

  constructor(index: ObjectIndex) {
    this.#index = index;
  }

  addEmpty(folder: FolderState, name: Uint8Array, replaces: boolean, metadata: Metadata): PackPlan | null {
    const plan = this.#of(NO_PACK);
    plan.addFile(folder, name, replaces, metadata, null);
    if (plan.fileCount < EMPTY_FILES_MAX) return null;
    return this.#remove(plan);
  }

  /** Adds a file of one object. Returns a pack that is due, or `null`. */
  addFile(folder: FolderState, name: Uint8Array, replaces: boolean, metadata: Metadata, place: ObjectPlace): PackPlan | null {
    const plan = this.#of(place.pack);
    const before = plan.tasks.length;
    plan.addFile(folder, name, replaces, metadata, place);
    this.#waitingBytes += plan.tasks.length - before;
    return this.#due(plan);
  }

  /** Adds a part of a file. Returns a pack that is due, or `null`. */
  addPart(part: PlannedPart, place: ObjectPlace): PackPlan | null {
    const plan = this.#of(place.pack);
    plan.addPart(part, place);
    this.#waitingParts++;
    return this.#due(plan);
  }

  /** Puts back parts that could not go to work yet. */
  defer(pack: number, parts: readonly PlannedPart[]): void {
    const plan = this.#of(pack);
    plan.parts.push(...parts);
    this.#waitingParts += parts.length;
  }

  /** The plan that waits longest, or `null` when none is left. */
  takeOldest(): PackPlan | null {
    for (const plan of this.#packs.values()) return this.#remove(plan);
    return null;
  }

  /** All plans that wait, the one met last last. */
  takeAll(): PackPlan[] {
    return [...this.#packs.values()].map((plan) => this.#remove(plan));
  }

  #of(pack: number): PackPlan {
    const known = this.#packs.get(pack);
    if (known !== undefined) {
      this.#packs.delete(pack);
      this.#packs.set(pack, known);
      return known;
    }
    const plan = new PackPlan(pack);
    this.#packs.set(pack, plan);
    return plan;
  }

  #due(plan: PackPlan): PackPlan | null {
    if (plan.coveredBytes >= this.#index.pack(plan.pack).plainBytes * COVERED_SHARE) return this.#remove(plan);
    return this.#waitingBytes > TASK_BYTES_MAX || this.#waitingParts > PARTS_MAX ? this.takeOldest() : null;
  }

  #remove(plan: PackPlan): PackPlan {
    assert(this.#packs.delete(plan.pack), "plan: pack waits");
    if (plan.pack !== NO_PACK) this.#waitingBytes -= plan.tasks.length;
    this.#waitingParts -= plan.parts.length;
    return plan;
  }
}

/** Whether the plan is of files without content. */
export function isWithoutPack(plan: PackPlan): boolean {
  return plan.pack === NO_PACK;
}

/** Path of an entry in `folder`. */
export function pathIn(folder: FolderState, name: Uint8Array): Uint8Array {
  return joinNames(folder.path, name);
}
