/** The store as the rest of the program sees it: typed calls to the writer and the reader worker. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Bytes } from "@holdfast/base";
import type { ReaderMethods } from "./reader-worker.ts";
import { type Caller, type CallPort, createCaller } from "./worker-call.ts";
import type { WriterMethods, WriterOptions } from "./writer-worker.ts";

export interface StoreOptions {
  /** Holds catalog.db and vaults/; created when missing. One process at a time: see ownership.ts. */
  readonly folder: string;
  readonly nodeSeed: Bytes;
  /** Free bytes below which uploads are refused, so that deleting and committing still work. */
  readonly reserveBytes?: number;
  readonly segmentBytesMax?: number;
}

export interface Store {
  readonly writer: Caller<WriterMethods>;
  readonly reader: Caller<ReaderMethods>;
  /** Rejects when a worker dies: nothing can be stored any more. */
  readonly failed: Promise<never>;
  /** Finishes what is under way, checkpoints and closes. */
  close(): Promise<void>;
}

export const RESERVE_BYTES_DEFAULT: number = 512 * 1024 * 1024;
export const SEGMENT_BYTES_MAX: number = 32 * 1024 * 1024 * 1024;

/** Opens the databases under `folder`. */
export async function openStore(options: StoreOptions): Promise<Store> {
  mkdirSync(join(options.folder, "vaults"), { recursive: true, mode: 0o700 });
  const writerOptions: WriterOptions = {
    folder: options.folder,
    nodeSeed: options.nodeSeed,
    reserveBytes: options.reserveBytes ?? RESERVE_BYTES_DEFAULT,
    segmentBytesMax: options.segmentBytesMax ?? SEGMENT_BYTES_MAX,
  };
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined); // Whoever wants to know awaits it.
  const writer = startWorker<WriterMethods>("./writer-worker.ts", writerOptions, failure.reject);
  // The catalog must be there before a reader can open it.
  await writer.caller.call("ready", []);
  const reader = startWorker<ReaderMethods>("./reader-worker.ts", { folder: options.folder }, failure.reject);
  return {
    writer: writer.caller,
    reader: reader.caller,
    failed: failure.promise,
    async close() {
      await reader.stop();
      await writer.stop();
    },
  };
}

function startWorker<Calls extends { close: () => Promise<void> } & Record<string, (...args: never[]) => unknown>>(
  file: string,
  workerData: unknown,
  onFailure: (error: Error) => void,
): { caller: Caller<Calls>; stop: () => Promise<void> } {
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  const caller = createCaller<Calls>(worker as unknown as CallPort);
  let stopping = false;
  const fail = (error: Error): void => {
    if (stopping) return;
    caller.fail(error);
    onFailure(error);
  };
  worker.on("error", fail);
  worker.on("exit", () => fail(new Error(`store: ${file} ended`)));
  return {
    caller,
    async stop() {
      await caller.call("close", [] as unknown as Parameters<Calls["close"]>);
      stopping = true;
      await worker.terminate();
    },
  };
}
