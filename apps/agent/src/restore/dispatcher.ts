/** Sends packs to work: fetches each, hands it to a thread with what is to be made of it, and settles the outcome. At most so many at once. */
import { assert, Fault } from "@holdfast/base";
import type { RecordStore } from "@holdfast/protocol";
import { collectGarbage } from "../platform/collect-garbage.ts";
import { ByteWriter } from "./byte-stream.ts";
import type { FileMaker } from "./file-maker.ts";
import type { FolderMaker } from "./folder-maker.ts";
import type { ObjectIndex, ObjectPlace } from "./object-index.ts";
import { type FetchedPack, fetchPack } from "./pack-fetcher.ts";
import { type FileState, isWithoutPack, type PackPlan, type Plan, type PlannedPart } from "./plan.ts";
import type { Report } from "./report.ts";
import type { RestoreThreads } from "./restore-thread.ts";
import { type JobDone, TASKS, writeObject } from "./tasks.ts";

export interface DispatcherOptions {
  readonly store: RecordStore;
  readonly index: ObjectIndex;
  readonly plan: Plan;
  readonly threads: RestoreThreads;
  readonly files: FileMaker;
  readonly folders: FolderMaker;
  readonly report: Report;
  /** Packs that are fetched, waiting or being written at once. */
  readonly jobsMax: number;
}

const NO_PACK: FetchedPack = { frame: null, runs: [], fault: null, fetchedBytes: 0 };

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #running = new Set<Promise<void>>();
  #stop: unknown = null;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Throws what ended the run, if anything did. */
  checkRunning(): void {
    if (this.#stop !== null) throw this.#stop;
  }

  /** Starts work on a pack as soon as there is room for it. False when all of it had to go back into the plan. */
  async dispatch(plan: PackPlan): Promise<boolean> {
    while (this.#running.size >= this.#options.jobsMax) await Promise.race(this.#running);
    this.checkRunning();
    const { ready, deferredCount } = this.#openParts(plan);
    if (plan.fileCount > 0 || ready.length > 0) this.#track(this.#run(plan, ready));
    return plan.fileCount > 0 || deferredCount < plan.parts.length;
  }

  /** All parts of the file are planned: finishes it when they are written already. */
  planned(file: FileState): void {
    file.isPlanned = true;
    if (file.pendingParts === 0) this.#track(this.#options.files.finish(file));
  }

  /** Sends everything that waits and resolves when nothing is left. */
  async drain(): Promise<void> {
    for (;;) {
      const plans = this.#options.plan.takeAll();
      let isMoving = this.#running.size > 0 || plans.length === 0;
      for (const plan of plans) isMoving = (await this.dispatch(plan)) || isMoving;
      // Every part of an open file goes to work at once, so a full table of open files empties.
      assert(isMoving, "restore: goes on");
      while (this.#running.size > 0) await Promise.all(this.#running);
      this.checkRunning();
      if (plans.length === 0) return;
    }
  }

  /** Resolves when nothing runs any more, whatever happened. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #track(work: Promise<void>): void {
    const tracked: Promise<void> = work
      .catch((error: unknown) => {
        this.#stop ??= error;
      })
      .finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  /** Parts that can be written now: their files are opened. Those for which there is no room go back into the plan. */
  #openParts(plan: PackPlan): { readonly ready: readonly PlannedPart[]; readonly deferredCount: number } {
    const { files } = this.#options;
    const ready: PlannedPart[] = [];
    const deferred: PlannedPart[] = [];
    for (const part of plan.parts) {
      const { file } = part;
      if (file.failure === null && file.handle === null && !files.hasRoom) {
        deferred.push(part);
        continue;
      }
      if (file.failure === null && file.handle === null) files.open(file);
      if (file.failure === null) ready.push(part);
      else this.#settlePart(file);
    }
    if (deferred.length > 0) this.#options.plan.defer(plan.pack, deferred);
    return { ready, deferredCount: deferred.length };
  }

  async #run(plan: PackPlan, parts: readonly PlannedPart[]): Promise<void> {
    const { store, index, threads, report } = this.#options;
    for (const part of parts) {
      const place = this.#placeOf(part);
      plan.tasks.u8(TASKS.part);
      plan.tasks.u32(part.file.handle as number);
      plan.tasks.u32(part.file.number);
      plan.tasks.f64(part.position);
      writeObject(plan.tasks, place);
      plan.cover(place);
    }
    const fetched = isWithoutPack(plan) ? NO_PACK : await fetchPack(store, index.pack(plan.pack), plan.spans);
    this.checkRunning();
    const { frame, runs, fault, fetchedBytes } = fetched;
    const done = await threads.run({ frame, runs, fault, tasks: plan.tasks.take() });
    report.fetchedBytes += fetchedBytes;
    this.#settle(plan, parts, done);
    collectGarbage(MAIN_COLLECT_FROM_BYTES);
  }

  #placeOf({ row, objectId }: PlannedPart): ObjectPlace {
    return this.#options.index.place(row, objectId);
  }

  #settle(plan: PackPlan, parts: readonly PlannedPart[], done: JobDone): void {
    const { report, folders } = this.#options;
    if (done.diskFull) throw diskFull();
    const files = new Map(parts.map(({ file }) => [file.number, file]));
    for (const { path, reason } of done.warnings) report.warn(path, reason);
    for (const { path, file, reason } of done.failures) {
      const failed = files.get(file);
      if (failed !== undefined) failed.failure ??= reason;
      if (path !== null) report.fail(path, reason);
    }
    report.files += done.files;
    report.bytes += done.bytes;
    report.settled(plan.fileCount, done.bytes);
    for (const { file } of parts) this.#settlePart(file);
    for (const [folder, count] of plan.folders) folders.release(folder, count);
  }

  #settlePart(file: FileState): void {
    file.pendingParts--;
    if (file.isPlanned && file.pendingParts === 0) this.#track(this.#options.files.finish(file));
  }
}

/** The main thread holds what is in flight, so that a collection frees little: only where memory is short. */
const MAIN_COLLECT_FROM_BYTES = 270 * 1024 * 1024;

/** There is no room: the caller says how much is missing. */
export function diskFull(): Fault {
  return new Fault("transport", "restore: no room left", { detail: { errno: "ENOSPC", call: "write" } });
}

/** One pack's worth of `check` tasks for a file, in a buffer of their own. */
export function checkTasks(
  folder: Uint8Array,
  name: Uint8Array,
  file: number,
  items: readonly { readonly position: number; readonly place: ObjectPlace }[],
): Uint8Array {
  const tasks = new ByteWriter();
  tasks.u8(TASKS.folder);
  tasks.bytes(folder);
  for (const { position, place } of items) {
    tasks.u8(TASKS.check);
    tasks.bytes(name);
    tasks.u32(file);
    tasks.f64(position);
    writeObject(tasks, place);
  }
  return tasks.take();
}
