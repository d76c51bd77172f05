/**
 * A backup, as the main thread sees it: prepares, starts the workers, sends what they seal, commits.
 *
 * Write order (docs/format.md §17): packs, then the indexes that name them, then the snapshot record, then the journal
 * entry; each is durable before the next is sent.
 */
import { bytesToHex, Fault, type FaultCode, isFault, isFaultCode } from "@holdfast/base";
import {
  FAILURES_LISTED_MAX,
  type LeaseId,
  type LineId,
  PARTIAL_INTERVAL_BYTES,
  PARTIAL_INTERVAL_MS,
  RECORD_KINDS,
  type RecordId,
  splitRecordIds,
} from "@holdfast/protocol";
import { createOrdinalSet, createRecordSealer, encodeSnapshot, lineOf, needsOf, recordSetOf, type SnapshotFailure } from "@holdfast/vault";
import { processorCount } from "../platform/index.ts";
import type { AppendedEntry, VaultSession } from "../session/session.ts";
import { type LineState, readLineState, writeLineState } from "../state/line-state.ts";
import { LocalIndex } from "../state/local-index.ts";
import { AGENT_VERSION } from "../version.ts";
import type { BackupEvents, BackupOptions, BackupResult } from "./backup-options.ts";
import { missingFault, missingIds } from "./missing-records.ts";
import { PackUploads } from "./pack-uploads.ts";
import { rebuildIndex } from "./rebuild-index.ts";
import { runtimeName } from "./runtime-name.ts";
import { COUNTERS, createSharedBuffers, PHASES, SharedRun } from "./shared-memory.ts";
import { type RunningWorker, startWorker } from "./start-worker.ts";
import { neededOrdinals, type PackWorkerData, type TreeMessage, type WalkerData, type WorkerMessage } from "./worker-data.ts";

/** Batches in the ring for each pack worker; frames in flight in all. */
const BATCHES_PER_WORKER = 4;
const FRAME_COUNT = 2;
/** Pack workers by default: a processor is left to the walker and the uploads, and each worker costs 40 MB. */
const WORKERS_MAX = 4;
/** Objects that the table takes before it grows. */
const SPARE_OBJECTS = 60_000;
/** Ordinals that one run may add: packs of 64 KiB at least. */
const NEW_PACKS_MAX = 8 * 1024 * 1024;
const PROGRESS_MS = 250;
/** How often a run starts over because the node misses what the local index promised. */
const MISSING_TRIES_MAX = 3;

/** Backs up and commits. Entries that could not be read are in the snapshot and counted; everything else that fails throws. */
export async function runBackup(session: VaultSession, options: BackupOptions, events: BackupEvents): Promise<BackupResult> {
  await session.refresh();
  const indexFolder = `${session.paths.cache}/index`;
  let index = LocalIndex.open(session.ports.disk, indexFolder, session.currentKeys().epoch);
  try {
    if (index.wasEmpty && session.journal().snapshots.size > 0) {
      index[Symbol.dispose]();
      events.onNote("the local index is missing: reading it back from the storage node");
      await rebuildIndex(session);
      index = LocalIndex.open(session.ports.disk, indexFolder, session.currentKeys().epoch);
    }
    for (let tries = 1; ; tries++) {
      const run = new BackupRun(session, options, events, index);
      try {
        return await run.run();
      } catch (error) {
        const gone = missingIds(error);
        if (gone === null || tries >= MISSING_TRIES_MAX) throw error;
        events.onNote(`the storage node misses ${gone.length} records that this agent had sent: they are sent again`);
        index = index.without(gone);
      }
    }
  } finally {
    index[Symbol.dispose]();
  }
}

class BackupRun {
  readonly #session: VaultSession;
  readonly #options: BackupOptions;
  readonly #events: BackupEvents;
  readonly #index: LocalIndex;
  readonly #shared: SharedRun;
  readonly #buffers;
  readonly #line: LineId;
  readonly #startedMs: number;
  readonly #failures: SnapshotFailure[] = [];
  #failureCount = 0;
  #losses: readonly string[] = [];
  #lease: LeaseId | null = null;
  #uploads: PackUploads | null = null;
  #base: LineState | null = null;
  /** The last partial snapshot of this run, which the next one replaces. */
  #partial: RecordId | null = null;
  #committing: Promise<void> = Promise.resolve();
  #lastPartial = { ms: 0, bytes: 0 };
  #startPackWorkers: () => void = () => {};
  /** Packs that the local index knew when the run began: their ordinals are the index's own. */
  readonly #knownPacks: number;

  constructor(session: VaultSession, options: BackupOptions, events: BackupEvents, index: LocalIndex) {
    this.#session = session;
    this.#options = options;
    this.#events = events;
    this.#index = index;
    this.#knownPacks = index.packs.length;
    this.#startedMs = session.ports.clock.nowMs();
    const workerCount = this.#workerCount;
    this.#buffers = createSharedBuffers(workerCount * BATCHES_PER_WORKER, FRAME_COUNT);
    this.#shared = new SharedRun(this.#buffers);
    const keysOfEpoch0 = session.keys.get(0) ?? session.currentKeys();
    this.#line = lineOf(keysOfEpoch0.objectId, { host: options.host, paths: this.#paths, setName: options.setName });
  }

  async run(): Promise<BackupResult> {
    const { clock } = this.#session.ports;
    const startedAt = clock.monotonicMs();
    if (!this.#options.dryRun) await this.#openLease();
    this.#base = this.#readBase();
    this.#shared.setNextPackOrdinal(this.#knownPacks);
    this.#lastPartial = { ms: startedAt, bytes: 0 };
    const tree = await this.#pack();
    const snapshot = this.#options.dryRun ? null : await this.#commit(tree, true);
    if (snapshot !== null) this.#keepListing();
    const uploads = this.#uploads?.totals ?? { newObjects: 0, newPlainBytes: 0, newStoredBytes: 0, bytesSent: 0 };
    return {
      snapshot,
      ...tree.totals,
      filesRead: this.#shared.counter(COUNTERS.filesRead),
      bytesRead: this.#shared.counter(COUNTERS.bytesRead),
      ...uploads,
      failures: this.#failureCount,
      durationMs: clock.monotonicMs() - startedAt,
    };
  }

  get #workerCount(): number {
    return this.#options.workerCount ?? Math.min(WORKERS_MAX, Math.max(1, processorCount() - 1));
  }

  get #paths(): readonly Uint8Array[] {
    return this.#options.stdinName === null ? this.#options.paths : [new TextEncoder().encode(`/${this.#options.stdinName}`)];
  }

  /** A lease, renewed on what earlier runs left without an index; what the node no longer has of that starts the run over. */
  async #openLease(): Promise<void> {
    const { store } = this.#session;
    const { lease } = await store.lease(null);
    this.#lease = lease as LeaseId;
    const unindexed = this.#index.unindexed().map((pack) => pack.recordId);
    if (unindexed.length === 0) return;
    const gone = await store.missing(unindexed, this.#lease);
    if (gone.length > 0) throw missingFault(gone);
  }

  /** State of the line's last snapshot, if the journal still retains that. */
  #readBase(): LineState | null {
    const state = readLineState(this.#session.ports.disk, this.#session.paths, this.#line);
    return state !== null && this.#session.journal().snapshots.has(bytesToHex(state.entry)) ? state : null;
  }

  /** Runs the workers to their end; the tree that the walker made. */
  async #pack(): Promise<TreeMessage> {
    const session = this.#session;
    const table = this.#index.table(SPARE_OBJECTS);
    const needed = createOrdinalSet(this.#knownPacks + NEW_PACKS_MAX);
    const uploads = new PackUploads(session, this.#lease as LeaseId, this.#shared, this.#index);
    this.#uploads = uploads;
    if (!this.#options.dryRun) uploads.addUnindexed();
    const common = {
      buffers: this.#buffers,
      table: table.memory,
      vault: session.vault,
      keys: session.currentKeys(),
      dryRun: this.#options.dryRun,
      preferNative: this.#options.preferNative,
    };
    const workers: RunningWorker[] = [];
    this.#tick();
    const progress = setInterval(() => this.#tick(), PROGRESS_MS);
    try {
      return await new Promise<TreeMessage>((resolve, reject) => {
        const abort = (error: unknown): void => {
          this.#shared.setPhase(PHASES.abort);
          reject(error);
        };
        const start = (data: PackWorkerData | WalkerData): void => {
          let hasEnded = false;
          const worker = startWorker<WorkerMessage>(
            data,
            (message) => {
              hasEnded ||= message.type === "ended" || message.type === "broken";
              this.#onMessage(message, uploads, { resolve, abort });
            },
            abort,
          );
          workers.push(worker);
          // A thread that dies without a word must not leave the others waiting for it.
          worker.exited.then(() => hasEnded || abort(new Error(`backup: the ${data.role} worker stopped without a word`)));
        };
        // A night on which nothing changed needs no pack worker: they start when the walker has something for them.
        this.#startPackWorkers = () => {
          this.#startPackWorkers = () => {};
          for (let worker = 0; worker < this.#workerCount; worker++) start({ ...common, role: "pack" });
        };
        if (this.#base === null) this.#startPackWorkers();
        start(this.#walkerData(common, needed.memory));
      });
    } finally {
      clearInterval(progress);
      if (this.#shared.phase === PHASES.run) this.#shared.setPhase(PHASES.finish);
      await Promise.all(workers.map((worker) => worker.exited));
      this.#tick();
    }
  }

  #walkerData(common: Omit<PackWorkerData, "role">, neededMemory: SharedArrayBuffer): WalkerData {
    const { excludes, excludeCaches, excludeIfPresent, oneFileSystem, excludeLargerThanBytes, stdinName, dryRun, force } = this.#options;
    this.#session.ports.disk.makeFolder(`${this.#session.paths.cache}/listings`, 0o700);
    return {
      ...common,
      role: "walker",
      neededMemory,
      workerCount: this.#workerCount,
      paths: this.#options.paths,
      stdinName,
      previousListing: force || stdinName !== null ? null : this.#listingPath,
      newListing: dryRun || stdinName !== null ? null : `${this.#listingPath}.new`,
      startedMs: this.#startedMs,
      excludes,
      excludeCaches,
      excludeIfPresent,
      oneFileSystem,
      excludeLargerThanBytes,
    };
  }

  /** Listings of the adapters differ in what they keep: each has its own. */
  get #listingPath(): string {
    return `${this.#session.paths.cache}/listings/${bytesToHex(this.#line)}-${this.#options.preferNative ? "native" : "fs"}`;
  }

  #onMessage(message: WorkerMessage, uploads: PackUploads, run: { resolve: (tree: TreeMessage) => void; abort: (error: unknown) => void }): void {
    switch (message.type) {
      case "pack":
        uploads.add(message, () => {
          try {
            uploads.check();
          } catch (error) {
            run.abort(error);
          }
        });
        return;
      case "partial":
        this.#committing = this.#committing.then(() => this.#commitPartial(message)).catch(run.abort);
        return;
      case "walked":
        this.#committing.then(() => run.resolve(message), run.abort);
        return;
      case "failure":
        this.#failureCount++;
        if (this.#failures.length < FAILURES_LISTED_MAX) this.#failures.push({ path: message.path, reason: message.reason });
        this.#events.onWarning(message.path, message.reason);
        return;
      case "notes":
        this.#losses = message.losses;
        if (message.fallbackReason !== null) this.#events.onNote(message.fallbackReason);
        for (const loss of message.losses) this.#events.onNote(loss);
        return;
      case "broken":
        run.abort(
          isFaultCode(message.code)
            ? new Fault(message.code as FaultCode, message.message)
            : Object.assign(new Error(message.message), { stack: message.stack }),
        );
        return;
      case "work":
        this.#startPackWorkers();
        return;
      case "ended":
        return;
    }
  }

  #tick(): void {
    const bytesSent = this.#uploads?.totals.bytesSent ?? 0;
    this.#events.onProgress({
      entriesDone: this.#shared.counter(COUNTERS.entriesDone),
      bytesDone: this.#shared.counter(COUNTERS.bytesDone),
      entriesTotal: this.#base?.entries ?? null,
      bytesTotal: this.#base?.plainBytes ?? null,
      bytesSent,
    });
    const nowMs = this.#session.ports.clock.monotonicMs();
    const isDue =
      nowMs - this.#lastPartial.ms >= (this.#options.partialIntervalMs ?? PARTIAL_INTERVAL_MS) || bytesSent - this.#lastPartial.bytes >= PARTIAL_INTERVAL_BYTES;
    if (!isDue || this.#options.dryRun || this.#shared.phase !== PHASES.run) return;
    this.#lastPartial = { ms: nowMs, bytes: bytesSent };
    this.#shared.wantPartial();
  }

  async #commitPartial(tree: TreeMessage): Promise<void> {
    await this.#session.store.lease(this.#lease);
    const { seq } = await this.#commit(tree, false);
    this.#events.onNote(`partial snapshot committed (journal entry ${seq}): what was sent so far is safe`);
  }

  /** Makes everything durable in order and appends the entry. */
  async #commit(tree: TreeMessage, isComplete: boolean): Promise<AppendedEntry & { readonly record: RecordId }> {
    const session = this.#session;
    const uploads = this.#uploads as PackUploads;
    // The messages of several workers are not ordered among each other: every pack that was opened must have come.
    await this.#allPacksCame(tree);
    await uploads.settle();
    const record = await this.#putSnapshot(tree, isComplete);
    const set = this.#neededSet(tree, record);
    const appended = await session.append((journal) => {
      const base = this.#base !== null && journal.snapshots.has(bytesToHex(this.#base.entry)) ? this.#base : null;
      const { needs, additions, drops } = needsOf(set, base === null ? null : { entryId: base.entry, set: base.needs });
      const body = { kind: 9 as const, snapshot: record, line: this.#line, complete: isComplete, needs, supersedes: this.#partial };
      return { body, additions: splitRecordIds(additions), drops: splitRecordIds(drops) };
    });
    const { files, others, plainBytes } = tree.totals;
    const state = { entry: appended.entry, needs: set, entries: files + others, plainBytes };
    writeLineState(
      session.ports.disk,
      session.paths,
      this.#line,
      isComplete || this.#base === null ? state : { ...state, entries: this.#base.entries, plainBytes: this.#base.plainBytes },
    );
    this.#base = state;
    this.#partial = isComplete ? null : appended.entry;
    return { ...appended, record };
  }

  async #allPacksCame(tree: TreeMessage): Promise<void> {
    const uploads = this.#uploads as PackUploads;
    const needed = neededOrdinals(tree);
    for (;;) {
      uploads.check();
      let isWaiting = false;
      for (const ordinal of needed.ordinals()) if (ordinal >= this.#knownPacks && !uploads.recordIds.has(ordinal)) isWaiting = true;
      if (!isWaiting) return;
      await this.#session.ports.clock.sleep(1);
    }
  }

  /** Ids of all records that the snapshot needs. */
  #neededSet(tree: TreeMessage, record: RecordId): Uint8Array {
    const ids: Uint8Array[] = [record];
    for (const ordinal of neededOrdinals(tree).ordinals()) {
      const recordId = ordinal < this.#knownPacks ? this.#index.packs[ordinal]?.recordId : (this.#uploads as PackUploads).recordIds.get(ordinal);
      const place = recordId === undefined ? null : this.#index.ordinalOf(recordId);
      const pack = place === null ? undefined : this.#index.packs[place];
      if (pack === undefined || pack.indexRecord === null) throw new Error("backup: a needed pack is not durable and indexed");
      ids.push(pack.recordId, pack.indexRecord);
    }
    return recordSetOf(ids);
  }

  async #putSnapshot(tree: TreeMessage, isComplete: boolean): Promise<RecordId> {
    const session = this.#session;
    const plaintext = encodeSnapshot({
      host: this.#options.host,
      paths: this.#paths,
      setName: this.#options.setName,
      started: timestamp(this.#startedMs),
      ended: timestamp(session.ports.clock.nowMs()),
      root: tree.root,
      line: this.#line,
      totals: tree.totals,
      tags: [...new Set(this.#options.tags)].sort(),
      agentVersion: AGENT_VERSION,
      runtime: runtimeName(),
      failures: this.#failures,
      failureCount: this.#failureCount,
      losses: this.#losses,
      isPartial: !isComplete,
    });
    const { recordId, frame } = await createRecordSealer(session.vault, session.currentKeys(), session.ports.random).seal(RECORD_KINDS.snapshot, plaintext);
    await session.store.put([{ id: recordId, parts: [frame] }], this.#lease as LeaseId);
    return recordId;
  }

  /** The new listing, which is durable, becomes the one to compare with. A stream has none. */
  #keepListing(): void {
    if (this.#options.stdinName !== null) return;
    try {
      this.#session.ports.disk.rename(`${this.#listingPath}.new`, this.#listingPath);
    } catch (error) {
      if (!isFault(error)) throw error;
      // The snapshot is committed: without a listing the next run reads every file again, and that is all.
      this.#events.onNote(`the listing of this run could not be kept: ${error.message}`);
    }
  }
}

function timestamp(ms: number): { readonly seconds: number; readonly nanoseconds: number } {
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanoseconds: Math.floor((ms - seconds * 1_000) * 1e6) };
}
