/** The agent's composition root: the command line, or, in a thread that another part started, that worker's role. */
import { isMainThread, workerData } from "node:worker_threads";

if (isMainThread) {
  const { runCommandLine } = await import("./cli/start-node.ts");
  await runCommandLine();
} else {
  const { runWorker } = await import("./pipeline/worker-main.ts");
  await runWorker(workerData);
}
