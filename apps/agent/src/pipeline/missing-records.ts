/** Records that the storage node turns out not to have: a fault that carries their ids. */
import { bytesToHex, Fault, hexToBytes, isFault } from "@holdfast/base";
import type { RecordId } from "@holdfast/protocol";

/** Ids that a fault carries at most. */
const LISTED_MAX = 1_000;

export function missingFault(ids: readonly RecordId[]): Fault {
  return new Fault("missing", "records: the storage node does not have them", { detail: { ids: ids.slice(0, LISTED_MAX).map(bytesToHex) } });
}

/** The record ids in a `missing` fault, or `null`. */
export function missingIds(error: unknown): Uint8Array[] | null {
  if (!isFault(error, "missing") || !Array.isArray(error.detail.ids)) return null;
  return (error.detail.ids as readonly string[]).map((id) => hexToBytes(id)).filter((id) => id !== null);
}
