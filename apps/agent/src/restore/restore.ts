/**
 * Restores a snapshot, or a part of one, into a folder: snapshot, then indexes, then trees and content, each pack fetched
 * once, files written by threads, metadata last, folders after their children. It works the same without local state.
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { Fault, isFault, utf8 } from "@holdfast/base";
import { type Entry, FILE_KINDS, readContent } from "@holdfast/vault";
import { createZstdCompressor } from "@holdfast/vault/node";
import { loadPlatform, type Platform } from "../platform/index.ts";
import type { VaultSession } from "../session/session.ts";
import { checkTasks, Dispatcher } from "./dispatcher.ts";
import { countRestore } from "./dry-run.ts";
import { EntryMaker } from "./entry-maker.ts";
import { FileMaker } from "./file-maker.ts";
import { FolderMaker, targetFolder } from "./folder-maker.ts";
import { createOwnerMap, isDiskFull, type MetadataRules, metadataOf } from "./metadata.ts";
import { loadObjectIndex, type ObjectIndex, type ObjectPlace } from "./object-index.ts";
import { createObjectSource, type ObjectSource } from "./object-source.ts";
import { createPathFilter } from "./path-filter.ts";
import { type FileState, Plan } from "./plan.ts";
import { Report } from "./report.ts";
import type { RestoreEvents, RestoreOptions, RestoreResult } from "./restore-options.ts";
import { type RestoreThreads, startRestoreThreads } from "./restore-thread.ts";
import { Restorer } from "./restorer.ts";
import { type FoundSnapshot, findSnapshot, NO_FILTERS } from "./snapshot-source.ts";
import { prepareTarget } from "./target.ts";
import { findPath } from "./tree-reader.ts";

/** What restoring needs of a session: nothing that must outlive it. */
export type RestoreSession = Pick<VaultSession, "ports" | "vault" | "keys" | "store" | "journal" | "receivedMs">;

const THREADS_MAX = 4;
/** Parts of a file that one job reads back. */
const CHECKED_AT_ONCE = 64;
const SETGID_BIT = 0o2000;

/**
 * `spec` is `latest` or the beginning of an id, with `:PATH` for a part: of a folder its content comes into the target, a
 * file comes in under its name. Damage is reported and everything else restored: the result then says exit code 3.
 * Refused target: `input`. Full disk: `transport` with `errno` ENOSPC and `missingBytes`; what is whole stays, and the
 * same restore with `overwrite: "if-changed"` goes on from there.
 */
export async function restoreSnapshot(session: RestoreSession, spec: string, options: RestoreOptions, events: RestoreEvents): Promise<RestoreResult> {
  const found = await findSnapshot(session, spec, options.filters ?? NO_FILTERS);
  const isWhole = found.path.length === 0 && (options.include ?? []).length + (options.exclude ?? []).length === 0;
  const { files, plainBytes } = found.snapshot.totals;
  const report = new Report(events, isWhole ? { files, bytes: plainBytes } : null);
  const index = await loadObjectIndex(session, found.epoch, (id, fault) => report.warnIndex(id, fault.message));
  const source = createObjectSource(session, found.epoch, index, await createZstdCompressor());
  const { root, folder } = await rootOf(found, source);
  const { root: decision, filter } = createPathFilter(options.include ?? [], options.exclude ?? []);
  if (options.dryRun === true) return countRestore(root, source, filter, decision, report);

  const { platform } = loadPlatform({ preferNative: options.preferNative ?? true });
  const run = new RestoreRun(session, found, options, platform, report, index, source);
  return run.run(root, folder, decision, filter);
}

/** The tree of the folder that is asked for with the folder's own entry, or the one entry. */
async function rootOf(found: FoundSnapshot, source: ObjectSource): Promise<{ root: FoundSnapshot["snapshot"]["root"] | Entry; folder: Entry | null }> {
  if (found.path.length === 0) return { root: found.snapshot.root, folder: null };
  const entry = await findPath(found.snapshot.root, found.path, source.load);
  if (entry.kind !== FILE_KINDS.folder) return { root: entry, folder: null };
  return { root: entry.subtree as NonNullable<Entry["subtree"]>, folder: entry };
}

class RestoreRun {
  readonly #session: RestoreSession;
  readonly #found: FoundSnapshot;
  readonly #options: RestoreOptions;
  readonly #platform: Platform;
  readonly #report: Report;
  readonly #index: ObjectIndex;
  readonly #source: ObjectSource;

  constructor(
    session: RestoreSession,
    found: FoundSnapshot,
    options: RestoreOptions,
    platform: Platform,
    report: Report,
    index: ObjectIndex,
    source: ObjectSource,
  ) {
    this.#session = session;
    this.#found = found;
    this.#options = options;
    this.#platform = platform;
    this.#report = report;
    this.#index = index;
    this.#source = source;
  }

  async run(
    root: Parameters<Restorer["run"]>[0],
    folder: Entry | null,
    decision: Parameters<Restorer["run"]>[2],
    filter: ReturnType<typeof createPathFilter>["filter"],
  ): Promise<RestoreResult> {
    const options = this.#options;
    const platform = this.#platform;
    const report = this.#report;
    const overwrite = options.overwrite ?? null;
    const path = typeof options.target === "string" ? utf8(options.target) : options.target;
    const { target, isEmpty, isMade, gid, mode } = prepareTarget(platform, path, overwrite);
    const rules = rulesOf(options);
    const owners = createOwnerMap(platform, rules.numericOwner);
    const metadataFor = (entry: Entry, ownsNew: boolean, at: Uint8Array) => metadataOf(entry, rules, owners, ownsNew, (reason) => report.warn(at, reason));
    const threadCount = this.#threadCount();
    await using threads = await startRestoreThreads(
      {
        role: "restore",
        vault: this.#session.vault,
        keys: this.#session.keys.get(this.#found.epoch) as NonNullable<ReturnType<RestoreSession["keys"]["get"]>>,
        target,
        preferNative: options.preferNative ?? true,
        verify: options.verify ?? false,
      },
      threadCount,
    );
    using folders = new FolderMaker({ platform, target, overwrite, report, gid: rules.gid, metadataOf: metadataFor });
    const { random } = this.#session.ports;
    const check = options.verify === true ? this.#checkWith(threads) : null;
    // The walk and the files know each other only through these two: a file that is done may have other names to be made.
    let restorer: Restorer | null = null;
    const files = new FileMaker({ platform, folders, random, report, check, onSettled: (file) => restorer?.settle(file) });
    const plan = new Plan(this.#index);
    const dispatcher = new Dispatcher({ store: this.#session.store, index: this.#index, plan, threads, files, folders, report, jobsMax: threadCount + 1 });
    restorer = new Restorer(
      {
        platform,
        source: this.#source,
        index: this.#index,
        plan,
        folders,
        entries: new EntryMaker(platform, folders, random),
        report,
        filter,
        overwrite,
        allowSpecial: options.allowSpecial ?? false,
        signal: options.signal ?? null,
        metadataOf: metadataFor,
      },
      dispatcher,
    );
    try {
      const ownsNew = gid === rules.gid && (mode & SETGID_BIT) === 0;
      const metadata = isMade && folder !== null ? metadataFor(folder, ownsNew, new Uint8Array(0)) : null;
      await restorer.run(root, targetFolder(isEmpty, ownsNew, metadata), decision);
      return report.result();
    } catch (error) {
      await dispatcher.settle();
      files.abandonAll();
      throw isDiskFull(error) && isFault(error) ? this.#diskFull(error, path) : error;
    }
  }

  /** Handles of files are shared between threads, which Deno's own file system does not know. */
  #threadCount(): number {
    if (this.#platform.name === "fs" && "Deno" in globalThis) return 0;
    return this.#options.workers ?? Math.min(THREADS_MAX, availableParallelism());
  }

  #diskFull(cause: Fault, target: Uint8Array): Fault {
    const missingBytes = Math.max(1, this.#report.bytesLeft - this.#platform.freeBytes(target));
    return new Fault(
      "transport",
      `restore: no room left in the target, at least ${missingBytes} bytes are missing; make room and restore again with --overwrite if-changed`,
      {
        cause,
        detail: { errno: "ENOSPC", missingBytes },
      },
    );
  }

  /** Reads files of many parts back, some parts at a time. */
  #checkWith(threads: RestoreThreads): (file: FileState, name: Uint8Array) => Promise<string | null> {
    return async ({ entry, folder, number }, name) => {
      if (entry.content === null) return null;
      let items: { position: number; place: ObjectPlace }[] = [];
      let reason: string | null = null;
      const flush = async (): Promise<void> => {
        const done = await threads.run({ frame: null, runs: [], fault: null, tasks: checkTasks(folder.path, name, number, items) });
        reason ??= done.failures[0]?.reason ?? null;
        items = [];
      };
      let position = 0;
      for await (const some of readContent(entry.content, entry.sizeBytes, this.#source.load)) {
        for (const { objectId, plainBytes } of some) {
          const place = objectId === null ? null : this.#source.locate(objectId);
          if (place !== null) items.push({ position, place });
          position += plainBytes;
          if (items.length >= CHECKED_AT_ONCE) await flush();
        }
      }
      if (items.length > 0) await flush();
      return reason;
    };
  }
}

/** Who this process is decides what it may restore. Systems without users: nothing of owners. */
function rulesOf(options: RestoreOptions): MetadataRules {
  const uid = process.geteuid?.() ?? -1;
  const gid = process.getegid?.() ?? -1;
  return { setsOwner: options.owner ?? uid === 0, numericOwner: options.numericOwner ?? false, allowSetuid: options.allowSetuid ?? false, uid, gid };
}
