import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@holdfast/base";
import { aes256Gcm } from "@holdfast/crypto";
import type { RecordId, RecordStore } from "@holdfast/protocol";
import { testId } from "@holdfast/testkit";
import { PACK_CLASSES } from "@holdfast/vault";
import { fetchPack, planRuns } from "./pack-fetcher.ts";

const MIB = 1024 * 1024;
const PLAIN_BYTES = 8 * MIB;
const PACK = {
  recordId: testId("pack") as unknown as RecordId,
  packClass: PACK_CLASSES.content,
  plainBytes: PLAIN_BYTES,
  frameBytes: aes256Gcm.sealedBytes(PLAIN_BYTES) + 10,
};

describe("planRuns", () => {
  it("takes whole blocks, the first always among them", () => {
    assert.deepEqual(planRuns(PACK, [{ offset: 10_000, storedBytes: 5 }]), [{ start: 0, end: MIB }]);
    assert.deepEqual(planRuns(PACK, [{ offset: 5 * MIB, storedBytes: 5 }]), [
      { start: 0, end: MIB },
      { start: 5 * MIB, end: 6 * MIB },
    ]);
    // The segment of the last byte begins in one block and ends in the next.
    assert.deepEqual(planRuns(PACK, [{ offset: PLAIN_BYTES - 1, storedBytes: 1 }])?.at(-1), { start: 7 * MIB, end: PACK.frameBytes });
  });

  it("joins blocks that touch", () => {
    assert.deepEqual(
      planRuns(PACK, [
        { offset: MIB, storedBytes: 1 },
        { offset: 2 * MIB, storedBytes: 1 },
      ]),
      [{ start: 0, end: 3 * MIB }],
    );
  });

  it("says whole when half of the pack is needed, or an index contradicts itself", () => {
    assert.equal(planRuns(PACK, [{ offset: 0, storedBytes: 5 * MIB }]), null);
    assert.equal(planRuns({ ...PACK, frameBytes: PACK.frameBytes + 100 }, []), null);
    assert.equal(planRuns(PACK, [{ offset: PLAIN_BYTES, storedBytes: 1 }]), null);
  });
});

describe("fetchPack", () => {
  const store = (get: () => Promise<never | null>) => ({ get, getRange: get }) as unknown as RecordStore;

  it("makes a missing or damaged pack the fault of what it returns", async () => {
    assert.equal(
      (
        await fetchPack(
          store(async () => null),
          PACK,
          [],
        )
      ).fault?.code,
      "missing",
    );
    const damaged = store(() => Promise.reject(new Fault("integrity", "record: does not hash to its id")));
    assert.equal((await fetchPack(damaged, PACK, [])).fault?.code, "integrity");
  });

  it("throws what is wrong with the connection", async () => {
    await assert.rejects(
      fetchPack(
        store(() => Promise.reject(new Fault("transport", "network: gone"))),
        PACK,
        [],
      ),
      { name: "Fault", code: "transport" },
    );
  });
});
