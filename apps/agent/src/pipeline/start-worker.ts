/** Starts a worker thread of this program. One built file serves all roles: the entry looks at `workerData.role`. */
import { Worker } from "node:worker_threads";

export interface RunningWorker {
  /** Resolves when the thread is over, whatever it did. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param data - Has a `role`; survives a structured clone.
 * @param onMessage - Gets every message.
 * @param onError - The thread broke without saying so itself.
 */
export function startWorker<Message>(data: { readonly role: string }, onMessage: (message: Message) => void, onError: (error: Error) => void): RunningWorker {
  const worker = createThread(data);
  worker.on("message", onMessage);
  worker.on("error", onError);
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  return {
    exited,
    async stop() {
      await worker.terminate();
    },
  };
}

/** V8's default young generation, 48 MB a thread, is for programs that allocate; these work in buffers. Others take no notice. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4 };

/** A thread of this program that runs the role in `data`. */
export function createThread(data: { readonly role: string }): Worker {
  return new Worker(workerEntry(), { workerData: data, resourceLimits: RESOURCE_LIMITS });
}

/** The built agent is one file, and so its own worker entry; from sources it is worker-entry.ts. */
function workerEntry(): URL {
  // A computed name: the bundler must not take it for a file to ship.
  const fromSources = ["worker-entry", "ts"].join(".");
  return import.meta.url.endsWith("/start-worker.ts") ? new URL(fromSources, import.meta.url) : new URL(import.meta.url);
}
