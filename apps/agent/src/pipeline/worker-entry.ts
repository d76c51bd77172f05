/** Entry of worker threads when the agent runs from its sources; the built agent is its own entry (main.ts). */
import { workerData } from "node:worker_threads";
import { runWorker } from "./worker-main.ts";

await runWorker(workerData);
