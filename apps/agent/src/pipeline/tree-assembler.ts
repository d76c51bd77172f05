/**
 * Turns what the walker meets, in its order, into tree objects and the new listing. Content comes later than names: an
 * entry whose file is still with the pack workers waits, and everything behind it waits with it, bounded.
 */
import { joinBytes } from "@holdfast/base";
import type { ObjectId } from "@holdfast/protocol";
import {
  CborWriter,
  type Content,
  createFolderBuilder,
  type EmitObject,
  ENTRY_FLAGS,
  type Entry,
  FILE_KINDS,
  type FolderBuilder,
  type ObjectTable,
  type OrdinalSet,
  writeEntry,
} from "@holdfast/vault";
import type { ListingWriter } from "../state/listing.ts";
import { FILE_STATUS, type FileResult, readResult, SlotReader } from "./batch.ts";
import type { BigFile } from "./big-file.ts";
import { IdList } from "./id-list.ts";
import { RunAborted } from "./object-store.ts";
import { COUNTERS, type SharedRun } from "./shared-memory.ts";

/** Identity words of an entry that were copied out of a stat row. */
export const COPIED_IDENTITY = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] as const;
const ID_BYTES = 32;
/** Ids in one row of the listing: what a reader holds at once. */
const ROW_IDS = 4_096;
/** Entries that may wait; beyond, the walker waits for the first. */
const WAITING_MAX = 8_192;
/** Entries between two collections: 56,000 unchanged entries peak at 140 MB so, and at 380 MB without. */
const COLLECT_ENTRIES = 2_048;
/** Objects in open packs are at most 16,384 for each of a few packs: beyond this most of the list can be placed. */
const UNPLACED_MAX = 262_144;

/** A changed or new entry, without what is still being found out. */
export interface EntryDraft {
  readonly entry: Entry;
  /** Ten identity words, and the mode word. */
  readonly identity: Uint32Array;
  readonly modeWord: number;
}

/** Builds a draft anew when the file was read with other stats than listed. */
export type Redraft = (statWords: Uint32Array) => EntryDraft;

export type AssemblerEvent =
  | { readonly type: "enter"; readonly draft: EntryDraft; readonly xattrPart: Uint8Array; readonly isTop: boolean }
  | { readonly type: "leave" }
  | { readonly type: "whole"; readonly draft: EntryDraft }
  | {
      readonly type: "reused";
      readonly name: Uint8Array;
      readonly encoded: Uint8Array;
      readonly identity: Uint32Array;
      readonly modeWord: number;
      readonly ids: Uint8Array;
      readonly moreIds: readonly Uint8Array[];
    }
  | { readonly type: "relinked"; readonly draft: EntryDraft; readonly ids: Uint8Array; readonly moreIds: readonly Uint8Array[] }
  | { readonly type: "file"; readonly ticket: number; readonly draft: EntryDraft; readonly redraft: Redraft; readonly path: Uint8Array }
  | { readonly type: "part"; readonly ticket: number; readonly count: number; readonly file: BigFile }
  | { readonly type: "big"; readonly file: BigFile };

export interface AssemblerOptions {
  readonly shared: SharedRun;
  readonly table: ObjectTable;
  readonly needed: OrdinalSet;
  readonly splitSeed: number;
  /** `null` in a dry run. */
  readonly listing: ListingWriter | null;
  /** Stores a tree or list. */
  readonly emitStructure: EmitObject;
  /** Makes sure that `ticket` is on its way. */
  readonly publish: (ticket: number) => void;
  /** Results that `ticket` will have; asked once it is done. */
  readonly resultCount: (ticket: number) => number;
  /** Reads a file here and now, because workers could not read it as it was listed. */
  readonly readNow: (path: Uint8Array, redraft: Redraft) => FileOutcome;
  readonly finishBigFile: (file: BigFile) => FileOutcome;
  readonly onFailure: (path: Uint8Array, reason: string) => void;
  /** Called now and then: frees what entries left behind, where the runtime would let it pile up. */
  readonly collect: () => void;
}

/** What became of a file: its entry, or `null` when it vanished. */
export interface FileOutcome {
  readonly draft: EntryDraft | null;
  /** Ids of chunks and lists, joined. */
  readonly ids: Uint8Array;
}

interface OpenFolder {
  readonly builder: FolderBuilder;
  readonly draft: EntryDraft;
  readonly isTop: boolean;
}

export interface AssemblerTotals {
  files: number;
  folders: number;
  others: number;
  plainBytes: number;
}

export class TreeAssembler {
  readonly totals: AssemblerTotals = { files: 0, folders: 0, others: 0, plainBytes: 0 };
  /** Id of the root tree once the outermost folder was left. */
  root: ObjectId | null = null;
  readonly #options: AssemblerOptions;
  readonly #folders: OpenFolder[] = [];
  readonly #builders: FolderBuilder[] = [];
  #queue: AssemblerEvent[] = [];
  #head = 0;
  /** Ticket whose results are being read, with the cursor in them. */
  #reading: { ticket: number; reader: SlotReader; left: number } | null = null;
  #countedEntries = 0;
  readonly #writer = new CborWriter(4_096);
  readonly #nodeIds = new IdList();
  /** Objects whose packs were still open when they were met. */
  readonly #unplaced = new IdList();

  constructor(options: AssemblerOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#head === this.#queue.length;
  }

  push(event: AssemblerEvent): void {
    this.#queue.push(event);
    if (this.#queue.length - this.#head > WAITING_MAX) this.drainBelow(WAITING_MAX / 2);
  }

  /** Applies what can be applied without waiting. */
  drain(): void {
    while (!this.isIdle && this.#apply(this.#queue[this.#head] as AssemblerEvent, false)) this.#head++;
    if (this.#head > 1_024 || this.isIdle) this.#compact();
  }

  /** Applies events, waiting for results, until at most `count` are left. */
  drainBelow(count: number): void {
    while (this.#queue.length - this.#head > count) {
      if (!this.#apply(this.#queue[this.#head] as AssemblerEvent, true)) throw new RunAborted();
      this.#head++;
    }
    this.#compact();
  }

  /** Applies events, waiting for results, until a slot of the ring is free. */
  drainUntilReaped(isFree: () => boolean): void {
    while (!isFree()) {
      if (this.isIdle) throw new RunAborted();
      if (!this.#apply(this.#queue[this.#head] as AssemblerEvent, true)) throw new RunAborted();
      this.#head++;
    }
    this.#compact();
  }

  /**
   * Root tree of what has been applied so far, for a partial snapshot: the open folders are closed on copies.
   * Call with nothing waiting.
   */
  partialRoot(): ObjectId {
    let subtree: ObjectId | null = null;
    for (let depth = this.#folders.length - 1; depth >= 0; depth--) {
      const copy = (this.#folders[depth] as OpenFolder).builder.copy();
      const child = this.#folders[depth + 1];
      if (child !== undefined) copy.add({ ...child.draft.entry, subtree } as Entry);
      subtree = copy.finish();
    }
    return subtree as ObjectId;
  }

  #compact(): void {
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  /** Whether the event was applied. With `wait` it is, unless the run is aborted. */
  #apply(event: AssemblerEvent, wait: boolean): boolean {
    switch (event.type) {
      case "enter":
        this.#enter(event.draft, event.xattrPart, event.isTop);
        return true;
      case "leave":
        this.#leave();
        return true;
      case "whole":
        this.#whole(event.draft, new Uint8Array(0));
        return true;
      case "reused":
        this.#reused(event);
        return true;
      case "relinked":
        this.#whole(event.draft, joinBytes([event.ids, ...event.moreIds]));
        return true;
      case "file":
        return this.#file(event, wait);
      case "part":
        return this.#part(event, wait);
      case "big": {
        const outcome = this.#options.finishBigFile(event.file);
        this.#countRead(outcome.draft);
        if (outcome.draft !== null) this.#whole(outcome.draft, outcome.ids);
        return true;
      }
    }
  }

  #enter(draft: EntryDraft, xattrPart: Uint8Array, isTop: boolean): void {
    const depth = this.#folders.length;
    this.#builders[depth] ??= createFolderBuilder(this.#options.splitSeed, (kind, plaintext) => this.emit(kind, plaintext));
    this.#folders.push({ builder: this.#builders[depth] as FolderBuilder, draft, isTop });
    if (!isTop) {
      this.#options.listing?.enter(draft.entry.name, draft.identity, 0, COPIED_IDENTITY, xattrPart);
      this.totals.folders++;
    }
  }

  #leave(): void {
    const folder = this.#folders.pop() as OpenFolder;
    const subtree = folder.builder.finish();
    if (folder.isTop) {
      this.root = subtree;
      this.#flushNodes();
      return;
    }
    this.#options.listing?.leave();
    this.#parent().add({ ...folder.draft.entry, subtree } as Entry);
  }

  #whole(draft: EntryDraft, ids: Uint8Array): void {
    const { entry } = draft;
    this.#countEntry(entry.kind === FILE_KINDS.file, entry.sizeBytes);
    this.#writer.length = 0;
    writeEntry(this.#writer, entry);
    const encoded = this.#writer.bytes.subarray(0, this.#writer.length);
    this.#parent().addEncoded(entry.name, encoded);
    // What was not read whole is not listed, so that the next run tries it again.
    if (entry.flags === 0) this.#list(draft, encoded, ids);
    this.#need(ids);
  }

  #countRead(draft: EntryDraft | null): void {
    this.#options.shared.count(COUNTERS.filesRead, 1);
    this.#options.shared.count(COUNTERS.bytesRead, draft?.entry.sizeBytes ?? 0);
  }

  #list(draft: EntryDraft, encoded: Uint8Array, ids: Uint8Array): void {
    const { listing } = this.#options;
    if (listing === null) return;
    listing.entry(draft.entry.name, draft.identity, 0, COPIED_IDENTITY, draft.modeWord, encoded, ids.subarray(0, ROW_IDS * ID_BYTES));
    for (let at = ROW_IDS * ID_BYTES; at < ids.length; at += ROW_IDS * ID_BYTES) listing.ids(ids.subarray(at, at + ROW_IDS * ID_BYTES));
  }

  #reused(event: Extract<AssemblerEvent, { type: "reused" }>): void {
    this.#parent().addEncoded(event.name, event.encoded);
    this.#options.listing?.entry(event.name, event.identity, 0, COPIED_IDENTITY, event.modeWord, event.encoded, event.ids);
    this.#need(event.ids);
    for (const ids of event.moreIds) {
      this.#options.listing?.ids(ids);
      this.#need(ids);
    }
    // The kind is in the mode word: S_IFREG is 0o10. The size stands in the identity.
    const isFile = (event.modeWord & 0xf000) === 0x8000;
    this.#countEntry(isFile, (event.identity[2] as number) + (event.identity[3] as number) * 2 ** 32);
  }

  #file(event: Extract<AssemblerEvent, { type: "file" }>, wait: boolean): boolean {
    const [result] = this.#take(event.ticket, 1, wait) ?? [];
    if (result === undefined) return false;
    if (result.status === FILE_STATUS.failed && result.reason === "EFBIG") {
      const outcome = this.#options.readNow(event.path, event.redraft);
      if (outcome.draft !== null) this.#whole(outcome.draft, outcome.ids);
      return true;
    }
    const draft = this.#settle(event, result);
    this.#countRead(draft);
    if (draft !== null) this.#whole(draft, joinIds(result.chunks));
    return true;
  }

  /** The finished entry of a file that a worker read, or `null` when it is gone. */
  #settle(event: Extract<AssemblerEvent, { type: "file" }>, result: FileResult): EntryDraft | null {
    if (result.status === FILE_STATUS.failed) {
      this.#options.onFailure(event.path, result.reason);
      return result.reason === "ENOENT" ? null : withFlags(event.draft, ENTRY_FLAGS.contentMissing, null);
    }
    if (result.statWords === null) return withContent(event.draft, contentOf(result));
    const draft = withContent(event.redraft(result.statWords), contentOf(result));
    if (result.status === FILE_STATUS.changed) return draft;
    this.#options.onFailure(event.path, "changed while it was read");
    return withFlags(draft, ENTRY_FLAGS.changedWhileRead, draft.entry.content);
  }

  #part(event: Extract<AssemblerEvent, { type: "part" }>, wait: boolean): boolean {
    const results = this.#take(event.ticket, event.count, wait);
    if (results === null) return false;
    for (const result of results) event.file.take(result);
    return true;
  }

  /** The next `count` results of `ticket`, or `null` while they are not there. The last ones give the slot back. */
  #take(ticket: number, count: number, wait: boolean): FileResult[] | null {
    const { shared } = this.#options;
    if (this.#reading?.ticket !== ticket) {
      if (wait) this.#options.publish(ticket);
      if (!shared.isDone(ticket, wait)) return null;
      this.#reading = { ticket, reader: new SlotReader(shared.result(ticket)), left: this.#options.resultCount(ticket) };
    }
    const reading = this.#reading;
    const results = Array.from({ length: count }, () => readResult(reading.reader));
    reading.left -= count;
    if (reading.left === 0) shared.reap(ticket);
    return results;
  }

  #parent(): FolderBuilder {
    return (this.#folders[this.#folders.length - 1] as OpenFolder).builder;
  }

  #countEntry(isFile: boolean, sizeBytes: number): void {
    if (++this.#countedEntries % COLLECT_ENTRIES === 0) this.#options.collect();
    this.#options.shared.count(COUNTERS.entriesDone, 1);
    if (isFile) this.#options.shared.count(COUNTERS.bytesDone, sizeBytes);
    if (isFile) {
      this.totals.files++;
      this.totals.plainBytes += sizeBytes;
    } else this.totals.others++;
  }

  /** Marks the packs of the objects. */
  #need(ids: Uint8Array): void {
    for (let at = 0; at < ids.length; at += ID_BYTES) this.#needOne(ids.subarray(at, at + ID_BYTES));
  }

  #needOne(id: Uint8Array): void {
    const ordinal = this.#options.table.find(id);
    if (ordinal >= 0) this.#options.needed.add(ordinal);
    else {
      this.#unplaced.push(id);
      if (this.#unplaced.count >= UNPLACED_MAX) this.placeAll();
    }
  }

  /** Marks the packs that have been closed since; how many objects are still in open ones. After a flush there are none. */
  placeAll(): number {
    const ids = this.#unplaced.joined();
    this.#unplaced.clear();
    for (let at = 0; at < ids.length; at += ID_BYTES) {
      const id = ids.subarray(at, at + ID_BYTES);
      const ordinal = this.#options.table.find(id);
      if (ordinal >= 0) this.#options.needed.add(ordinal);
      else this.#unplaced.push(id);
    }
    return this.#unplaced.count;
  }

  /** Stores a structure object and remembers it for the listing and the count of packs. */
  emit(kind: Parameters<EmitObject>[0], plaintext: Uint8Array): ObjectId {
    const id = this.#options.emitStructure(kind, plaintext);
    this.#nodeIds.push(id);
    this.#needOne(id);
    if (this.#nodeIds.count >= 1_024) this.#flushNodes();
    return id;
  }

  #flushNodes(): void {
    if (this.#nodeIds.count === 0) return;
    this.#options.listing?.nodes(this.#nodeIds.joined());
    this.#nodeIds.clear();
  }
}

export function withContent(draft: EntryDraft, content: Content | null): EntryDraft {
  return { ...draft, entry: { ...draft.entry, content } };
}

export function withFlags(draft: EntryDraft, flags: number, content: Content | null): EntryDraft {
  return { ...draft, entry: { ...draft.entry, flags: draft.entry.flags | flags, content } };
}

function joinIds(chunks: FileResult["chunks"]): Uint8Array {
  return joinBytes(chunks.map((chunk) => chunk.objectId));
}

function contentOf(result: FileResult): Content | null {
  return result.chunks.length === 0 ? null : { items: result.chunks, listId: null };
}
