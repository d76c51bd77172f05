/** Reads of one vault, on connections that cannot write. Segments are opened when first needed. */
import { join } from "node:path";
import { type Bytes, bytesToHex, Fault, type FaultDetail, hexToBytes } from "@holdfast/base";
import { type ChangesAnswer, type JournalAnswer, PAGE_ITEMS_MAX, type RecordId } from "@holdfast/protocol";
import { asc, eq, gt } from "drizzle-orm";
import { connectReader, type Database } from "./database.ts";
import { segmentFile } from "./segment-writer.ts";
import { changes, journal, PART_NUMBERS_PER_FRAME, parts, records, vaultState } from "./vault-schema.ts";

/** Where a record's frame is and how long. */
export interface RecordPlace {
  readonly frameNo: number;
  readonly segmentNo: number;
  readonly byteCount: number;
}

export class VaultReader {
  readonly #folder: string;
  readonly #database: Database;
  readonly #segments = new Map<number, Database>();

  private constructor(folder: string, database: Database) {
    this.#folder = folder;
    this.#database = database;
  }

  static async open(folder: string): Promise<VaultReader> {
    return new VaultReader(folder, await connectReader(join(folder, "vault.db")));
  }

  /** Place of the record, or `null`. In the cold tier: `cold`. */
  async place(id: RecordId): Promise<RecordPlace | null> {
    const [row] = await this.#database.db.select().from(records).where(eq(records.recordId, id));
    if (row === undefined) return null;
    if (row.tier !== 0) throw new Fault("cold", "record: lies in the cold tier, recall it first", { detail: { bytes: row.byteCount } });
    return { frameNo: row.frameNo, segmentNo: row.segmentNo, byteCount: row.byteCount };
  }

  /** A part of a frame. One that is gone although the record names it: `integrity`. */
  async part(place: RecordPlace, partIndex: number): Promise<Bytes> {
    const segment = await this.#segment(place.segmentNo);
    const [row] = await segment.db
      .select({ bytes: parts.bytes })
      .from(parts)
      .where(eq(parts.partNo, place.frameNo * PART_NUMBERS_PER_FRAME + partIndex));
    if (row === undefined) throw new Fault("integrity", "record: a part of its frame is gone");
    return row.bytes;
  }

  /** Changes after `cursor`, which is `""` or what an earlier answer gave. A cursor of another lineage: `conflict`. */
  async changes(cursor: string): Promise<ChangesAnswer> {
    const { lineage } = await this.#state();
    const lineageHex = bytesToHex(lineage);
    const afterNo = cursor === "" ? 0 : parseCursor(cursor, lineageHex);
    const rows = await this.#database.db
      .select()
      .from(changes)
      .where(gt(changes.changeNo, afterNo))
      .orderBy(asc(changes.changeNo))
      .limit(PAGE_ITEMS_MAX + 1);
    const page = rows.slice(0, PAGE_ITEMS_MAX);
    return {
      cursor: `${lineageHex}.${page.at(-1)?.changeNo ?? afterNo}`,
      more: rows.length > page.length,
      items: page.map((row) => ({ op: row.op as "added", kind: row.kind, id: row.recordId, bytes: row.byteCount, tier: row.tier === 0 ? "hot" : "cold" })),
    };
  }

  /** Entries after `seq` with their receipts; -1 for all. */
  async journal(afterSeq: number, bytesMax: number): Promise<JournalAnswer> {
    const rows = await this.#database.db
      .select()
      .from(journal)
      .where(gt(journal.seq, afterSeq))
      .orderBy(asc(journal.seq))
      .limit(PAGE_ITEMS_MAX + 1);
    const items: { entry: Bytes; receipt: Bytes }[] = [];
    let byteCount = 0;
    for (const row of rows.slice(0, PAGE_ITEMS_MAX)) {
      byteCount += row.entryFrame.length + row.receiptFrame.length;
      if (items.length > 0 && byteCount > bytesMax) break;
      items.push({ entry: row.entryFrame, receipt: row.receiptFrame });
    }
    return { more: rows.length > items.length, items };
  }

  /** Bytes of all records. */
  async storedBytes(): Promise<number> {
    return (await this.#state()).storedBytes;
  }

  close(): void {
    for (const segment of this.#segments.values()) segment.close();
    this.#database.close();
  }

  async #state(): Promise<typeof vaultState.$inferSelect> {
    const [state] = await this.#database.db.select().from(vaultState);
    if (state === undefined) throw new Fault("missing", "vault: not there");
    return state;
  }

  async #segment(segmentNo: number): Promise<Database> {
    const known = this.#segments.get(segmentNo);
    if (known !== undefined) return known;
    const segment = await connectReader(join(this.#folder, segmentFile(segmentNo)));
    this.#segments.set(segmentNo, segment);
    return segment;
  }
}

function parseCursor(cursor: string, lineageHex: string): number {
  const match = /^([0-9a-f]{32})\.(\d{1,15})$/.exec(cursor);
  if (match === null || hexToBytes(match[1] as string) === null) throw new Fault("input", "changes: not a cursor");
  if (match[1] === lineageHex) return Number(match[2]);
  const detail: FaultDetail = { lineage: lineageHex };
  throw new Fault("conflict", "changes: the cursor belongs to another lineage, start from the empty cursor", { detail });
}
