/** Reads a snapshot out of a memory node by its packs alone, without any index: an oracle that shares no code with restore. */
import { bytesToHex, utf8ToText } from "@holdfast/base";
import { createObjectIdHasher } from "@holdfast/crypto";
import { type ObjectId, parseFrame, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import type { MemoryNode } from "@holdfast/testkit";
import {
  createRecordOpener,
  type Entry,
  openObject,
  PACK_CLASSES,
  parsePack,
  parseSnapshot,
  readContent,
  readFolder,
  type Snapshot,
  storedBytesOf,
  storedObjectAt,
} from "@holdfast/vault";
import { createZstdCompressor } from "@holdfast/vault/node";
import type { VaultSession } from "../session/session.ts";

export interface ReadSnapshot {
  readonly snapshot: Snapshot;
  /** Entries by path, as in `/a/b`. */
  readonly entries: ReadonlyMap<string, Entry>;
  /** Content of files by path; holes are zeros. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

export async function readSnapshot(node: MemoryNode, session: VaultSession, record: RecordId): Promise<ReadSnapshot> {
  const opener = createRecordOpener(session.vault, (epoch) => session.keys.get(epoch) ?? null);
  const compressor = await createZstdCompressor();
  const hashObject = createObjectIdHasher(session.currentKeys().objectId);
  const objects = new Map<string, Uint8Array>();
  for (const frame of node.records.values()) {
    const { kind } = parseFrame(frame);
    if (kind !== RECORD_KINDS.contentPack && kind !== RECORD_KINDS.structurePack) continue;
    const pack = parsePack(kind === RECORD_KINDS.contentPack ? PACK_CLASSES.content : PACK_CLASSES.structure, await opener.open(kind, frame));
    for (let index = 0; index < pack.objectCount; index++) {
      const stored = storedObjectAt(pack.directory, index);
      objects.set(bytesToHex(stored.objectId), openObject(stored, storedBytesOf(pack, stored), hashObject, compressor));
    }
  }
  const load = (id: ObjectId): Uint8Array => {
    const plaintext = objects.get(bytesToHex(id));
    if (plaintext === undefined) throw new Error(`object ${bytesToHex(id)} lies in no pack`);
    return plaintext;
  };
  const snapshotFrame = node.records.get(bytesToHex(record));
  if (snapshotFrame === undefined) throw new Error("no such snapshot record");
  const snapshot = parseSnapshot(await opener.open(RECORD_KINDS.snapshot, snapshotFrame));
  const entries = new Map<string, Entry>();
  const contents = new Map<string, Uint8Array>();
  const walk = async (root: ObjectId, path: string): Promise<void> => {
    for await (const part of readFolder(root, load)) {
      for (const entry of part) {
        const entryPath = `${path}/${utf8ToText(entry.name) ?? bytesToHex(entry.name)}`;
        entries.set(entryPath, entry);
        if (entry.subtree !== null) await walk(entry.subtree, entryPath);
        if (entry.kind !== 1) continue;
        const bytes = new Uint8Array(entry.sizeBytes);
        let offset = 0;
        if (entry.content !== null)
          for await (const items of readContent(entry.content, entry.sizeBytes, load))
            for (const item of items) {
              if (item.objectId !== null) bytes.set(load(item.objectId), offset);
              offset += item.plainBytes;
            }
        contents.set(entryPath, bytes);
      }
    }
  };
  await walk(snapshot.root, "");
  return { snapshot, entries, contents };
}
