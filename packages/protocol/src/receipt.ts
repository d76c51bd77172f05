/** Receipts (docs/format.md §16): the storage node's signed word on an entry and when it came. */
import { type Bytes, Fault } from "@holdfast/base";
import { decodeCanonical, encodeCanonical } from "./codec.ts";
import { encodeFrame, parseFrameOf, RECORD_KINDS } from "./frame.ts";
import { asRecordId, asVaultId, type RecordId, type VaultId } from "./id.ts";
import { JOURNAL_ENTRY_BYTES_MAX } from "./limits.ts";
import { takeBytes, takeFields, takeUint } from "./shape.ts";

/** What the node signs. */
export interface ReceiptPayload {
  readonly vault: VaultId;
  readonly seq: number;
  readonly entry: RecordId;
  /** By the node's clock. */
  readonly receivedMs: number;
  readonly previous: RecordId | null;
}

/** A receipt as it travels. */
export interface Receipt {
  readonly payload: ReceiptPayload;
  readonly payloadBytes: Bytes;
  readonly signature: Bytes;
}

/** Bytes that the node signs with use `receipt`. */
export function encodeReceiptPayload(payload: ReceiptPayload): Bytes {
  return encodeCanonical(
    new Map<number, string | number | Uint8Array | null>([
      [1, payload.vault],
      [2, payload.seq],
      [3, payload.entry],
      [4, payload.receivedMs],
      [5, payload.previous],
    ]),
  );
}

/** Frame of a receipt. */
export function encodeReceipt(payloadBytes: Uint8Array, signature: Uint8Array): Bytes {
  return encodeFrame(
    RECORD_KINDS.receipt,
    0,
    0,
    encodeCanonical(
      new Map([
        [1, payloadBytes],
        [2, signature],
      ]),
    ),
  );
}

/** The receipt in `frame`, its form checked and its signature not. */
export function parseReceipt(frame: Uint8Array): Receipt {
  if (frame.length > JOURNAL_ENTRY_BYTES_MAX) throw new Fault("limit", "receipt: too long");
  const outer = takeFields(decodeCanonical(parseFrameOf(RECORD_KINDS.receipt, frame).body), "receipt", [1, 2]);
  const payloadBytes = takeBytes(outer.get(1), "receipt payload");
  const fields = takeFields(decodeCanonical(payloadBytes), "receipt", [1, 2, 3, 4, 5]);
  const previous = fields.get(5);
  return {
    payload: {
      vault: asVaultId(takeBytes(fields.get(1), "receipt vault")),
      seq: takeUint(fields.get(2), "receipt seq"),
      entry: asRecordId(takeBytes(fields.get(3), "receipt entry")),
      receivedMs: takeUint(fields.get(4), "receipt time"),
      previous: previous === null ? null : asRecordId(takeBytes(previous, "receipt previous")),
    },
    payloadBytes,
    signature: takeBytes(outer.get(2), "receipt signature", 64),
  };
}
