import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, equalBytes, type FaultCode, isFault } from "@holdfast/base";
import { damages, testId, testKey, testVerifier } from "@holdfast/testkit";
import { encodeCanonical } from "./codec.ts";
import { encodeFrame, RECORD_KINDS } from "./frame.ts";
import { asRecordId, asVaultId } from "./id.ts";
import { verifyReceipt } from "./journal-state.ts";
import { encodeReceipt, encodeReceiptPayload, parseReceipt, type ReceiptPayload } from "./receipt.ts";

const node = testKey(9);
const PAYLOAD: ReceiptPayload = {
  vault: testKey(1).vaultId,
  seq: 3,
  entry: asRecordId(testId("entry")),
  receivedMs: 1_760_000_000_123,
  previous: asRecordId(testId("previous")),
};
const signed = (payload: ReceiptPayload): Uint8Array => {
  const bytes = encodeReceiptPayload(payload);
  return encodeReceipt(bytes, node.sign("receipt", bytes));
};
const faultOf = (code: FaultCode) => (error: unknown) => isFault(error, code);

describe("receipts", () => {
  it("come back as they went, with and without one before", () => {
    for (const previous of [PAYLOAD.previous, null]) {
      const payload = { ...PAYLOAD, previous };
      const frame = signed(payload);
      assert.deepEqual(parseReceipt(frame).payload, payload);
      const { receipt } = verifyReceipt(frame, node.publicKey, payload, testVerifier);
      assert.deepEqual(receipt, testVerifier.sha256(frame));
    }
  });

  it("are refused for another vault, seq, entry or receipt before", () => {
    const frame = signed(PAYLOAD);
    const others: Partial<ReceiptPayload>[] = [
      { vault: testKey(2).vaultId },
      { seq: 2 },
      { seq: 4 },
      { entry: asRecordId(testId("other")) },
      { previous: asRecordId(testId("other")) },
      { previous: null },
    ];
    for (const other of others)
      assert.throws(() => verifyReceipt(frame, node.publicKey, { ...PAYLOAD, ...other }, testVerifier), faultOf("integrity"), Object.keys(other)[0]);
    assert.throws(() => verifyReceipt(signed({ ...PAYLOAD, previous: null }), node.publicKey, PAYLOAD, testVerifier), faultOf("integrity"));
  });

  it("are refused when another key signed, or the node signed for another use", () => {
    const frame = signed(PAYLOAD);
    assert.throws(() => verifyReceipt(frame, testKey(10).publicKey, PAYLOAD, testVerifier), faultOf("integrity"));
    const bytes = encodeReceiptPayload(PAYLOAD);
    assert.throws(() => verifyReceipt(encodeReceipt(bytes, node.sign("journal", bytes)), node.publicKey, PAYLOAD, testVerifier), faultOf("integrity"));
  });

  it("of one seq that differ prove a fork: both verify, their ids are not the same", () => {
    const one = verifyReceipt(signed(PAYLOAD), node.publicKey, PAYLOAD, testVerifier);
    const payload = { ...PAYLOAD, entry: asRecordId(testId("other entry")) };
    const two = verifyReceipt(signed(payload), node.publicKey, payload, testVerifier);
    assert.equal(one.parsed.payload.seq, two.parsed.payload.seq);
    assert.ok(!equalBytes(one.receipt, two.receipt));
  });

  it("are refused with any bit flipped, cut anywhere or with a byte more", () => {
    for (const damage of damages(signed(PAYLOAD)))
      assert.throws(
        () => verifyReceipt(damage.bytes, node.publicKey, PAYLOAD, testVerifier),
        (error) => isFault(error),
        damage.name,
      );
  });

  it("are refused when their form is wrong", () => {
    const bytes = encodeReceiptPayload(PAYLOAD);
    const signature = node.sign("receipt", bytes);
    const wrap = (map: ReadonlyMap<number, Uint8Array>): Uint8Array => encodeFrame(RECORD_KINDS.receipt, 0, 0, encodeCanonical(map));
    const wrong = [
      wrap(new Map([[1, bytes]])),
      wrap(
        new Map([
          [1, bytes],
          [2, signature.slice(1)],
        ]),
      ),
      wrap(
        new Map([
          [1, bytes],
          [2, signature],
          [3, signature],
        ]),
      ),
      wrap(
        new Map([
          [1, encodeCanonical(new Map([[1, PAYLOAD.vault]]))],
          [2, signature],
        ]),
      ),
      signed({ ...PAYLOAD, vault: asVaultId(new Uint8Array(16)), entry: new Uint8Array(31) as never }),
      signed({ ...PAYLOAD, seq: -1 }),
    ];
    for (const frame of wrong) assert.throws(() => parseReceipt(frame), faultOf("format"), bytesToHex(frame));
    assert.throws(() => parseReceipt(encodeFrame(RECORD_KINDS.journalEntry, 0, 0, new Uint8Array(1))), faultOf("integrity"));
    assert.throws(() => parseReceipt(new Uint8Array(65_537)), faultOf("limit"));
  });
});
