/** Entry of the agent: the command line, or a worker's role. (Composition root; commands are registered in cli/.) */
import { isMainThread, workerData } from "node:worker_threads";

if (!isMainThread) {
  const { runWorker } = await import("./pipeline/worker-main.ts");
  await runWorker(workerData);
}
