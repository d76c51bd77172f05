/** Worker of object-table.test.ts: claims ids 0 … `count` − 1 as fast as it can and says which ones were new to it. */
import { parentPort, workerData } from "node:worker_threads";
import { attachObjectTable, OBJECT_NEW } from "../object-table.ts";

const { memory, gate, count, step } = workerData as { memory: SharedArrayBuffer; gate: SharedArrayBuffer; count: number; step: number };
const table = attachObjectTable(memory);
const id = new Uint8Array(32);
const view = new DataView(id.buffer);
const claimed: number[] = [];
parentPort?.postMessage("ready");
Atomics.wait(new Int32Array(gate), 0, 0);
for (let index = 0; index < count; index++) {
  const number = (index * step) % count;
  view.setUint32(0, Math.imul(number, 0x9e3779b1));
  view.setUint32(12, number);
  if (table.claim(id) === OBJECT_NEW) claimed.push(number);
}
parentPort?.postMessage(Int32Array.from(claimed));
