/**
 * The walker: goes through the sources in order of raw names, compares with the previous listing in lock-step, hands what
 * changed to the pack workers and gives everything, in order, to the tree assembler. One thread, synchronous, constant
 * memory but for the names of the folders that are open.
 */
import { bytesToHex, equalBytes, Fault, isFault, utf8ToText } from "@holdfast/base";
import { createCutter, createGear, type Entry, type Gear, type ObjectTable, parseEntry } from "@holdfast/vault";
import { EntryStats, errnoOf, type FolderHandle, FolderListing, type Platform, STAT_ROW_WORDS } from "../platform/index.ts";
import type { ListingReader } from "../state/listing.ts";
import { IDENTITY } from "./batch.ts";
import { type BatchFolder, BatchWriter } from "./batch-writer.ts";
import { FileCutter } from "./big-file.ts";
import { BigFileReader } from "./big-file-reader.ts";
import { copyIdentity, EntryDrafter } from "./entry-drafter.ts";
import type { ExcludeRules } from "./excludes.ts";
import type { ObjectStore } from "./object-store.ts";
import { joinPath, openFolderDeep } from "./open-folder.ts";
import { WHOLE_FILE_BYTES_MAX } from "./pack-worker.ts";
import { PreviousWalk } from "./previous-walk.ts";
import type { SharedRun } from "./shared-memory.ts";
import type { SourceNode } from "./source-tree.ts";
import { type AssemblerOptions, TreeAssembler } from "./tree-assembler.ts";

export interface WalkerOptions extends Pick<AssemblerOptions, "table" | "needed" | "splitSeed" | "listing" | "onFailure" | "collect"> {
  readonly shared: SharedRun;
  readonly platform: Platform;
  readonly sources: SourceNode;
  readonly previous: ListingReader | null;
  readonly excludes: ExcludeRules;
  readonly excludeCaches: boolean;
  readonly excludeIfPresent: readonly Uint8Array[];
  readonly oneFileSystem: boolean;
  readonly excludeLargerThanBytes: number | null;
  readonly chunkerKey: Uint8Array;
  readonly structure: ObjectStore;
  /** Made only when a file must be read by the walker itself. */
  readonly content: () => ObjectStore;
  /** Called when there is something for pack workers to do. */
  readonly onWork: () => void;
  /** Called between folders: a partial snapshot may be taken here. */
  readonly betweenFolders: () => void;
}

const BLOCK_ENTRIES = 512;
const ROOT_PATH = Uint8Array.of(0x2f);
/** Folders deeper than this are opened from the root again, so that descriptors stay few. */
const OPEN_DEPTH_MAX = 200;
/** A change within this time before a read may have left the times as they were. */
const RACY_MS = 2_000;
const CACHE_TAG = new TextEncoder().encode("CACHEDIR.TAG");
const CACHE_SIGNATURE = new TextEncoder().encode("Signature: 8a477f597d28d172789f06886806bc55");
const BLOCK_BYTES = 512;

/** Memory that one open folder uses; used again for the next one of the same depth. */
interface Level {
  readonly listing: FolderListing;
  readonly stats: EntryStats;
  /** Row 0: the folder itself. */
  readonly own: EntryStats;
}

export class Walker {
  readonly assembler: TreeAssembler;
  readonly gear: Gear;
  readonly #options: WalkerOptions;
  readonly #platform: Platform;
  readonly #table: ObjectTable;
  readonly #batches: BatchWriter;
  readonly #drafter: EntryDrafter;
  readonly #bigFiles: BigFileReader;
  readonly #levels: Level[] = [];
  readonly #previous: PreviousWalk | null;
  #folderPath: Uint8Array = ROOT_PATH;
  /** Sources that were found, and those that were not. */
  #sourceCount = 0;
  readonly #lostSources: string[] = [];

  constructor(options: WalkerOptions) {
    const { shared, platform } = options;
    this.#options = options;
    this.#platform = platform;
    this.#table = options.table;
    this.#previous = options.previous === null ? null : new PreviousWalk(options.previous);
    this.#drafter = new EntryDrafter(platform, (name, reason) => options.onFailure(joinPath(this.#folderPath, name), reason));
    this.#batches = new BatchWriter(shared, (isFree) => this.assembler.drainUntilReaped(isFree), options.onWork);
    this.gear = createGear(options.chunkerKey);
    this.#bigFiles = new BigFileReader({
      platform,
      cutter: new FileCutter(platform, createCutter(this.gear)),
      batches: this.#batches,
      push: (event) => this.assembler.push(event),
      emitList: (kind, plaintext) => this.assembler.emit(kind, plaintext),
      content: options.content,
      onFailure: options.onFailure,
    });
    this.assembler = new TreeAssembler({
      shared,
      table: options.table,
      needed: options.needed,
      splitSeed: options.splitSeed,
      listing: options.listing,
      emitStructure: (kind, plaintext) => options.structure.put(kind, plaintext),
      publish: (ticket) => this.#batches.publishIfOpen(ticket),
      resultCount: (ticket) => this.#batches.resultCount(ticket),
      readNow: (path, redraft) => this.#bigFiles.readNow(path, redraft),
      finishBigFile: (file) => this.#bigFiles.finish(file),
      onFailure: options.onFailure,
      collect: options.collect,
    });
  }

  /** Whether pack workers have been given anything, and so may have open packs. */
  get hasWork(): boolean {
    return this.#batches.hasPublished;
  }

  /** Walks everything. Afterwards all results are in and the assembler has the root. */
  walk(): void {
    this.#virtualFolder(this.#options.sources, ROOT_PATH, null, 0, this.#previous !== null);
    if (this.#sourceCount === 0 && this.#lostSources.length > 0) {
      throw new Fault("missing", `backup: none of the paths is there: ${this.#lostSources.slice(0, 5).join(", ")}`);
    }
    this.settle();
  }

  /** A snapshot of one entry that is no file of this machine; `ids` are the objects of its content. */
  single(entry: Entry, ids: Uint8Array): void {
    const rootStats = this.#level(0).own;
    const folder = this.#platform.openFolder(ROOT_PATH);
    this.#platform.stat(folder, rootStats, 0);
    this.assembler.push({
      type: "enter",
      draft: this.#drafter.folderDraft(folder, Uint8Array.of(0x5f), rootStats, 0),
      xattrPart: new Uint8Array(0),
      isTop: true,
    });
    this.#platform.closeFolder(folder);
    this.assembler.push({ type: "relinked", draft: { entry, identity: new Uint32Array(IDENTITY.length), modeWord: 0 }, ids, moreIds: [] });
    this.assembler.push({ type: "leave" });
    this.settle();
  }

  /** Waits until nothing is with the pack workers. */
  settle(): void {
    this.#batches.publish();
    this.assembler.drainBelow(0);
  }

  /** `/` or a folder above a source: only what leads to sources. */
  #virtualFolder(node: SourceNode, path: Uint8Array, parent: FolderHandle | null, depth: number, hasPrevious: boolean): void {
    const folder = parent === null ? this.#platform.openFolder(path) : this.#platform.openFolderAt(parent, node.name);
    const level = this.#level(depth);
    this.#platform.stat(folder, level.own, 0);
    this.#folderPath = path;
    const draft = this.#drafter.folderDraft(folder, parent === null ? Uint8Array.of(0x5f) : node.name, level.own, 0);
    this.assembler.push({ type: "enter", draft, xattrPart: new Uint8Array(0), isTop: parent === null });
    const batchFolder: BatchFolder = { path, words: level.own.words.slice(0, STAT_ROW_WORDS) };
    if (node.isSource) this.#children(folder, batchFolder, depth, hasPrevious, this.#deviceOf(level.own));
    else for (const child of node.children) this.#sourceChild(child, folder, batchFolder, depth, hasPrevious);
    this.assembler.push({ type: "leave" });
    this.#platform.closeFolder(folder);
  }

  /** A name on the way to a source, or a source. One that is not there is reported, and the others are backed up. */
  #sourceChild(child: SourceNode, folder: FolderHandle, batchFolder: BatchFolder, depth: number, hasPrevious: boolean): void {
    const path = joinPath(batchFolder.path, child.name);
    try {
      this.#openSource(child, path, folder, batchFolder, depth, hasPrevious);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#options.onFailure(path, errno);
      this.#lostSources.push(`${utf8ToText(path) ?? bytesToHex(path)} (${errno})`);
    }
  }

  #openSource(child: SourceNode, path: Uint8Array, folder: FolderHandle, batchFolder: BatchFolder, depth: number, hasPrevious: boolean): void {
    const known = hasPrevious && this.#previous?.seek(child.name) === true;
    if (!child.isSource) {
      const goesOn = known && (this.#previous as PreviousWalk).isFolder;
      if (goesOn) this.#previous?.enter();
      this.#virtualFolder(child, path, folder, depth + 1, goesOn);
      if (goesOn) this.#previous?.leave();
      return;
    }
    const level = this.#level(depth);
    this.#platform.statAt(folder, child.name, level.stats, 0);
    this.#folderPath = batchFolder.path;
    this.#sourceCount++;
    if (level.stats.kind(0) === "folder") this.#folder(folder, child.name, path, level.stats, 0, depth, known, null);
    else this.#leaf(folder, batchFolder, child.name, level.stats, 0, known);
  }

  /** All entries of an open folder. `device`: of the source, for `oneFileSystem`. */
  #children(folder: FolderHandle, batchFolder: BatchFolder, depth: number, hasPrevious: boolean, device: string): void {
    const { listing, stats } = this.#level(depth);
    this.#platform.listFolder(folder, listing);
    const only = this.#onlyEntry(folder, listing);
    for (let first = 0; first < listing.count; first += BLOCK_ENTRIES) {
      const count = Math.min(BLOCK_ENTRIES, listing.count - first);
      this.#platform.statEntries(folder, listing, first, count, stats);
      for (let row = 0; row < count; row++) {
        const name = listing.name(first + row);
        if (only === null || equalBytes(only, name)) this.#entry(folder, batchFolder, name, stats, row, depth, hasPrevious, device);
      }
    }
  }

  /** The marker that says that the rest of the folder is left out, or `null`. */
  #onlyEntry(folder: FolderHandle, listing: FolderListing): Uint8Array | null {
    for (const marker of this.#options.excludeIfPresent) if (listing.find(marker) !== -1) return marker;
    if (!this.#options.excludeCaches || listing.find(CACHE_TAG) === -1) return null;
    const head = new Uint8Array(new ArrayBuffer(CACHE_SIGNATURE.length));
    try {
      this.#platform.readSmallFileAt(folder, CACHE_TAG, head, new EntryStats(1), 0);
    } catch (error) {
      if (errnoOf(error) === null) throw error;
    }
    return equalBytes(head, CACHE_SIGNATURE) ? CACHE_TAG : null;
  }

  #entry(
    folder: FolderHandle,
    batchFolder: BatchFolder,
    name: Uint8Array,
    stats: EntryStats,
    row: number,
    depth: number,
    hasPrevious: boolean,
    device: string,
  ): void {
    const errno = stats.errorName(row);
    if (errno !== null) {
      this.#options.onFailure(joinPath(batchFolder.path, name), errno);
      return;
    }
    const isFolder = stats.kind(row) === "folder";
    const path = joinPath(batchFolder.path, name);
    if (this.#options.excludes.matches(path, isFolder)) return;
    const known = hasPrevious && (this.#previous as PreviousWalk).seek(name);
    if (isFolder) this.#folder(folder, name.slice(), path, stats, row, depth, known, device);
    else this.#leaf(folder, batchFolder, name, stats, row, known);
  }

  /** A folder below a source, or the source itself (`device` null). */
  #folder(
    parent: FolderHandle,
    name: Uint8Array,
    path: Uint8Array,
    stats: EntryStats,
    row: number,
    depth: number,
    known: boolean,
    device: string | null,
  ): void {
    this.#options.betweenFolders();
    const goesOn = known && (this.#previous as PreviousWalk).isFolder;
    if (goesOn) this.#previous?.enter();
    const parentPath = this.#folderPath;
    const opened = this.#openChild(parent, name, path, depth);
    if (typeof opened === "string") {
      this.#options.onFailure(path, opened);
      // A folder that is gone is no entry any more; one that may not be opened stays, empty and flagged.
      if (opened !== "ENOENT") this.#enterAndLeave(this.#drafter.closedFolderDraft(name, stats, row));
    } else {
      const level = this.#level(depth + 1);
      this.#platform.stat(opened, level.own, 0);
      const draft = this.#drafter.folderDraft(opened, name, level.own, 0);
      const ownDevice = this.#deviceOf(level.own);
      this.#folderPath = path;
      this.assembler.push({ type: "enter", draft, xattrPart: new Uint8Array(0), isTop: false });
      const isOtherDevice = this.#options.oneFileSystem && device !== null && device !== ownDevice;
      if (!isOtherDevice) this.#tryChildren(opened, { path, words: level.own.words.slice(0, STAT_ROW_WORDS) }, depth + 1, goesOn, device ?? ownDevice);
      this.assembler.push({ type: "leave" });
      this.#platform.closeFolder(opened);
    }
    if (goesOn) this.#previous?.leave();
    this.#folderPath = parentPath;
    this.assembler.drain();
  }

  #tryChildren(folder: FolderHandle, batchFolder: BatchFolder, depth: number, hasPrevious: boolean, device: string): void {
    try {
      this.#children(folder, batchFolder, depth, hasPrevious, device);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      this.#options.onFailure(batchFolder.path, errno);
    }
  }

  #openChild(parent: FolderHandle, name: Uint8Array, path: Uint8Array, depth: number): FolderHandle | string {
    try {
      return depth < OPEN_DEPTH_MAX ? this.#platform.openFolderAt(parent, name) : openFolderDeep(this.#platform, path);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === null) throw error;
      return errno;
    }
  }

  #enterAndLeave(draft: ReturnType<EntryDrafter["closedFolderDraft"]>): void {
    this.assembler.push({ type: "enter", draft, xattrPart: new Uint8Array(0), isTop: false });
    this.assembler.push({ type: "leave" });
  }

  /** An entry that is no folder. */
  #leaf(folder: FolderHandle, batchFolder: BatchFolder, name: Uint8Array, stats: EntryStats, row: number, known: boolean): void {
    const { excludeLargerThanBytes } = this.#options;
    const isFile = stats.kind(row) === "file";
    if (isFile && excludeLargerThanBytes !== null && stats.sizeBytes(row) > excludeLargerThanBytes) return;
    if (known && !(this.#previous as PreviousWalk).isFolder && this.#reuse(name, stats, row)) return;
    try {
      const { draft, redraft } = this.#drafter.draft(folder, name, stats, row);
      if (!isFile || stats.sizeBytes(row) === 0) this.assembler.push({ type: "whole", draft });
      else if (isSparse(stats, row) || stats.sizeBytes(row) > WHOLE_FILE_BYTES_MAX) this.#bigFiles.start(folder, batchFolder, draft, redraft);
      else {
        const ticket = this.#batches.file(batchFolder, draft.entry.name, stats.words, row * STAT_ROW_WORDS, stats.sizeBytes(row));
        this.assembler.push({ type: "file", ticket, draft, redraft, path: joinPath(batchFolder.path, draft.entry.name) });
      }
    } catch (error) {
      if (!isFault(error) || errnoOf(error) === null) throw error;
      this.#options.onFailure(joinPath(batchFolder.path, name), errnoOf(error) as string);
    }
  }

  /** Takes the entry over from the previous listing if nothing says that it changed and all its objects are known. */
  #reuse(name: Uint8Array, stats: EntryStats, row: number): boolean {
    const previous = this.#previous as PreviousWalk;
    const { identity, modeWord, encoded, ids } = previous.entry;
    const at = row * STAT_ROW_WORDS;
    if (((modeWord ^ (stats.words[at + 7] as number)) & 0xf000) !== 0) return false;
    for (let index = 0; index < IDENTITY.length; index++) if (identity[index] !== stats.words[at + (IDENTITY[index] as number)]) return false;
    const changedMs = Math.max(stats.mtimeSec(row) * 1_000 + stats.mtimeNs(row) / 1e6, stats.ctimeSec(row) * 1_000 + stats.ctimeNs(row) / 1e6);
    if (changedMs >= previous.startedMs - RACY_MS) return false;
    if (!this.#areKnown(ids)) return false;
    const copies = {
      name: name.slice(),
      encoded: encoded.slice(),
      identity: copyIdentity(stats.words, at),
      modeWord: stats.words[at + 7] as number,
      ids: ids.slice(),
    };
    const moreIds = previous.takeMoreIds();
    const entry = stats.linkCount(row) > 1 ? parseEntry(copies.encoded) : null;
    if (moreIds.some((more) => !this.#areKnown(more))) return false;
    if (entry === null) {
      this.assembler.push({ type: "reused", ...copies, moreIds });
      return true;
    }
    // The ordinal of the file system is good in one snapshot only.
    this.assembler.push({
      type: "relinked",
      ids: copies.ids,
      moreIds,
      draft: { entry: { ...entry, inode: this.#drafter.inodeOf(stats.entry(row)) }, identity: copies.identity, modeWord: copies.modeWord },
    });
    return true;
  }

  #areKnown(ids: Uint8Array): boolean {
    for (let at = 0; at < ids.length; at += 32) if (this.#table.find(ids.subarray(at, at + 32)) < 0) return false;
    return true;
  }

  #level(depth: number): Level {
    this.#levels[depth] ??= { listing: new FolderListing(), stats: new EntryStats(BLOCK_ENTRIES), own: new EntryStats(1) };
    return this.#levels[depth] as Level;
  }

  #deviceOf(stats: EntryStats): string {
    return `${stats.words[34]}:${stats.words[35]}`;
  }
}

/** Fewer blocks than the size needs. Small files may lie in their inode, so only a whole block less counts. */
function isSparse(stats: EntryStats, row: number): boolean {
  return stats.blocks512(row) * BLOCK_BYTES + 4_096 < stats.sizeBytes(row);
}
