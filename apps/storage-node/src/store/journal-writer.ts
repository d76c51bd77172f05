/**
 * Commit of a journal entry: verified against the chain so far, its needs checked against what is stored, recorded and
 * answered by a receipt, all in one transaction on vault.db.
 */
import { assertDefined, type Bytes, bytesToHex, Fault } from "@holdfast/base";
import type { Signer } from "@holdfast/crypto/signature";
import {
  applyEntry,
  asRecordId,
  checkNeedsDigests,
  type DeviceId,
  type EntryBody,
  encodeReceipt,
  encodeReceiptPayload,
  type JournalState,
  type RecordId,
} from "@holdfast/protocol";
import { desc, eq } from "drizzle-orm";
import { nodeVerifier } from "../verifier.ts";
import type { Transaction } from "./database.ts";
import { dropSnapshots, putNeeds } from "./needs-writer.ts";
import { findFrames } from "./record-writer.ts";
import { journal } from "./vault-schema.ts";

export interface Commit {
  readonly entry: Bytes;
  readonly additions: readonly RecordId[];
  readonly drops: readonly RecordId[];
  /** Device that the session proved: an entry is committed by its author only. */
  readonly device: DeviceId;
  readonly receivedMs: number;
}

export interface Committed {
  readonly receipt: Bytes;
  readonly state: JournalState;
  /** Device that this entry revoked. */
  readonly revokedDevice: DeviceId | null;
}

/** Ids that a `missing` fault lists at most. */
const MISSING_LISTED_MAX = 1_000;

/** Appends `commit.entry` to the chain of `state`. The same entry again: its receipt of the first time. */
export async function commitEntry(transaction: Transaction, state: JournalState, commit: Commit, nodeSigner: Signer): Promise<Committed> {
  const entryId = nodeVerifier.sha256(commit.entry);
  const [known] = await transaction.select({ receiptFrame: journal.receiptFrame }).from(journal).where(eq(journal.entryId, entryId));
  if (known !== undefined) return { receipt: known.receiptFrame, state, revokedDevice: null };

  const applied = applyEntry(state, commit.entry, nodeVerifier);
  const { payload } = applied.parsed;
  if (bytesToHex(payload.device) !== bytesToHex(commit.device)) throw new Fault("denied", "journal entry: was written by another device");
  await checkNamedRecords(transaction, payload.body);
  await recordSnapshot(transaction, state, payload.seq, payload.body, commit);
  await dropSnapshots(transaction, seqsThatWent(state, applied.state));
  const receipt = await putReceipt(transaction, applied.state, commit, nodeSigner);
  return { receipt, state: applied.state, revokedDevice: payload.body.kind === 3 ? payload.body.device : null };
}

/** Records that an entry names in its body must be here. */
async function checkNamedRecords(transaction: Transaction, body: EntryBody): Promise<void> {
  switch (body.kind) {
    case 1:
    case 6:
      return requireRecords(transaction, [body.config]);
    case 4:
    case 8:
      return requireRecords(transaction, [body.slot]);
    case 9:
    case 10:
      return requireRecords(transaction, [body.snapshot]);
  }
}

async function requireRecords(transaction: Transaction, ids: readonly RecordId[]): Promise<void> {
  await framesOf(transaction, ids);
}

/** Frame numbers of `ids`; any that is not stored, or not hot: `missing` with the ids. */
async function framesOf(transaction: Transaction, ids: readonly RecordId[]): Promise<number[]> {
  const found = await findFrames(transaction, ids, true);
  const missing = ids.map((id) => bytesToHex(id)).filter((hex) => !found.has(hex));
  if (missing.length > 0) {
    throw new Fault("missing", `journal entry: needs ${missing.length} records that are not stored`, {
      detail: { count: missing.length, ids: missing.slice(0, MISSING_LISTED_MAX) },
    });
  }
  return [...found.values()];
}

async function recordSnapshot(transaction: Transaction, state: JournalState, seq: number, body: EntryBody, commit: Commit): Promise<void> {
  if (body.kind !== 9 && body.kind !== 10) {
    if (commit.additions.length + commit.drops.length > 0) throw new Fault("format", "journal entry: only snapshots add and drop records");
    return;
  }
  const { needs } = body;
  checkNeedsDigests(needs, commit.additions, commit.drops, nodeVerifier.sha256);
  const addedFrameNos = await framesOf(transaction, commit.additions);
  // What is dropped may be gone already in a later version; today nothing removes a needed record.
  const droppedFrameNos = await framesOf(transaction, commit.drops);
  const [snapshotFrameNo] = await framesOf(transaction, [body.snapshot]);
  const baseSeq = needs.base === null ? null : assertDefined(state.snapshots.get(bytesToHex(needs.base)), "applyEntry found the base").seq;
  await putNeeds(transaction, {
    line: body.line,
    seq,
    baseSeq,
    count: needs.count,
    addedFrameNos,
    droppedFrameNos,
    snapshotFrameNo: assertDefined(snapshotFrameNo, "one id, one frame"),
  });
}

function seqsThatWent(before: JournalState, after: JournalState): number[] {
  if (before.snapshots === after.snapshots) return [];
  return [...before.snapshots].filter(([entry]) => !after.snapshots.has(entry)).map(([, snapshot]) => snapshot.seq);
}

async function putReceipt(transaction: Transaction, state: JournalState, commit: Commit, nodeSigner: Signer): Promise<Bytes> {
  const head = assertDefined(state.head, "an entry was applied");
  const [last] = await transaction.select({ receiptId: journal.receiptId }).from(journal).orderBy(desc(journal.seq)).limit(1);
  const previous = last === undefined ? null : asRecordId(last.receiptId);
  const payload = encodeReceiptPayload({ vault: state.vault, seq: head.seq, entry: head.entry, receivedMs: commit.receivedMs, previous });
  const receiptFrame = encodeReceipt(payload, nodeSigner.sign("receipt", payload));
  await transaction.insert(journal).values({
    seq: head.seq,
    entryId: head.entry,
    entryFrame: commit.entry,
    receiptId: nodeVerifier.sha256(receiptFrame),
    receiptFrame,
    receivedAtMs: commit.receivedMs,
  });
  return receiptFrame;
}
