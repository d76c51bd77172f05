/** Reads the structure of a snapshot, trees and lists, out of structure packs; the packs opened last are kept, up to a number of bytes. */
import { Fault } from "@holdfast/base";
import { createObjectIdHasher } from "@holdfast/crypto";
import { type ObjectId, RECORD_KINDS } from "@holdfast/protocol";
import { type Compressor, createRecordOpener, type LoadObject, openObject, PACK_CLASSES } from "@holdfast/vault";
import type { VaultSession } from "../session/session.ts";
import type { ObjectIndex, ObjectPlace } from "./object-index.ts";

/** Bytes of opened structure packs that stay in memory: two of the longest. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

export interface ObjectSource {
  /** Plaintext of a tree or list, its id verified. Not in the index or not on the node: `missing`. Damaged: `integrity` or `format`. */
  readonly load: LoadObject;
  /** Where an object lies, or `null` when no index knows. */
  locate(objectId: ObjectId): ObjectPlace | null;
}

export function createObjectSource(
  session: Pick<VaultSession, "vault" | "keys" | "store">,
  epoch: number,
  index: ObjectIndex,
  compressor: Compressor,
): ObjectSource {
  const keys = session.keys.get(epoch);
  if (keys === undefined) throw new Fault("missing", `snapshot: this device has no keys of epoch ${epoch}`);
  const hashObject = createObjectIdHasher(keys.objectId);
  const opener = createRecordOpener(session.vault, (wanted) => (wanted === epoch ? keys : null));
  const packs = new Map<number, Promise<Uint8Array>>();
  let keptBytes = 0;

  const fetchPack = async (number: number): Promise<Uint8Array> => {
    const { recordId, packClass } = index.pack(number);
    if (packClass !== PACK_CLASSES.structure) throw new Fault("format", "structure: object lies in a content pack");
    const frame = await session.store.get(recordId);
    if (frame === null) throw new Fault("missing", "structure pack: the storage node does not have it");
    return opener.open(RECORD_KINDS.structurePack, frame);
  };
  /** The opened pack, which becomes the one used last. A pack that failed is not asked for again and again. */
  const packOf = (number: number): Promise<Uint8Array> => {
    const known = packs.get(number);
    if (known !== undefined) {
      packs.delete(number);
      packs.set(number, known);
      return known;
    }
    const opened = fetchPack(number);
    packs.set(number, opened);
    keptBytes += index.pack(number).plainBytes;
    for (const oldest of packs.keys()) {
      if (keptBytes <= KEPT_BYTES_MAX || oldest === number) break;
      packs.delete(oldest);
      keptBytes -= index.pack(oldest).plainBytes;
    }
    return opened;
  };
  const locate = (objectId: ObjectId): ObjectPlace | null => {
    const row = index.find(objectId);
    return row === -1 ? null : index.place(row, objectId);
  };

  return {
    locate,
    async load(objectId) {
      const place = locate(objectId);
      if (place === null) throw new Fault("missing", "structure: object is in no index");
      const plaintext = await packOf(place.pack);
      return openObject(place, plaintext.subarray(place.offset, place.offset + place.storedBytes), hashObject, compressor);
    },
  };
}
