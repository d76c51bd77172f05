/** Storing one small record under a lease of its own. */
import { sha256 } from "@holdfast/crypto";
import { asLeaseId, asRecordId, encodeFrame, RECORD_KINDS, type RecordId, type RecordStore } from "@holdfast/protocol";

/** Stores `frame` and resolves with its id once it is durable. */
export async function putFrame(store: RecordStore, frame: Uint8Array): Promise<RecordId> {
  const { lease } = await store.lease(null);
  const id = asRecordId(sha256(frame));
  await store.put([{ id, parts: [frame] }], asLeaseId(lease));
  return id;
}

/** Stores a slot's record. */
export function putSlot(store: RecordStore, body: Uint8Array): Promise<RecordId> {
  return putFrame(store, encodeFrame(RECORD_KINDS.slot, 0, 0, body));
}
