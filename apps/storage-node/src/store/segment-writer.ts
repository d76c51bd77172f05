/**
 * The segments of one vault: databases of bounded size that hold the parts of frames. Only the newest takes new
 * frames. Its commit comes before the commit in vault.db that names a frame; parts without a name are left-overs.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { assertDefined, type Bytes } from "@holdfast/base";
import { and, gte, lt } from "drizzle-orm";
import { checkpoint, connectWriter, type Database, inTransaction } from "./database.ts";
import { SEGMENT_MIGRATIONS } from "./migrations.ts";
import { PART_NUMBERS_PER_FRAME, parts } from "./vault-schema.ts";

export interface NewPart {
  readonly segmentNo: number;
  readonly frameNo: number;
  readonly partIndex: number;
  readonly bytes: Bytes;
}

/** A frame's place: which segment its parts lie in. */
export interface FramePlace {
  readonly segmentNo: number;
  readonly frameNo: number;
}

/** Bytes written to a database before its WAL is copied back: keeps the WAL near 8 MiB plus one group. */
export const CHECKPOINT_BYTES: number = 8 * 1024 * 1024;

interface Segment {
  readonly database: Database;
  byteCount: number;
  bytesSinceCheckpoint: number;
}

export class SegmentWriter {
  readonly #folder: string;
  readonly #segmentBytesMax: number;
  readonly #segments = new Map<number, Segment>();
  #newestNo: number;

  private constructor(folder: string, segmentBytesMax: number, newestNo: number) {
    this.#folder = folder;
    this.#segmentBytesMax = segmentBytesMax;
    this.#newestNo = newestNo;
  }

  static async open(folder: string, segmentBytesMax: number): Promise<SegmentWriter> {
    const numbers = listSegments(folder);
    return new SegmentWriter(folder, segmentBytesMax, numbers.at(-1) ?? 0);
  }

  /** Number of the segment that a new frame goes to. */
  async segmentForNewFrame(): Promise<number> {
    if (this.#newestNo === 0 || (await this.#segment(this.#newestNo)).byteCount >= this.#segmentBytesMax) {
      this.#newestNo++;
      await this.#segment(this.#newestNo);
    }
    return this.#newestNo;
  }

  /** Makes `newParts` durable and removes the frames at `removed`, a commit for each segment. */
  async write(newParts: readonly NewPart[], removed: readonly FramePlace[]): Promise<void> {
    const numbers = new Set([...newParts, ...removed].map((item) => item.segmentNo));
    for (const segmentNo of [...numbers].sort((left, right) => left - right)) {
      const segment = await this.#segment(segmentNo);
      const own = newParts.filter((part) => part.segmentNo === segmentNo);
      const gone = removed.filter((place) => place.segmentNo === segmentNo);
      await inTransaction(segment.database, "segment", async (transaction) => {
        for (const { frameNo, partIndex, bytes } of own) {
          await transaction.insert(parts).values({ partNo: frameNo * PART_NUMBERS_PER_FRAME + partIndex, bytes });
        }
        for (const { frameNo } of gone) {
          const firstNo = frameNo * PART_NUMBERS_PER_FRAME;
          await transaction.delete(parts).where(and(gte(parts.partNo, firstNo), lt(parts.partNo, firstNo + PART_NUMBERS_PER_FRAME)));
        }
      });
      const byteCount = own.reduce((sum, part) => sum + part.bytes.length, 0);
      segment.byteCount += byteCount;
      await this.#checkpointWhenDue(segment, byteCount);
    }
  }

  /** Removes every frame from `frameNo` on: what a crash left between the two commits. Returns how many rows went. */
  async removeFramesFrom(frameNo: number): Promise<number> {
    let rowCount = 0;
    // Frame numbers rise with segment numbers: below a segment that keeps a frame there is nothing to remove.
    for (let segmentNo = this.#newestNo; segmentNo > 0; segmentNo--) {
      const { database } = await this.#segment(segmentNo);
      await inTransaction(database, "segment", async (transaction) => {
        const result = await transaction.delete(parts).where(gte(parts.partNo, frameNo * PART_NUMBERS_PER_FRAME));
        rowCount += result.rowsAffected;
      });
      const [kept] = await database.db.select({ partNo: parts.partNo }).from(parts).limit(1);
      if (kept !== undefined) break;
    }
    return rowCount;
  }

  async checkpointAll(): Promise<void> {
    for (const segment of this.#segments.values()) await checkpoint(segment.database);
  }

  close(): void {
    for (const segment of this.#segments.values()) segment.database.close();
    this.#segments.clear();
  }

  async #segment(segmentNo: number): Promise<Segment> {
    const known = this.#segments.get(segmentNo);
    if (known !== undefined) return known;
    const database = await connectWriter(join(this.#folder, segmentFile(segmentNo)), SEGMENT_MIGRATIONS);
    const { rows } = await database.client.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    const segment = { database, byteCount: Number(assertDefined(rows[0], "a pragma has a row")[0]), bytesSinceCheckpoint: 0 };
    this.#segments.set(segmentNo, segment);
    return segment;
  }

  async #checkpointWhenDue(segment: Segment, byteCount: number): Promise<void> {
    segment.bytesSinceCheckpoint += byteCount;
    if (segment.bytesSinceCheckpoint < CHECKPOINT_BYTES) return;
    segment.bytesSinceCheckpoint = 0;
    await checkpoint(segment.database);
  }
}

/** File name of a segment. */
export function segmentFile(segmentNo: number): string {
  return `segment-${String(segmentNo).padStart(4, "0")}.db`;
}

function listSegments(folder: string): number[] {
  return readdirSync(folder)
    .map((name) => /^segment-(\d{4,})\.db$/.exec(name))
    .filter((match) => match !== null)
    .map((match) => Number(match[1]))
    .sort((left, right) => left - right);
}
