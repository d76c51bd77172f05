/** What a thread of this program does when it is not the first: its role is in its data. */
import { parentPort } from "node:worker_threads";
import { assert } from "@holdfast/base";
import { type RestoreWorkerData, runRestoreWorker } from "../restore/restore-worker.ts";
import { runPipelineWorker } from "./pipeline-worker.ts";
import type { PackWorkerData, WalkerData } from "./worker-data.ts";

export type WorkerData = PackWorkerData | WalkerData | RestoreWorkerData;

export async function runWorker(data: WorkerData): Promise<void> {
  const port = parentPort;
  assert(port !== null, "worker: has a parent");
  if (data.role === "pack" || data.role === "walker") await runPipelineWorker(data, (message) => port.postMessage(message));
  else await runRestoreWorker(data);
}
