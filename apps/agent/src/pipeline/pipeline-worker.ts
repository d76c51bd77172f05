/** Entry of the pipeline's workers: makes what they need from their data, runs them, reports how it ended. */
import { isFault, utf8 } from "@holdfast/base";
import { createNodeDisk, createSystemRandom } from "@holdfast/base/node";
import { attachObjectTable, attachOrdinalSet, PACK_CLASSES, type PackClass, splitSeedOf } from "@holdfast/vault";
import { createZstdCompressor } from "@holdfast/vault/node";
import { collectGarbage } from "../platform/collect-garbage.ts";
import { createStdin, type LoadedPlatform, loadPlatform, losses } from "../platform/index.ts";
import { ListingReader, ListingWriter } from "../state/listing.ts";
import { createExcludeRules } from "./excludes.ts";
import { createObjectStore, type ObjectStore, RunAborted } from "./object-store.ts";
import { runPackWorker } from "./pack-worker.ts";
import { PHASES, SharedRun } from "./shared-memory.ts";
import { createSourceTree } from "./source-tree.ts";
import { storeStdin } from "./stdin-source.ts";
import { Walker } from "./walker.ts";
import type { PackWorkerData, TreeMessage, WalkerData, WorkerMessage } from "./worker-data.ts";

type Post = (message: WorkerMessage) => void;

/** Runs a worker of the pipeline to its end. What breaks it aborts the run for all. */
export async function runPipelineWorker(data: PackWorkerData | WalkerData, post: Post): Promise<void> {
  const shared = new SharedRun(data.buffers);
  try {
    const loaded = await loadPlatform({ preferNative: data.preferNative });
    const compressor = await createZstdCompressor();
    const table = attachObjectTable(data.table);
    const { vault, keys, dryRun } = data;
    const storeOf = (packClass: PackClass): ObjectStore =>
      createObjectStore({ shared, table, compressor, random: createSystemRandom(), keys, vault, packClass, dryRun, post, collect: collectGarbage });
    if (data.role === "pack")
      runPackWorker({ shared, platform: loaded.platform, store: storeOf(PACK_CLASSES.content), chunkerKey: keys.chunker, collect: collectGarbage });
    else runWalker(data, shared, loaded, storeOf, post);
    post({ type: "ended" });
  } catch (error) {
    shared.setPhase(PHASES.abort);
    if (error instanceof RunAborted) post({ type: "ended" });
    else post({ type: "broken", ...describe(error) });
  }
}

function runWalker(data: WalkerData, shared: SharedRun, loaded: LoadedPlatform, storeOf: (packClass: PackClass) => ObjectStore, post: Post): void {
  const structure = storeOf(PACK_CLASSES.structure);
  let ownContent: ObjectStore | null = null;
  const content = (): ObjectStore => {
    ownContent ??= storeOf(PACK_CLASSES.content);
    return ownContent;
  };
  const needed = attachOrdinalSet(data.neededMemory);
  const disk = createNodeDisk();
  using previous = data.previousListing === null ? null : ListingReader.open(disk, data.previousListing);
  const listing = data.newListing === null ? null : new ListingWriter(disk, data.newListing, data.startedMs, data.keys.epoch);
  let flushCount = 0;
  /** Everything met so far lies in closed packs afterwards. */
  const settle = (walker: Walker): void => {
    walker.settle();
    ownContent?.flush();
    structure.flush();
    if (walker.hasWork) {
      shared.wantFlush();
      flushCount++;
      if (!shared.waitForFlushes(flushCount * data.workerCount)) throw new RunAborted();
    }
    if (walker.assembler.placeAll() > 0) throw new Error("walker: objects without a pack after a flush");
  };
  const message = (type: TreeMessage["type"], walker: Walker, root: TreeMessage["root"]): TreeMessage => {
    // The structure that closed a partial tree was stored just now: it lies in packs before the message goes.
    settle(walker);
    const neededBytes = Math.ceil(shared.packOrdinalEnd / 32) * 4;
    return { type, root, needed: new Uint8Array(needed.memory).slice(0, neededBytes), totals: { ...walker.assembler.totals } };
  };
  post({ type: "notes", losses: losses(loaded.platform.capabilities), fallbackReason: loaded.fallbackReason });
  let partialsTaken = 0;
  const walker: Walker = new Walker({
    shared,
    platform: loaded.platform,
    table: attachObjectTable(data.table),
    needed,
    splitSeed: splitSeedOf(data.keys.chunker),
    chunkerKey: data.keys.chunker,
    listing,
    structure,
    content,
    sources: createSourceTree(data.stdinName === null ? data.paths : []),
    previous: previous?.epoch === data.keys.epoch ? previous : null,
    excludes: createExcludeRules(data.excludes),
    excludeCaches: data.excludeCaches,
    excludeIfPresent: data.excludeIfPresent.map(utf8),
    oneFileSystem: data.oneFileSystem,
    excludeLargerThanBytes: data.excludeLargerThanBytes,
    collect: collectGarbage,
    onWork: () => post({ type: "work" }),
    onFailure: (path, reason) => post({ type: "failure", path, reason }),
    betweenFolders: () => {
      if (shared.phase === PHASES.abort) throw new RunAborted();
      if (shared.partialsWanted <= partialsTaken) return;
      partialsTaken = shared.partialsWanted;
      walker.settle();
      post(message("partial", walker, walker.assembler.partialRoot()));
    },
  });
  try {
    if (data.stdinName === null) walker.walk();
    else storeStdin(createStdin(), data.stdinName, data.startedMs, walker, content(), shared);
    listing?.close();
  } catch (error) {
    listing?.abandon();
    throw error;
  }
  post(message("walked", walker, walker.assembler.root as TreeMessage["root"]));
}

function describe(error: unknown): { code: string; message: string; stack: string } {
  const code = isFault(error) ? error.code : "internal";
  return error instanceof Error ? { code, message: error.message, stack: error.stack ?? "" } : { code, message: String(error), stack: "" };
}
