/**
 * The set of records that a snapshot needs (docs/format.md §15). It is counted by marking the pack of every object of the
 * new snapshot, never by subtraction, and travels as the difference to the set of an older snapshot.
 * A set of records is their ids ascending, each once, joined: 32 bytes each.
 */
import { type Bytes, compareBytes, copyBytes, equalBytes, Fault, joinBytes } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { ID_BYTES, NEEDS_IDS_MAX, type Needs, type RecordId } from "@holdfast/protocol";

/** Pack ordinals that have been marked; several workers may mark at once. */
export interface OrdinalSet {
  readonly memory: SharedArrayBuffer;
  add(ordinal: number): void;
  has(ordinal: number): boolean;
  readonly count: number;
  /** Marked ordinals, ascending. */
  ordinals(): Generator<number>;
}

/** A set that can hold ordinals below `ordinalEnd`. */
export function createOrdinalSet(ordinalEnd: number): OrdinalSet {
  return attachOrdinalSet(new SharedArrayBuffer(Math.ceil(ordinalEnd / 32) * 4));
}

/** The same set in another worker. */
export function attachOrdinalSet(memory: SharedArrayBuffer): OrdinalSet {
  const words = new Int32Array(memory);
  const has = (ordinal: number): boolean => ((Atomics.load(words, ordinal >>> 5) >>> (ordinal & 31)) & 1) === 1;
  return {
    memory,
    has,
    add(ordinal) {
      if (!has(ordinal)) Atomics.or(words, ordinal >>> 5, 1 << (ordinal & 31));
    },
    get count() {
      let count = 0;
      for (let word = 0; word < words.length; word++) for (let bits = Atomics.load(words, word); bits !== 0; bits &= bits - 1) count++;
      return count;
    },
    *ordinals() {
      for (let word = 0; word < words.length; word++) {
        if (Atomics.load(words, word) === 0) continue;
        for (let ordinal = word * 32; ordinal < word * 32 + 32; ordinal++) if (has(ordinal)) yield ordinal;
      }
    },
  };
}

/** The base that a difference is taken to. */
export interface NeedsBase {
  readonly entryId: RecordId;
  /** Its full set. */
  readonly set: Uint8Array;
}

/** `needs` for the journal entry, and the ids that travel beside it. */
export interface NeedsDifference {
  readonly needs: Needs;
  readonly additions: Bytes;
  readonly drops: Bytes;
}

/** The set of `ids`, which may come in any order and more than once. */
export function recordSetOf(ids: Iterable<Uint8Array>): Bytes {
  const sorted = [...ids].sort(compareBytes);
  return joinBytes(sorted.filter((id, index) => index === 0 || !equalBytes(id, sorted[index - 1] as Uint8Array)));
}

/** What the snapshot with the full `set` says of it. More ids than may travel: `limit`. */
export function needsOf(set: Uint8Array, base: NeedsBase | null): NeedsDifference {
  const additions = base === null ? copyBytes(set) : subtract(set, base.set);
  const drops = base === null ? new Uint8Array(0) : subtract(base.set, set);
  for (const ids of [additions, drops]) {
    if (ids.length > NEEDS_IDS_MAX * ID_BYTES) throw new Fault("limit", `needs: ${ids.length / ID_BYTES} ids differ, want at most ${NEEDS_IDS_MAX}`);
  }
  const needs: Needs = { base: base?.entryId ?? null, count: set.length / ID_BYTES, additionsDigest: sha256(additions), dropsDigest: sha256(drops) };
  return { needs, additions: additions as Bytes, drops: drops as Bytes };
}

/** The full set, from the set of the base and ids that have been fetched. Ids that `needs` does not sign, or that contradict the base: `integrity`. */
export function applyNeeds(needs: Needs, baseSet: Uint8Array, additions: Uint8Array, drops: Uint8Array): Bytes {
  const kept = subtract(baseSet, drops);
  const dropCount = (baseSet.length - kept.length) / ID_BYTES;
  const set = recordSetOf([...idsOf(kept), ...idsOf(additions)]);
  const isWhole = dropCount === drops.length / ID_BYTES && set.length === kept.length + additions.length && set.length === needs.count * ID_BYTES;
  if (!isWhole || !equalBytes(sha256(additions), needs.additionsDigest) || !equalBytes(sha256(drops), needs.dropsDigest)) {
    throw new Fault("integrity", "needs: ids do not match");
  }
  return set;
}

/** Whether the set holds `id`. */
export function hasRecord(set: Uint8Array, id: Uint8Array): boolean {
  let low = 0;
  let high = set.length / ID_BYTES;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compareBytes(set.subarray(middle * ID_BYTES, (middle + 1) * ID_BYTES), id);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}

/** Ids of a set, as views. */
export function* idsOf(set: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < set.length; at += ID_BYTES) yield set.subarray(at, at + ID_BYTES);
}

/** Ids of `left` that are not in `right`, both sets. */
function subtract(left: Uint8Array, right: Uint8Array): Bytes {
  const difference = new Uint8Array(left.length);
  let length = 0;
  let rightAt = 0;
  for (const id of idsOf(left)) {
    let order = 1;
    while (rightAt < right.length) {
      order = compareBytes(right.subarray(rightAt, rightAt + ID_BYTES), id);
      if (order >= 0) break;
      rightAt += ID_BYTES;
    }
    if (rightAt < right.length && order === 0) continue;
    difference.set(id, length);
    length += ID_BYTES;
  }
  return difference.slice(0, length);
}
