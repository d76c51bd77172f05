/** Builds the local index anew from the index records on the node that this device signed: losing the cache costs time only. */
import { createVerifier } from "@holdfast/crypto";
import { asRecordId, parseFrameHead, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import {
  createRecordOpener,
  DIRECTORY_ENTRY_BYTES,
  type IndexPack,
  indexEntryAt,
  indexPackAt,
  PACK_CLASSES,
  type PackClass,
  type PackIndex,
  parseIndex,
  verifyIndex,
} from "@holdfast/vault";
import type { VaultSession } from "../session/session.ts";
import { LocalIndex } from "../state/local-index.ts";

export interface RebuiltIndex {
  readonly indexes: number;
  readonly packs: number;
  readonly objects: number;
  /** Indexes of other devices or other epochs, which are not used for dedup. */
  readonly skipped: number;
}

/** Drops the local index and the listings, then reads the index back. */
export async function rebuildIndex(session: VaultSession): Promise<RebuiltIndex> {
  const { disk } = session.ports;
  disk.remove(`${session.paths.cache}/index`);
  disk.remove(`${session.paths.cache}/listings`);
  const { epoch } = session.currentKeys();
  using local = LocalIndex.open(disk, `${session.paths.cache}/index`, epoch);
  const opener = createRecordOpener(session.vault, (wanted) => session.keys.get(wanted) ?? null);
  const verifier = createVerifier(session.signer.publicKey);
  let [indexes, objects, skipped] = [0, 0, 0];
  for await (const { id, kind } of indexRecords(session)) {
    const frame = await session.store.get(id);
    // Swept between the list and now, or of an epoch that restarted dedup.
    if (frame === null) continue;
    const packClass = kind === RECORD_KINDS.contentIndex ? PACK_CLASSES.content : PACK_CLASSES.structure;
    const index = parseFrameHead(frame)?.epoch === epoch ? parseIndex(packClass, await opener.open(kind, frame)) : null;
    if (index === null || !verifyIndex(index, session.vault, verifier)) {
      skipped++;
      continue;
    }
    objects += addIndex(local, id, packClass, index);
    indexes++;
  }
  local.sync();
  return { indexes, packs: local.packs.length, objects, skipped };
}

type IndexKind = typeof RECORD_KINDS.contentIndex | typeof RECORD_KINDS.structureIndex;

/** Index records of the vault that were not swept, oldest first. */
export async function* indexRecords(session: Pick<VaultSession, "store">): AsyncGenerator<{ readonly id: RecordId; readonly kind: IndexKind }> {
  let cursor = "";
  for (;;) {
    const page = await session.store.changes(cursor);
    for (const item of page.items) {
      const isIndex = item.kind === RECORD_KINDS.contentIndex || item.kind === RECORD_KINDS.structureIndex;
      if (item.op === "added" && isIndex) yield { id: asRecordId(item.id), kind: item.kind as IndexKind };
    }
    cursor = page.cursor;
    if (!page.more) return;
  }
}

/** Adds the packs of an index with their directories; how many objects they hold. */
function addIndex(local: LocalIndex, id: RecordId, packClass: PackClass, index: PackIndex): number {
  const directories = new Map<number, { readonly pack: IndexPack; readonly entries: Uint8Array[] }>();
  for (let ordinal = 0; ordinal < index.packCount; ordinal++) directories.set(ordinal, { pack: indexPackAt(index, ordinal), entries: [] });
  for (let at = 0; at < index.entryCount; at++) {
    const entry = indexEntryAt(index, at);
    const row = new Uint8Array(DIRECTORY_ENTRY_BYTES);
    const view = new DataView(row.buffer);
    row.set(entry.objectId);
    row[32] = entry.kind;
    row[33] = entry.codec;
    view.setUint32(36, entry.offset);
    view.setUint32(40, entry.storedBytes);
    view.setUint32(44, entry.plainBytes);
    directories.get(entry.packOrdinal)?.entries.push(row);
  }
  for (const { pack, entries } of directories.values()) {
    const directory = new Uint8Array(entries.length * DIRECTORY_ENTRY_BYTES);
    for (const [place, row] of entries.entries()) directory.set(row, place * DIRECTORY_ENTRY_BYTES);
    local.addPack({ ...pack, packClass, directory });
  }
  local.addIndex(
    id,
    [...directories.values()].map(({ pack }) => pack.recordId),
  );
  return index.entryCount;
}
