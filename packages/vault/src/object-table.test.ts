import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { createSeededRandom } from "@holdfast/testkit";
import { attachObjectTable, createObjectTable, OBJECT_NEW, OBJECT_PENDING } from "./object-table.ts";

const random = createSeededRandom(46);
const anyId = (): Uint8Array => random.bytes(32);

describe("object table", () => {
  it("gives an object to the first who claims it", () => {
    const table = createObjectTable(100, 100);
    const id = anyId();
    assert.equal(table.find(id), OBJECT_NEW);
    assert.equal(table.claim(id), OBJECT_NEW);
    assert.equal(table.claim(id), OBJECT_PENDING);
    assert.equal(attachObjectTable(table.memory).find(id), OBJECT_PENDING);
    table.set(id, 0);
    assert.equal(table.claim(id), 0);
    table.set(id, 2_000_000);
    assert.equal(table.find(id), 2_000_000);
    assert.equal(table.objectCount, 1);
  });

  it("lets an abandoned object be claimed again, and only a pending one be abandoned", () => {
    const table = createObjectTable(100, 100);
    const [pending, stored] = [anyId(), anyId()];
    table.claim(pending);
    table.set(stored, 5);
    for (const id of [pending, stored, anyId()]) table.abandon(id);
    assert.equal(table.find(pending), OBJECT_NEW);
    assert.equal(table.claim(pending), OBJECT_NEW);
    assert.equal(table.claim(pending), OBJECT_PENDING);
    assert.equal(table.claim(stored), 5);
  });

  it("tells ids apart by their first 16 bytes only", () => {
    const table = createObjectTable(100, 100);
    const id = anyId();
    table.set(id, 1);
    for (let bit = 0; bit < 128; bit++) {
      const other = id.slice();
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7));
      assert.equal(table.find(other), OBJECT_NEW);
    }
  });

  it("grows far beyond what was expected and keeps everything", () => {
    const table = createObjectTable(10, 200_000);
    const ids = Array.from({ length: 100_000 }, anyId);
    for (const [ordinal, id] of ids.entries()) table.set(id, ordinal);
    for (const [ordinal, id] of ids.entries()) assert.equal(table.find(id), ordinal);
    assert.equal(table.objectCount, 100_000);
    for (let round = 0; round < 10_000; round++) assert.equal(table.find(anyId()), OBJECT_NEW);
  });

  it("says limit when it is full, and still knows what it has", () => {
    const table = createObjectTable(10, 10);
    const ids: Uint8Array[] = [];
    assert.throws(
      () => {
        for (;;) {
          const id = anyId();
          table.claim(id);
          ids.push(id);
        }
      },
      { name: "Fault", code: "limit" },
    );
    assert.ok(ids.length >= 10);
    for (const id of ids) assert.equal(table.claim(id), OBJECT_PENDING);
  });

  it("gives each object to one of several workers that claim all of them at once", async () => {
    const count = 120_000;
    const table = createObjectTable(200_000, 200_000);
    const gate = new SharedArrayBuffer(4);
    const workers = [1, 7, 11].map(
      (step) => new Worker(new URL("./testing/claiming-worker.ts", import.meta.url), { workerData: { memory: table.memory, gate, count, step } }),
    );
    await Promise.all(workers.map((worker) => once(worker, "message")));
    const answers = workers.map((worker) => once(worker, "message"));
    Atomics.store(new Int32Array(gate), 0, 1);
    Atomics.notify(new Int32Array(gate), 0);
    const owners = new Uint8Array(count);
    for (const [claimed] of await Promise.all(answers)) for (const number of claimed as Int32Array) owners[number] = (owners[number] as number) + 1;
    await Promise.all(workers.map((worker) => worker.terminate()));
    assert.ok(owners.every((ownerCount) => ownerCount === 1));
    assert.equal(table.objectCount, count);
  });
});
