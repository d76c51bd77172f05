/** Threads that restore, and the same work without threads where handles of files cannot be shared between them. */
import type { Worker } from "node:worker_threads";
import { createThread } from "../pipeline/start-worker.ts";
import { createRestoreWorker } from "./restore-worker.ts";
import { type JobDone, type RestoreJob, type RestoreMessage, type RestoreRequest, type RestoreWorkerData, sendJob } from "./tasks.ts";

export interface RestoreThreads extends AsyncDisposable {
  /** Gives a job to the thread with the least to do. The buffers of `job` are given away. */
  run(job: Omit<RestoreJob, "type" | "job">): Promise<JobDone>;
}

/** Starts `count` threads; 0: jobs are done in the calling thread. */
export async function startRestoreThreads(data: RestoreWorkerData, count: number): Promise<RestoreThreads> {
  let nextJob = 0;
  if (count === 0) {
    const worker = await createRestoreWorker(data);
    return {
      run: (job) => worker.run({ ...job, type: "job", job: nextJob++ }),
      async [Symbol.asyncDispose]() {
        worker[Symbol.dispose]();
      },
    };
  }
  const threads = Array.from({ length: count }, () => new RestoreThread(data));
  return {
    run(job) {
      const least = threads.reduce((best, thread) => (thread.jobCount < best.jobCount ? thread : best));
      return least.run({ ...job, type: "job", job: nextJob++ });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map((thread) => thread.stop()));
    },
  };
}

interface Waiting {
  resolve(done: JobDone): void;
  reject(error: Error): void;
}

class RestoreThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ready: Promise<void>;
  readonly #ended: Promise<void>;
  #failure: Error | null = null;

  constructor(data: RestoreWorkerData) {
    this.#worker = createThread(data);
    let end = (): void => {};
    this.#ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#ready = new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#fail(error);
        reject(error);
        end();
      };
      this.#worker.on("message", (message: RestoreMessage) => {
        if (message.type === "ready") resolve();
        else if (message.type === "ended") end();
        else if (message.type === "done") this.#take(message);
        else fail(new Error(`restore worker: ${message.message}`, { cause: message.stack }));
      });
      this.#worker.on("error", fail);
      this.#worker.on("exit", () => fail(new Error("restore worker: ended")));
    });
    this.#ready.catch(() => {}); // Told to whoever gives a job.
  }

  get jobCount(): number {
    return this.#waiting.size;
  }

  run(job: RestoreJob): Promise<JobDone> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(job.job, { resolve, reject });
      this.#ready.then(
        () => {
          if (this.#failure !== null) reject(this.#failure);
          else this.#worker.postMessage(sendJob(job), buffersOf(job));
        },
        (error: Error) => reject(error),
      );
    });
  }

  /** Resolves when the thread has let go of all it held and is over. */
  async stop(): Promise<void> {
    const end: RestoreRequest = { type: "end" };
    await this.#ready.then(
      () => this.#worker.postMessage(end),
      () => {},
    );
    await this.#ended;
    await this.#worker.terminate();
  }

  #take(done: JobDone): void {
    const waiting = this.#waiting.get(done.job);
    this.#waiting.delete(done.job);
    waiting?.resolve(done);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Buffers that may be moved: those that hold nothing else. Others are copied. */
function buffersOf(job: RestoreJob): ArrayBuffer[] {
  const views = [job.tasks, ...(job.frame === null ? [] : [job.frame]), ...job.runs.map(({ bytes }) => bytes)];
  const buffers = views
    .filter((view) => view.buffer instanceof ArrayBuffer && view.byteLength === view.buffer.byteLength)
    .map((view) => view.buffer as ArrayBuffer);
  return [...new Set(buffers)];
}
