/**
 * Where objects lie, from the index records of a vault (docs/format.md §12), in flat memory: 32 bytes for each object and
 * at most 16 for the hash table over them. Restoring may use any index, since objects prove themselves; but what a trusted
 * device signed goes before what anybody else wrote, and among equals the newest wins.
 *
 * A row is 8 words: first 16 bytes of the object id | pack | offset | stored length |
 * plain length (24 bits), codec (2), kind (2), trusted (1). Half an id is enough: whatever is found must have the whole id.
 */
import { assert, bytesToHex, equalBytes, Fault } from "@holdfast/base";
import { asSigningPublicKey, createVerifier } from "@holdfast/crypto";
import { asRecordId, type ObjectId, parseFrameHead, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import {
  createRecordOpener,
  indexEntryAt,
  indexPackAt,
  type ObjectKind,
  PACK_CLASSES,
  type PackClass,
  type PackIndex,
  parseIndex,
  type StoredObject,
  verifyIndex,
} from "@holdfast/vault";
import type { VaultSession } from "../session/session.ts";
import { isDamage } from "./damage.ts";

export interface IndexedPackPlace {
  readonly recordId: RecordId;
  readonly packClass: PackClass;
  readonly frameBytes: number;
  readonly plainBytes: number;
}

/** An object and the number of its pack. */
export interface ObjectPlace extends StoredObject {
  readonly pack: number;
}

const ROW_WORDS = 8;
const ID_WORDS = 4;
const SEGMENT_ROWS = 8_192;
const SLOTS_AT_FIRST = 16_384;
const PLAIN_BITS = 0xffffff;
const CODEC_SHIFT = 24;
const KIND_SHIFT = 26;
const TRUSTED_BIT = 1 << 28;
/** Index records that are fetched at once. */
const FETCHES_MAX = 4;

export class ObjectIndex {
  readonly #packs: IndexedPackPlace[] = [];
  readonly #packNumbers = new Map<string, number>();
  /** Rows in pieces, so that growing copies nothing. */
  readonly #segments: Uint32Array[] = [];
  #rowCount = 0;
  /** Row number plus one, 0 where free. */
  #slots = new Uint32Array(SLOTS_AT_FIRST);
  /** Where ids are spread for one lookup. */
  readonly #id = new Uint32Array(ID_WORDS);

  get objectCount(): number {
    return this.#rowCount;
  }

  get packCount(): number {
    return this.#packs.length;
  }

  pack(number: number): IndexedPackPlace {
    const pack = this.#packs[number];
    assert(pack !== undefined, "object index: pack is known");
    return pack;
  }

  /** Adds a checked index. Called from the oldest index to the newest. */
  add(index: PackIndex, isTrusted: boolean): void {
    const numbers = Array.from({ length: index.packCount }, (_, ordinal) => this.#packNumber(index, ordinal));
    for (let at = 0; at < index.entryCount; at++) {
      const entry = indexEntryAt(index, at);
      this.#put(entry, numbers[entry.packOrdinal] as number, isTrusted);
    }
  }

  /** Row of the object, or -1. */
  find(objectId: Uint8Array): number {
    const words = spreadId(objectId, this.#id);
    const row = this.#slots[this.#slotOf(words)] as number;
    return row - 1;
  }

  /** What `row` says, for the object with the id that was looked up. */
  place(row: number, objectId: ObjectId): ObjectPlace {
    const { words, at } = this.#row(row);
    const last = words[at + 7] as number;
    return {
      objectId,
      pack: words[at + 4] as number,
      offset: words[at + 5] as number,
      storedBytes: words[at + 6] as number,
      plainBytes: last & PLAIN_BITS,
      codec: (last >>> CODEC_SHIFT) & 3,
      kind: ((last >>> KIND_SHIFT) & 3) as ObjectKind,
    };
  }

  #packNumber(index: PackIndex, ordinal: number): number {
    const pack = indexPackAt(index, ordinal);
    const key = bytesToHex(pack.recordId);
    const known = this.#packNumbers.get(key);
    // Another index may lie about a pack that is known: then it is another pack to us, and its record will not fit it.
    if (known !== undefined) {
      const { packClass, frameBytes, plainBytes } = this.pack(known);
      if (packClass === index.packClass && frameBytes === pack.frameBytes && plainBytes === pack.plainBytes) return known;
    }
    const number = this.#packs.length;
    this.#packs.push({ ...pack, packClass: index.packClass });
    this.#packNumbers.set(key, number);
    return number;
  }

  #put(entry: StoredObject, pack: number, isTrusted: boolean): void {
    const id = spreadId(entry.objectId, this.#id);
    const slot = this.#slotOf(id);
    let row = (this.#slots[slot] as number) - 1;
    if (row === -1) {
      row = this.#appendRow(slot);
    } else if (!isTrusted) {
      const known = this.#row(row);
      if (((known.words[known.at + 7] as number) & TRUSTED_BIT) !== 0) return;
    }
    const { words, at } = this.#row(row);
    words.set(id, at);
    words[at + 4] = pack;
    words[at + 5] = entry.offset;
    words[at + 6] = entry.storedBytes;
    words[at + 7] = entry.plainBytes | (entry.codec << CODEC_SHIFT) | (entry.kind << KIND_SHIFT) | (isTrusted ? TRUSTED_BIT : 0);
    if (this.#rowCount * 2 > this.#slots.length) this.#grow();
  }

  #appendRow(slot: number): number {
    const row = this.#rowCount++;
    if (row % SEGMENT_ROWS === 0) this.#segments.push(new Uint32Array(SEGMENT_ROWS * ROW_WORDS));
    this.#slots[slot] = row + 1;
    return row;
  }

  #row(row: number): { readonly words: Uint32Array; readonly at: number } {
    const words = this.#segments[Math.floor(row / SEGMENT_ROWS)];
    assert(words !== undefined, "object index: row is there");
    return { words, at: (row % SEGMENT_ROWS) * ROW_WORDS };
  }

  /** The slot that holds the id or is free for it. Ids are uniform: their first word is hash enough. */
  #slotOf(id: Uint32Array): number {
    const mask = this.#slots.length - 1;
    let slot = (id[0] as number) & mask;
    for (;;) {
      const row = this.#slots[slot] as number;
      if (row === 0) return slot;
      const { words, at } = this.#row(row - 1);
      if (words[at] === id[0] && words[at + 1] === id[1] && words[at + 2] === id[2] && words[at + 3] === id[3]) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let row = 0; row < this.#rowCount; row++) {
      const { words, at } = this.#row(row);
      this.#slots[this.#slotOf(words.subarray(at, at + ID_WORDS))] = row + 1;
    }
  }
}

/** The first 16 bytes of an id, as words in `words`. */
function spreadId(objectId: Uint8Array, words: Uint32Array): Uint32Array {
  for (let word = 0; word < ID_WORDS; word++) {
    const at = word * 4;
    words[word] =
      ((objectId[at] as number) | ((objectId[at + 1] as number) << 8) | ((objectId[at + 2] as number) << 16) | ((objectId[at + 3] as number) << 24)) >>> 0;
  }
  return words;
}

export type IndexSession = Pick<VaultSession, "vault" | "keys" | "store" | "journal">;

/**
 * Reads all index records of `epoch` that the storage node has. One that is damaged or gone is told to `onDamage` and left
 * out: what only it names cannot be found.
 */
export async function loadObjectIndex(session: IndexSession, epoch: number, onDamage: (id: RecordId, fault: Fault) => void): Promise<ObjectIndex> {
  const index = new ObjectIndex();
  const records = await listIndexRecords(session.store);
  const opener = createRecordOpener(session.vault, (wanted) => session.keys.get(wanted) ?? null);
  const isTrusted = createTrust(session);
  const fetches: Promise<{ frame: Uint8Array | null; error: unknown }>[] = [];
  const startFetch = (at: number): void => {
    const record = records[at];
    if (record === undefined) return;
    fetches[at] = session.store.get(record.id).then(
      (frame) => ({ frame, error: null }),
      (error: unknown) => ({ frame: null, error }),
    );
  };
  for (let at = 0; at < FETCHES_MAX; at++) startFetch(at);
  for (const [at, { id, kind }] of records.entries()) {
    try {
      const { frame, error } = await (fetches[at] as (typeof fetches)[number]);
      delete fetches[at];
      startFetch(at + FETCHES_MAX);
      if (error !== null) throw error;
      if (frame === null) throw new Fault("missing", "index record: the storage node does not have it");
      if (parseFrameHead(frame)?.epoch !== epoch) continue;
      const packClass = kind === RECORD_KINDS.contentIndex ? PACK_CLASSES.content : PACK_CLASSES.structure;
      const parsed = parseIndex(packClass, await opener.open(kind, frame));
      index.add(parsed, isTrusted(parsed));
    } catch (error) {
      if (!isDamage(error)) throw error;
      onDamage(id, error);
    }
  }
  return index;
}

type IndexKind = typeof RECORD_KINDS.contentIndex | typeof RECORD_KINDS.structureIndex;

/** Index records in the order they were added, without those swept since. */
async function listIndexRecords(store: IndexSession["store"]): Promise<{ readonly id: RecordId; readonly kind: IndexKind }[]> {
  const records = new Map<string, { readonly id: RecordId; readonly kind: IndexKind }>();
  for (let cursor = ""; ; ) {
    const page = await store.changes(cursor);
    for (const item of page.items) {
      const key = bytesToHex(item.id);
      if (item.op === "swept") records.delete(key);
      if (item.op === "added" && (item.kind === RECORD_KINDS.contentIndex || item.kind === RECORD_KINDS.structureIndex)) {
        records.set(key, { id: asRecordId(item.id), kind: item.kind });
      }
    }
    cursor = page.cursor;
    if (!page.more) return [...records.values()];
  }
}

/** Whether a device of this vault signed an index, and nothing bad is known of that device. */
function createTrust(session: IndexSession): (index: PackIndex) => boolean {
  const devices = [...session.journal().devices.values()].filter(({ badSince }) => badSince === null);
  return (index) => {
    const device = devices.find(({ id }) => equalBytes(id, index.deviceId));
    return device !== undefined && verifyIndex(index, session.vault, createVerifier(asSigningPublicKey(device.key)));
  };
}
