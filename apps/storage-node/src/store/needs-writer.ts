/**
 * Which records the snapshots of a line need, kept as intervals (vault-schema.ts, `needed`): writes of a commit.
 *
 * An entry gives its set as a difference to a base. When the base is the line's latest snapshot the open intervals
 * are the base's set, and only the difference is touched. Otherwise the whole set is worked out and compared.
 */
import { assert, Fault } from "@holdfast/base";
import type { LineId } from "@holdfast/protocol";
import { and, desc, eq, gte, inArray, lte } from "drizzle-orm";
import type { Transaction } from "./database.ts";
import { slices } from "./record-writer.ts";
import { lines, needed, OPEN_SEQ, snapshots } from "./vault-schema.ts";

export interface NeedsChange {
  readonly line: LineId;
  readonly seq: number;
  /** Seq of the base entry, which is a retained snapshot of the line, or null. */
  readonly baseSeq: number | null;
  readonly count: number;
  readonly addedFrameNos: readonly number[];
  readonly droppedFrameNos: readonly number[];
  /** The snapshot record itself, which the set must hold. */
  readonly snapshotFrameNo: number;
}

/** Records the set of the snapshot at `change.seq`. A difference that does not fit its base, or a wrong count: `integrity`. */
export async function putNeeds(transaction: Transaction, change: NeedsChange): Promise<void> {
  const lineNo = await lineNumber(transaction, change.line);
  const [latest] = await transaction.select().from(snapshots).where(eq(snapshots.lineNo, lineNo)).orderBy(desc(snapshots.seq)).limit(1);
  const base = change.baseSeq === null ? null : await snapshotAt(transaction, change.baseSeq);
  assert(base === null || base.lineNo === lineNo, "the journal checked that the base is of the line");
  const count = (base?.needsCount ?? 0) + change.addedFrameNos.length - change.droppedFrameNos.length;
  if (count !== change.count) throw new Fault("integrity", `needs: count does not fit, got ${change.count}, want ${count}`);

  const latestSeq = latest?.seq ?? null;
  if (latestSeq === change.baseSeq) await moveOpenSet(transaction, lineNo, latestSeq, change);
  else await replaceOpenSet(transaction, lineNo, latestSeq, change);
  const ownCount = await countIn(transaction, lineNo, OPEN_SEQ, [change.snapshotFrameNo]);
  if (ownCount !== 1) throw new Fault("integrity", "needs: do not hold the snapshot record itself");
  await transaction.insert(snapshots).values({ seq: change.seq, lineNo, needsCount: change.count, retained: 1 });
}

/** Takes snapshots out of the retained ones; what only they needed is dead from now on. */
export async function dropSnapshots(transaction: Transaction, seqs: readonly number[]): Promise<void> {
  for (const list of slices(seqs)) await transaction.update(snapshots).set({ retained: 0 }).where(inArray(snapshots.seq, list));
}

async function moveOpenSet(transaction: Transaction, lineNo: number, latestSeq: number | null, change: NeedsChange): Promise<void> {
  const openCount = await countIn(transaction, lineNo, OPEN_SEQ, change.addedFrameNos);
  if (openCount !== 0) throw new Fault("integrity", "needs: adds records that its base has already");
  const closed = await closeIntervals(transaction, lineNo, latestSeq ?? -1, change.droppedFrameNos);
  if (closed !== change.droppedFrameNos.length) throw new Fault("integrity", "needs: drops records that its base does not have");
  await openIntervals(transaction, lineNo, change.seq, change.addedFrameNos);
}

async function replaceOpenSet(transaction: Transaction, lineNo: number, latestSeq: number | null, change: NeedsChange): Promise<void> {
  const wanted = change.baseSeq === null ? new Set<number>() : await membersAt(transaction, lineNo, change.baseSeq);
  for (const frameNo of change.droppedFrameNos) {
    if (!wanted.delete(frameNo)) throw new Fault("integrity", "needs: drops records that its base does not have");
  }
  for (const frameNo of change.addedFrameNos) {
    if (wanted.has(frameNo)) throw new Fault("integrity", "needs: adds records that its base has already");
    wanted.add(frameNo);
  }
  const open = await membersAt(transaction, lineNo, OPEN_SEQ);
  const closing = [...open].filter((frameNo) => !wanted.has(frameNo));
  const opening = [...wanted].filter((frameNo) => !open.has(frameNo));
  const closed = await closeIntervals(transaction, lineNo, latestSeq ?? -1, closing);
  assert(closed === closing.length, "open intervals are closed once each");
  await openIntervals(transaction, lineNo, change.seq, opening);
}

async function lineNumber(transaction: Transaction, line: LineId): Promise<number> {
  await transaction.insert(lines).values({ line }).onConflictDoNothing();
  const [row] = await transaction.select().from(lines).where(eq(lines.line, line));
  assert(row !== undefined, "the line was just inserted");
  return row.lineNo;
}

async function snapshotAt(transaction: Transaction, seq: number): Promise<typeof snapshots.$inferSelect> {
  const [row] = await transaction.select().from(snapshots).where(eq(snapshots.seq, seq));
  assert(row !== undefined, "the journal knows the base");
  return row;
}

/** Frames in the set of the snapshot at `seq`; `OPEN_SEQ` for the latest. */
async function membersAt(transaction: Transaction, lineNo: number, seq: number): Promise<Set<number>> {
  const rows = await transaction
    .select({ frameNo: needed.frameNo })
    .from(needed)
    .where(and(eq(needed.lineNo, lineNo), lte(needed.firstSeq, seq), gte(needed.lastSeq, seq)));
  return new Set(rows.map((row) => row.frameNo));
}

async function countIn(transaction: Transaction, lineNo: number, seq: number, frameNos: readonly number[]): Promise<number> {
  let count = 0;
  for (const list of slices(frameNos)) {
    const rows = await transaction
      .select({ frameNo: needed.frameNo })
      .from(needed)
      .where(and(eq(needed.lineNo, lineNo), inArray(needed.frameNo, list), lte(needed.firstSeq, seq), gte(needed.lastSeq, seq)));
    count += rows.length;
  }
  return count;
}

async function closeIntervals(transaction: Transaction, lineNo: number, lastSeq: number, frameNos: readonly number[]): Promise<number> {
  let count = 0;
  for (const list of slices(frameNos)) {
    const result = await transaction
      .update(needed)
      .set({ lastSeq })
      .where(and(eq(needed.lineNo, lineNo), inArray(needed.frameNo, list), eq(needed.lastSeq, OPEN_SEQ)));
    count += result.rowsAffected;
  }
  return count;
}

async function openIntervals(transaction: Transaction, lineNo: number, firstSeq: number, frameNos: readonly number[]): Promise<void> {
  for (const list of slices(frameNos)) await transaction.insert(needed).values(list.map((frameNo) => ({ lineNo, frameNo, firstSeq, lastSeq: OPEN_SEQ })));
}
