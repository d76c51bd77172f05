/**
 * The objects that need not be stored again, shared by all workers of a run: a hash table in shared memory that several
 * threads read and fill at once without locks.
 *
 * Memory: 64 header words (number of open regions, then entries per region) ‖ regions of doubling size. A slot is 5 words:
 * the first 16 bytes of the object id, then a state. A new region opens when the last one is 3/4 full, so nothing ever
 * moves. Two workers may both store an object only when a
 * region opens between their two looks: that costs space, never data.
 *
 * The buffer grows with its regions. Made at its longest at once it would cost no memory either, but a collector counts
 * its length as memory in use, and then sees no reason to collect anything else.
 */
import { assert, Fault } from "@holdfast/base";

/** What `claim` and `find` say when there is no pack ordinal. */
export const OBJECT_NEW = -1;
/** Claimed by a worker in this run and not yet in a closed pack. */
export const OBJECT_PENDING = -2;

/** 16 bytes that are equal by chance for two of 10^9 objects once in 10^20 vaults. */
const KEY_WORDS = 4;
const SLOT_WORDS = KEY_WORDS + 1;
const HEADER_WORDS = 64;
const REGIONS_MAX = HEADER_WORDS - 2;
const FIRST_REGION_SLOTS_MIN = 1 << 14;
const LOAD_MAX = 0.75;
/** The last region may fill up to this share before the table says `limit`. */
const LAST_LOAD_MAX = 0.95;

const EMPTY = 0;
/** Its key is being written: wait a moment. */
const BUSY = 1;
const PENDING = 2;
/** The key stands, the object does not: its pack was given up. */
const ABANDONED = 3;
const ORDINAL_BASE = 4;

export interface ObjectTable {
  /** To hand to other workers, which `attachObjectTable` it. */
  readonly memory: SharedArrayBuffer;
  /** Objects in the table, abandoned ones included. */
  readonly objectCount: number;
  /** Takes the object for this worker: `OBJECT_NEW` means it is yours to store; else its pack ordinal or `OBJECT_PENDING`. */
  claim(objectId: Uint8Array): number;
  /** Its pack ordinal, `OBJECT_PENDING`, or `OBJECT_NEW` when it is not known. Changes nothing. */
  find(objectId: Uint8Array): number;
  /** The object lies in pack `ordinal`, of a durable index or of this run. Replaces what was known. */
  set(objectId: Uint8Array, ordinal: number): void;
  /** Gives a pending object up, so that it can be claimed again. */
  abandon(objectId: Uint8Array): void;
}

/** A table in fresh memory: one region for `objectsExpected`, more of them up to `objectsMax`. */
export function createObjectTable(objectsExpected: number, objectsMax: number): ObjectTable {
  let regionSlots = FIRST_REGION_SLOTS_MIN;
  while (regionSlots * LOAD_MAX < objectsExpected) regionSlots *= 2;
  const sizes = [regionSlots];
  for (let room = regionSlots * LOAD_MAX; room < objectsMax; room += regionSlots * LOAD_MAX) {
    regionSlots *= 2;
    sizes.push(regionSlots);
  }
  assert(sizes.length <= REGIONS_MAX, "object table: has few regions");
  const slotCount = sizes.reduce((sum, slots) => sum + slots, 0);
  const bytesOf = (slots: number): number => (HEADER_WORDS + slots * SLOT_WORDS) * 4;
  const memory = new SharedArrayBuffer(bytesOf(sizes[0] as number), { maxByteLength: bytesOf(slotCount) });
  const header = new Int32Array(memory, 0, HEADER_WORDS);
  header[0] = 1;
  header[HEADER_WORDS - 1] = sizes[0] as number;
  return attachObjectTable(memory);
}

/** The same table in another worker. */
export function attachObjectTable(memory: SharedArrayBuffer): ObjectTable {
  return new SharedObjectTable(memory);
}

interface Region {
  readonly firstWord: number;
  readonly mask: number;
  /** Header word with the number of its entries. */
  readonly countWord: number;
  readonly entriesMax: number;
}

class SharedObjectTable implements ObjectTable {
  readonly memory: SharedArrayBuffer;
  /** All that was there when this thread last looked: a view of fixed length, which is several times faster than one that follows the buffer. */
  #words: Int32Array;
  readonly #regions: readonly Region[];
  readonly #key = new Int32Array(KEY_WORDS);

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = viewOf(memory);
    this.#regions = regionsOf(this.#words[HEADER_WORDS - 1] as number, memory.maxByteLength / 4);
  }

  get objectCount(): number {
    return this.#regions.reduce((sum, region) => sum + Atomics.load(this.#words, region.countWord), 0);
  }

  claim(objectId: Uint8Array): number {
    const at = this.#findOrAdd(objectId, PENDING);
    if (at < 0) return OBJECT_NEW;
    const state = Atomics.load(this.#words, at);
    if (state === ABANDONED && Atomics.compareExchange(this.#words, at, ABANDONED, PENDING) === ABANDONED) return OBJECT_NEW;
    return ordinalOf(Atomics.load(this.#words, at));
  }

  find(objectId: Uint8Array): number {
    const at = this.#findSlot(objectId);
    return at === -1 ? OBJECT_NEW : ordinalOf(Atomics.load(this.#words, at));
  }

  set(objectId: Uint8Array, ordinal: number): void {
    const at = this.#findOrAdd(objectId, ORDINAL_BASE + ordinal);
    if (at >= 0) Atomics.store(this.#words, at, ORDINAL_BASE + ordinal);
  }

  abandon(objectId: Uint8Array): void {
    const at = this.#findSlot(objectId);
    if (at !== -1) Atomics.compareExchange(this.#words, at, PENDING, ABANDONED);
  }

  /** State word of the slot of `objectId`, or -1. */
  #findSlot(objectId: Uint8Array): number {
    this.#loadKey(objectId);
    const openCount = this.#openCount();
    for (let index = 0; index < openCount; index++) {
      const at = this.#probe(this.#regions[index] as Region, EMPTY);
      if (at >= 0) return at;
    }
    return -1;
  }

  /** State word of the slot of `objectId`, or -1 when it was not there and has been added with `state`. */
  #findOrAdd(objectId: Uint8Array, state: number): number {
    const found = this.#findSlot(objectId);
    if (found !== -1) return found;
    const region = this.#lastRegion();
    const at = this.#probe(region, state);
    if (at < 0) Atomics.add(this.#words, region.countWord, 1);
    return at;
  }

  /** Number of open regions, with the view over all of them. */
  #openCount(): number {
    const openCount = Atomics.load(this.#words, 0);
    const last = this.#regions[openCount - 1] as Region;
    if (last.firstWord >= this.#words.length) this.#words = viewOf(this.memory);
    return openCount;
  }

  #lastRegion(): Region {
    const openCount = this.#openCount();
    const last = this.#regions[openCount - 1] as Region;
    if (Atomics.load(this.#words, last.countWord) < last.entriesMax) return last;
    const next = this.#regions[openCount];
    if (next !== undefined) {
      growTo(this.memory, (next.firstWord + (next.mask + 1) * SLOT_WORDS) * 4);
      Atomics.compareExchange(this.#words, 0, openCount, openCount + 1);
      this.#openCount();
      return next;
    }
    if (Atomics.load(this.#words, last.countWord) >= (last.mask + 1) * LAST_LOAD_MAX) throw new Fault("limit", "object table: full");
    return last;
  }

  /** State word of the slot with the loaded key, or -1 when there is none: then, unless `newState` is `EMPTY`, it has been added. */
  #probe(region: Region, newState: number): number {
    const words = this.#words;
    const key = this.#key;
    for (let slot = (key[0] as number) & region.mask; ; slot = (slot + 1) & region.mask) {
      const keyAt = region.firstWord + slot * SLOT_WORDS;
      const at = keyAt + KEY_WORDS;
      let state = Atomics.load(words, at);
      if (state === EMPTY) {
        if (newState === EMPTY) return -1;
        if (Atomics.compareExchange(words, at, EMPTY, BUSY) === EMPTY) {
          words.set(key, keyAt);
          Atomics.store(words, at, newState);
          return -1;
        }
      }
      while (state <= BUSY) state = Atomics.load(words, at);
      if (words[keyAt] === key[0] && words[keyAt + 1] === key[1] && words[keyAt + 2] === key[2] && words[keyAt + 3] === key[3]) return at;
    }
  }

  #loadKey(objectId: Uint8Array): void {
    for (let word = 0; word < KEY_WORDS; word++) {
      const at = word * 4;
      this.#key[word] =
        ((objectId[at] as number) << 24) | ((objectId[at + 1] as number) << 16) | ((objectId[at + 2] as number) << 8) | (objectId[at + 3] as number);
    }
  }
}

/** Regions by the slots of the first, in the header's last word, and the words that there may be. */
function regionsOf(firstSlots: number, wordsMax: number): readonly Region[] {
  const regions: Region[] = [];
  let slots = firstSlots;
  for (let firstWord = HEADER_WORDS; firstWord < wordsMax; firstWord += slots * SLOT_WORDS, slots *= 2) {
    regions.push({ firstWord, mask: slots - 1, countWord: 1 + regions.length, entriesMax: Math.floor(slots * LOAD_MAX) });
  }
  return regions;
}

function viewOf(memory: SharedArrayBuffer): Int32Array {
  return new Int32Array(memory, 0, memory.byteLength / 4);
}

/** Another thread may do the same, or more, at the same time. */
function growTo(memory: SharedArrayBuffer, byteCount: number): void {
  try {
    if (memory.byteLength < byteCount) memory.grow(byteCount);
  } catch (error) {
    if (memory.byteLength < byteCount) throw error;
  }
}

function ordinalOf(state: number): number {
  if (state >= ORDINAL_BASE) return state - ORDINAL_BASE;
  return state === ABANDONED ? OBJECT_NEW : OBJECT_PENDING;
}
