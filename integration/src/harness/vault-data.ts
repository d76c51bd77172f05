/** Looks into a node's own files, and damages them: what its operator, or a thief of its disk, could do. */
import { Database } from "bun:sqlite";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Installation } from "./installation.ts";

export interface StoredRecord {
  readonly idHex: string;
  readonly kind: number;
  readonly frameNo: number;
  readonly segmentNo: number;
  readonly byteCount: number;
}

const PARTS_OF_FRAME = 64;

/** The records of the installation's one vault, in the order in which they came. The node may be running. */
export function storedRecords(installation: Installation): StoredRecord[] {
  using database = new Database(join(installation.vaultFolder(), "vault.db"), { readonly: true });
  return database
    .query("SELECT lower(hex(record_id)) AS idHex, kind, frame_no AS frameNo, segment_no AS segmentNo, byte_count AS byteCount FROM records ORDER BY frame_no")
    .all() as StoredRecord[];
}

/** Bytes of all frames that the vault holds. */
export function vaultBytes(installation: Installation): number {
  try {
    return storedRecords(installation).reduce((sum, record) => sum + record.byteCount, 0);
  } catch {
    return 0; // Before the first record, and in the instant of a checkpoint.
  }
}

/** Flips one bit of a stored frame, somewhere past its head. Stop the node first. */
export function flipStoredBit(installation: Installation, record: StoredRecord): void {
  using database = new Database(join(installation.vaultFolder(), segmentName(record.segmentNo)));
  const partNo = record.frameNo * PARTS_OF_FRAME;
  const { bytes } = database.query("SELECT bytes FROM parts WHERE part_no = ?").get(partNo) as { bytes: Uint8Array };
  const at = Math.floor(bytes.length / 2);
  database.query("UPDATE parts SET bytes = ? WHERE part_no = ?").run(bytes.with(at, (bytes[at] as number) ^ 1), partNo);
}

/** Puts the stored bytes of one record in the place of another's. Stop the node first. */
export function swapStored(installation: Installation, left: StoredRecord, right: StoredRecord): void {
  using database = new Database(join(installation.vaultFolder(), "vault.db"));
  const update = database.query("UPDATE records SET frame_no = ?, segment_no = ?, byte_count = ? WHERE record_id = unhex(?)");
  update.run(-1, 0, 0, left.idHex);
  update.run(left.frameNo, left.segmentNo, left.byteCount, right.idHex);
  update.run(right.frameNo, right.segmentNo, right.byteCount, left.idHex);
}

/** Takes one entry out of the journal, with its receipt. Stop the node first. */
export function deleteJournalEntry(installation: Installation, seq: number): void {
  using database = new Database(join(installation.vaultFolder(), "vault.db"));
  database.query("DELETE FROM journal WHERE seq = ?").run(seq);
}

/** Every file below the node's data folder, for searches. */
export function dataFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

export function bytesOnDisk(folder: string): number {
  return dataFiles(folder).reduce((sum, file) => sum + statSync(file).size, 0);
}

function segmentName(segmentNo: number): string {
  return `segment-${String(segmentNo).padStart(4, "0")}.db`;
}
