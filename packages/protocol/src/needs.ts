/** Digest of a set of record ids, as `needs` carries it (docs/format.md §15). */
import { type Bytes, compareBytes, Fault, joinBytes } from "@holdfast/base";
import type { RecordId } from "./id.ts";
import type { Needs } from "./journal-entry.ts";
import type { Verifier } from "./journal-state.ts";

/** SHA-256 over the ids, ascending and joined. */
export function digestRecordIds(ids: readonly Uint8Array[], sha256: Verifier["sha256"]): Bytes {
  return sha256(joinBytes([...ids].sort(compareBytes)));
}

/** Refuses additions and drops that do not have the digests that `needs` signs, and ids that come twice. */
export function checkNeedsDigests(needs: Needs, additions: readonly RecordId[], drops: readonly RecordId[], sha256: Verifier["sha256"]): void {
  for (const [ids, want] of [
    [additions, needs.additionsDigest],
    [drops, needs.dropsDigest],
  ] as const) {
    const sorted = [...ids].sort(compareBytes);
    if (sorted.some((id, index) => index > 0 && compareBytes(id, sorted[index - 1] as RecordId) === 0))
      throw new Fault("format", "needs: a record id comes twice");
    if (compareBytes(sha256(joinBytes(sorted)), want) !== 0) throw new Fault("integrity", "needs: ids do not match their digest");
  }
}

/**
 * Refuses a needs whose count is not that of its base with the additions and without the drops; without a base nothing can be dropped.
 * `baseCount` is the count of the base's needs, or null without one.
 */
export function checkNeedsCount(needs: Needs, baseCount: number | null, additionCount: number, dropCount: number): void {
  if (baseCount === null && dropCount > 0) throw new Fault("format", "needs: drops without a base");
  const want = (baseCount ?? 0) + additionCount - dropCount;
  if (needs.count !== want) throw new Fault("integrity", `needs: got a count of ${needs.count}, want ${want}`);
}
