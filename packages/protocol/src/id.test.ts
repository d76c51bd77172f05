import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "@holdfast/base";
import { asAccountId, asDeviceId, asLeaseId, asLineId, asObjectId, asRecordId, asVaultId, idFromHex, shortHex, splitRecordIds } from "./id.ts";

describe("ids", () => {
  for (const [as, length] of [
    [asVaultId, 16],
    [asAccountId, 16],
    [asDeviceId, 16],
    [asLeaseId, 16],
    [asRecordId, 32],
    [asObjectId, 32],
    [asLineId, 32],
  ] as const) {
    it(`of ${length} bytes are taken at their length only`, () => {
      const bytes = new Uint8Array(length).fill(3);
      assert.equal(as(bytes), bytes);
      for (const wrong of [0, length - 1, length + 1])
        assert.throws(
          () => as(new Uint8Array(wrong)),
          (error) => isFault(error, "format"),
        );
    });
  }

  it("come from hex in either case", () => {
    assert.deepEqual(idFromHex("AB".repeat(16), asVaultId, "vault"), new Uint8Array(16).fill(0xab));
    for (const wrong of ["zz".repeat(16), "a".repeat(31)])
      assert.throws(
        () => idFromHex(wrong, asVaultId, "vault"),
        (error) => isFault(error, "input"),
      );
    assert.throws(
      () => idFromHex("ab", asVaultId, "vault"),
      (error) => isFault(error, "format"),
    );
  });

  it("split where they were joined, into memory of their own", () => {
    const joined = new Uint8Array(96).map((_, index) => index >> 5);
    const ids = splitRecordIds(joined);
    joined.fill(9);
    assert.deepEqual(
      ids.map((id) => [id.length, id[0]]),
      [
        [32, 0],
        [32, 1],
        [32, 2],
      ],
    );
    assert.deepEqual(splitRecordIds(new Uint8Array(0)), []);
    assert.throws(
      () => splitRecordIds(new Uint8Array(33)),
      (error) => isFault(error, "format"),
    );
  });

  it("are shown by their first four bytes", () => {
    assert.equal(shortHex(Uint8Array.of(0, 1, 0xab, 0xff, 5)), "0001abff");
  });
});
