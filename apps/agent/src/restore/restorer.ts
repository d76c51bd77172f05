/**
 * Walks the trees of a snapshot and turns each entry into work: folders, links and special files at once, files into the
 * plan. Memory stays bounded whatever the snapshot holds: a node of a tree for each folder on the way down, the plan, and
 * the first names of files that have several.
 */
import { equalBytes, Fault, isFault } from "@holdfast/base";
import { PATH_DEPTH_MAX } from "@holdfast/protocol";
import { type ContentItem, ENTRY_FLAGS, type Entry, FILE_KINDS, OBJECT_KINDS, readContent } from "@holdfast/vault";
import type { EntryStat, Platform } from "../platform/index.ts";
import { isDamage } from "./damage.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { EntryMaker } from "./entry-maker.ts";
import { type FolderMaker, plannedFolder } from "./folder-maker.ts";
import { isDiskFull, type Metadata, reasonOf } from "./metadata.ts";
import type { ObjectIndex, ObjectPlace } from "./object-index.ts";
import type { ObjectSource } from "./object-source.ts";
import type { PathDecision, PathFilter } from "./path-filter.ts";
import { type FileState, type FolderState, type Plan, pathIn } from "./plan.ts";
import type { Report } from "./report.ts";
import type { Overwrite } from "./restore-options.ts";
import { readFolderParts } from "./tree-reader.ts";

/** Entries of open tree nodes at once: more than deep folders of real systems have, and some 100 MB. */
const OPEN_ENTRIES_MAX = 100_000;
/** Entries between two moments for answers of threads and of the storage node. */
const ENTRIES_PER_TURN = 256;
const NS_PER_MS = 1_000_000;

export interface RestorerOptions {
  readonly platform: Platform;
  readonly source: ObjectSource;
  readonly index: ObjectIndex;
  readonly plan: Plan;
  readonly folders: FolderMaker;
  readonly entries: EntryMaker;
  readonly report: Report;
  readonly filter: PathFilter;
  readonly overwrite: Overwrite | null;
  readonly allowSpecial: boolean;
  readonly signal: AbortSignal | null;
  metadataOf(entry: Entry, ownsNew: boolean, path: Uint8Array): Metadata;
}

/** A file with several names. */
interface Names {
  state: "pending" | "done" | "failed";
  readonly folder: Uint8Array;
  readonly name: Uint8Array;
  /** Names that wait for the first. */
  waiting: { readonly folder: FolderState; readonly entry: Entry; readonly replaces: boolean }[];
}

type Presence = "free" | "replaced" | "kept" | "blocked";

export class Restorer {
  readonly #options: RestorerOptions;
  readonly #dispatcher: Dispatcher;
  readonly #names = new Map<string, Names>();
  #fileCount = 0;
  #openEntries = 0;
  #entriesInTurn = 0;

  constructor(options: RestorerOptions, dispatcher: Dispatcher) {
    this.#options = options;
    this.#dispatcher = dispatcher;
  }

  /** Restores everything below `entry`, a folder, into `folder`; or the one entry when it is no folder. */
  async run(root: Parameters<typeof readFolderParts>[0] | Entry, folder: FolderState, decision: PathDecision): Promise<void> {
    if (root instanceof Uint8Array) await this.#walk(root, folder, decision, 0);
    else await this.#entry(root, folder, decision, 0);
    await this.#dispatcher.drain();
    this.#options.folders.release(folder);
  }

  /** A file of the main thread is done: its other names follow. */
  settle(file: FileState): void {
    const { report, folders } = this.#options;
    if (file.failure === null) report.files++;
    else report.fail(pathIn(file.folder, file.entry.name), file.failure);
    report.settled(1, 0);
    const names = file.entry.inode === null ? undefined : this.#names.get(keyOf(file.entry));
    if (names !== undefined) this.#settleNames(names, file.failure === null);
    folders.release(file.folder);
  }

  async #walk(root: Parameters<typeof readFolderParts>[0], folder: FolderState, decision: PathDecision, depth: number): Promise<void> {
    const { source, report } = this.#options;
    if (depth > PATH_DEPTH_MAX) return report.fail(folder.path, `more than ${PATH_DEPTH_MAX} folders deep`);
    for await (const entries of readFolderParts(root, source.load, (fault) =>
      report.fail(folder.path, `entries of the folder cannot be read: ${fault.message}`),
    )) {
      this.#openEntries += entries.length;
      if (this.#openEntries > OPEN_ENTRIES_MAX) report.fail(folder.path, "the folders above hold too many entries to be read together");
      else for (const entry of entries) await this.#entry(entry, folder, decision, depth);
      this.#openEntries -= entries.length;
    }
  }

  async #entry(entry: Entry, folder: FolderState, parentDecision: PathDecision, depth: number): Promise<void> {
    await this.#turn();
    const isFolder = entry.kind === FILE_KINDS.folder;
    const path = pathIn(folder, entry.name);
    const decision = this.#options.filter.decide(path, isFolder, parentDecision);
    if (decision === "none") return;
    if (isFolder) return this.#folder(entry, folder, decision, depth);
    try {
      await this.#other(entry, folder, path);
    } catch (error) {
      if (!isFault(error) || isDiskFull(error) || !isOfEntry(error)) throw error;
      this.#options.report.fail(path, reasonOf(error));
    }
  }

  async #folder(entry: Entry, parent: FolderState, decision: PathDecision, depth: number): Promise<void> {
    const { folders, report } = this.#options;
    const folder = plannedFolder(parent, entry);
    if (decision === "all" && !folders.make(folder)) return;
    if ((entry.flags & ENTRY_FLAGS.contentMissing) !== 0) report.warn(folder.path, "could not be read when it was saved");
    await this.#walk(entry.subtree as NonNullable<Entry["subtree"]>, folder, decision, depth + 1);
    folders.release(folder);
  }

  async #other(entry: Entry, folder: FolderState, path: Uint8Array): Promise<void> {
    const { folders, report, allowSpecial } = this.#options;
    if (entry.kind === FILE_KINDS.socket) return report.warn(path, "socket not restored: whoever listens on it makes it");
    const isDevice = entry.kind === FILE_KINDS.characterDevice || entry.kind === FILE_KINDS.blockDevice;
    if (isDevice && !allowSpecial) return report.warn(path, "device not restored");
    if (!folders.make(folder)) return;
    const isFile = entry.kind === FILE_KINDS.file;
    const presence = this.#presenceOf(entry, folder);
    if (presence === "blocked") return report.fail(path, "not restored: a folder of that name is there");
    const replaces = presence === "replaced";
    if (entry.inode !== null && this.#names.has(keyOf(entry))) {
      if (presence === "kept") report.kept++;
      else this.#addName(entry, folder, replaces);
      return;
    }
    if (presence === "kept") {
      report.kept++;
      if (isFile) {
        report.met(entry.sizeBytes);
        report.settled(1, entry.sizeBytes);
      }
      if (entry.inode !== null && this.#options.overwrite !== "never") this.#noteNames(entry, folder, "done");
      return;
    }
    const metadata = this.#options.metadataOf(entry, folder.ownsNew, path);
    if (isFile) return this.#file(entry, folder, replaces, metadata, path);
    this.#options.entries.make(folder, entry, replaces, metadata, (reason) => report.warn(path, reason));
    report.others++;
    if (entry.inode !== null) this.#noteNames(entry, folder, "done");
  }

  async #file(entry: Entry, folder: FolderState, replaces: boolean, metadata: Metadata, path: Uint8Array): Promise<void> {
    const { plan, report } = this.#options;
    report.met(entry.sizeBytes);
    const items = entry.content === null ? [] : entry.content.items;
    const isSimple = entry.inode === null && items !== null && items.length <= 1 && items[0]?.objectId !== null;
    if (!isSimple) return this.#bigFile(entry, folder, replaces, metadata);
    const failure = missingContent(entry);
    const [item] = items;
    const place = failure !== null || item === undefined ? null : this.#locate(item);
    if (failure !== null || typeof place === "string") {
      report.fail(path, failure ?? (place as string));
      report.settled(1, 0);
      return;
    }
    const due = place === null ? plan.addEmpty(folder, entry.name, replaces, metadata) : plan.addFile(folder, entry.name, replaces, metadata, place);
    if (due !== null) await this.#dispatcher.dispatch(due);
  }

  async #bigFile(entry: Entry, folder: FolderState, replaces: boolean, metadata: Metadata): Promise<void> {
    const failure = missingContent(entry);
    const file: FileState = {
      number: this.#fileCount++ % 2 ** 32,
      folder,
      entry,
      metadata,
      replaces,
      handle: null,
      temporaryName: null,
      pendingParts: 0,
      isPlanned: false,
      failure,
    };
    folder.pending++;
    if (entry.inode !== null) this.#noteNames(entry, folder, "pending");
    if (failure === null && entry.content !== null) await this.#planParts(file, entry.content);
    this.#dispatcher.planned(file);
  }

  async #planParts(file: FileState, content: NonNullable<Entry["content"]>): Promise<void> {
    const { plan, source, index } = this.#options;
    let position = 0;
    try {
      for await (const items of readContent(content, file.entry.sizeBytes, source.load)) {
        await this.#turn();
        for (const item of items) {
          if (file.failure !== null) return;
          const { objectId } = item;
          const place = objectId === null ? null : this.#locate(item);
          if (typeof place === "string") file.failure = place;
          else if (place !== null && objectId !== null) {
            const due = plan.addPart({ file, position, row: index.find(objectId), objectId }, place);
            if (due !== null) await this.#dispatcher.dispatch(due);
          }
          position += item.plainBytes;
        }
      }
    } catch (error) {
      if (!isDamage(error)) throw error;
      file.failure ??= `content list cannot be read: ${error.message}`;
    }
  }

  /** Where a chunk lies, or why it cannot be had. */
  #locate(item: ContentItem): ObjectPlace | string {
    const place = item.objectId === null ? null : this.#options.source.locate(item.objectId);
    if (place === null) return "content is missing: an object is in no index";
    return place.kind === OBJECT_KINDS.chunk && place.plainBytes === item.plainBytes ? place : "content does not fit what the index says of it";
  }

  // What is there already.

  #presenceOf(entry: Entry, folder: FolderState): Presence {
    const { folders, overwrite } = this.#options;
    const present = folders.look(folder, entry.name);
    if (present === null) return "free";
    if (overwrite === "never") return "kept";
    if (present.kind === "folder") return "blocked";
    return overwrite === "if-changed" && this.#isSame(entry, present, folder) ? "kept" : "replaced";
  }

  /** Whether what is there is what would be written, by kind, size and time; links by their target. */
  #isSame(entry: Entry, present: EntryStat, folder: FolderState): boolean {
    const { platform, folders } = this.#options;
    if (entry.kind === FILE_KINDS.symlink) {
      return present.kind === "symlink" && entry.linkTarget !== null && equalBytes(platform.readLinkAt(folders.open(folder), entry.name), entry.linkTarget);
    }
    if (entry.kind !== FILE_KINDS.file || present.kind !== "file" || present.sizeBytes !== entry.sizeBytes) return false;
    const { seconds, nanoseconds } = entry.modified;
    if (platform.capabilities.exactNs === null) return present.mtimeSec === seconds && present.mtimeNs === nanoseconds;
    const differenceNs = (present.mtimeSec - seconds) * 1e9 + present.mtimeNs - nanoseconds;
    return Math.abs(differenceNs) <= NS_PER_MS;
  }

  // Files with several names.

  #noteNames(entry: Entry, folder: FolderState, state: Names["state"]): void {
    this.#names.set(keyOf(entry), { state, folder: folder.path, name: entry.name, waiting: [] });
  }

  #addName(entry: Entry, folder: FolderState, replaces: boolean): void {
    const names = this.#names.get(keyOf(entry)) as Names;
    const { report } = this.#options;
    if (entry.kind === FILE_KINDS.file) report.met(entry.sizeBytes);
    if (names.state === "pending") {
      folder.pending++;
      names.waiting.push({ folder, entry, replaces });
    } else {
      this.#makeName(names, entry, folder, replaces);
    }
  }

  #settleNames(names: Names, isDone: boolean): void {
    names.state = isDone ? "done" : "failed";
    const { waiting } = names;
    names.waiting = [];
    for (const { folder, entry, replaces } of waiting) {
      this.#makeName(names, entry, folder, replaces);
      this.#options.folders.release(folder);
    }
  }

  #makeName(names: Names, entry: Entry, folder: FolderState, replaces: boolean): void {
    const { entries, report } = this.#options;
    const isFile = entry.kind === FILE_KINDS.file;
    try {
      if (names.state === "failed") throw new Fault("missing", "another name of the same file was not restored");
      entries.link(names.folder, names.name, folder.path, entry.name, replaces);
      if (isFile) report.files++;
      else report.others++;
    } catch (error) {
      if (!isFault(error) || isDiskFull(error)) throw error;
      report.fail(pathIn(folder, entry.name), reasonOf(error));
    }
    if (isFile) report.settled(1, entry.sizeBytes);
  }

  async #turn(): Promise<void> {
    this.#dispatcher.checkRunning();
    if (++this.#entriesInTurn < ENTRIES_PER_TURN) return;
    this.#entriesInTurn = 0;
    this.#options.signal?.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function keyOf(entry: Entry): string {
  return `${entry.inode?.fileSystem}:${entry.inode?.inode}`;
}

function missingContent(entry: Entry): string | null {
  const hasNone = entry.content === null && entry.sizeBytes > 0;
  return hasNone || (entry.flags & ENTRY_FLAGS.contentMissing) !== 0 ? "content could not be read when it was saved" : null;
}

/** Whether a fault is about one entry: the platform's own, or damage. */
function isOfEntry(error: Fault): boolean {
  return typeof error.detail.errno === "string" || error.code === "input" || isDamage(error);
}
