/**
 * The journal as this device believes it: every entry and every receipt verified, from genesis on, and held against the mark.
 *
 * Whatever does not fit is an alarm: an `integrity` fault whose sentence says what happened and what to do. Nothing is repaired.
 */
import { type Bytes, bytesToHex, equalBytes, Fault, isFault } from "@holdfast/base";
import { type AccountId, applyEntry, emptyJournal, type JournalState, type RecordId, type VaultId, type Verifier, verifyReceipt } from "@holdfast/protocol";
import type { Mark } from "../state/mark.ts";

/** An entry with its receipt, as frames: as they travel and as they lie in the cache. */
export interface JournalPair {
  readonly entry: Bytes;
  readonly receipt: Bytes;
}

/** An entry that has been verified, with its receipt. */
export interface TakenEntry {
  readonly pair: JournalPair;
  readonly entry: RecordId;
  readonly receipt: RecordId;
  readonly seq: number;
  /** By the node's clock. */
  readonly receivedMs: number;
}

export interface JournalReaderOptions {
  readonly vault: VaultId;
  readonly account: AccountId;
  /** Pinned by the invite. */
  readonly nodeKey: Bytes;
  readonly mark: Mark | null;
  readonly verifier: Verifier;
}

export interface JournalReader {
  readonly state: JournalState;
  /** `null` before genesis. */
  readonly last: TakenEntry | null;
  /** When the node had each entry, by hex of the entry id. */
  readonly receivedMsByEntry: ReadonlyMap<string, number>;
  /** Takes in the entry that follows the last one. Anything else: alarm, and nothing is taken in. */
  take(pair: JournalPair): TakenEntry;
  /** Alarm unless `pair` is the last entry taken in, byte for byte: for a node that is asked to show it again. */
  checkLast(pair: JournalPair | undefined): void;
  /** Alarm when the journal ends before the mark. To be called when nothing more is to come. */
  checkMark(): void;
}

/** What to do about every alarm: no command can undo what a storage node did. */
const ADVICE =
  "nothing was changed here. Ask the operator whether the storage node was restored from an older copy, compare `holdfast status` on your other devices, keep the state folder, which is the proof, and do not rely on this node until it is explained";

/** A journal that does not fit what this device knows: `integrity`, never retried. */
export function journalAlarm(what: string, cause?: unknown): Fault {
  return new Fault("integrity", `alarm: ${what}; ${ADVICE}`, { cause, detail: { alarm: true } });
}

export function createJournalReader(options: JournalReaderOptions): JournalReader {
  const { vault, account, nodeKey, mark, verifier } = options;
  const receivedMsByEntry = new Map<string, number>();
  let state = emptyJournal(vault, account);
  let last: TakenEntry | null = null;
  return {
    get state() {
      return state;
    },
    get last() {
      return last;
    },
    receivedMsByEntry,
    take(pair) {
      const seq = (last?.seq ?? -1) + 1;
      const applied = verified(`entry ${seq}`, () => applyEntry(state, pair.entry, verifier, true));
      const want = { vault, seq, entry: applied.entry, previous: last?.receipt ?? null };
      const { receipt, parsed } = verified(`the receipt of entry ${seq}`, () => verifyReceipt(pair.receipt, nodeKey, want, verifier));
      if (mark?.seq === seq) checkAtMark(mark, applied.entry, receipt);
      const taken = { pair, entry: applied.entry, receipt, seq, receivedMs: parsed.payload.receivedMs };
      receivedMsByEntry.set(bytesToHex(applied.entry), taken.receivedMs);
      state = applied.state;
      last = taken;
      return taken;
    },
    checkLast(pair) {
      if (last === null) return;
      if (pair === undefined) throw setBack(`before seq ${last.seq}`, last.seq);
      if (!equalBytes(pair.entry, last.pair.entry)) throw forked("entry", last.seq);
      if (!equalBytes(pair.receipt, last.pair.receipt)) throw forked("receipt", last.seq);
    },
    checkMark() {
      if (mark !== null && (last?.seq ?? -1) < mark.seq) throw setBack(last === null ? "before its first entry" : `at seq ${last.seq}`, mark.seq);
    },
  };
}

function checkAtMark(mark: Mark, entry: RecordId, receipt: RecordId): void {
  if (!equalBytes(entry, mark.entry)) throw forked("entry", mark.seq);
  if (!equalBytes(receipt, mark.receipt)) throw forked("receipt", mark.seq);
}

function setBack(end: string, seenSeq: number): Fault {
  return journalAlarm(`the storage node shows a journal that ends ${end}, but this device has seen seq ${seenSeq}: it was set back or has lost entries`);
}

function forked(what: "entry" | "receipt", seq: number): Fault {
  return journalAlarm(
    `the storage node shows another ${what} at seq ${seq} than this device has seen: history was rewritten, or the node shows different journals to different devices`,
  );
}

/** What an honest node never shows becomes an alarm; an entry that only a later version knows stays a `version` fault. */
function verified<Result>(what: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!isFault(error) || error.code === "version") throw error;
    const why = error.code === "conflict" ? "it does not follow the one before: entries are missing, or history was rewritten" : error.message;
    throw journalAlarm(`${what} of the journal does not verify: ${why}`, error);
  }
}
