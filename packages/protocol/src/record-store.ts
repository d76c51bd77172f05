/** RecordStore: what an agent can ask of one vault on a storage node. Memory, HTTPS client and fault-injecting stores pass one contract suite. */
import type { Bytes } from "@holdfast/base";
import type { LeaseId, RecordId } from "./id.ts";
import type { ChangesAnswer, JournalAnswer, LeaseAnswer, RecordsAnswer } from "./message.ts";

/** A frame to store, with its id, which the writer has computed already. `parts` joined are the frame. */
export interface FrameToPut {
  readonly id: RecordId;
  readonly parts: readonly Uint8Array[];
}

export interface RecordStore {
  /**
   * Stores frames in order; resolves once all are durable. Stored already: counted, no-op. A frame that does not hash
   * to its id: `integrity`, and none of the request's frames from there on is stored. The parts are not copied: leave
   * them alone until this resolves.
   */
  put(frames: readonly FrameToPut[], lease: LeaseId): Promise<RecordsAnswer>;
  /** Which of `ids` are not stored. Renews the lease on those that are. */
  missing(ids: readonly RecordId[], lease: LeaseId): Promise<RecordId[]>;
  /** The frame under `id`, proven by its hash, or `null`. `cold` when it must be recalled first. */
  get(id: RecordId): Promise<Bytes | null>;
  /** `length` bytes of the frame from `offset` on, or `null`: unproven, for suites that seek. Fewer at the end of the frame. */
  getRange(id: RecordId, offset: number, length: number): Promise<Bytes | null>;
  /** Index records added, records swept and tier moves after `cursor` (`""` from the start). */
  changes(cursor: string): Promise<ChangesAnswer>;
  /** Opens a lease, or renews `lease`. */
  lease(lease: LeaseId | null): Promise<LeaseAnswer>;
  /** Appends an entry; the receipt's frame. Sent again: the same receipt. `conflict` when it does not follow the head, `missing` with the ids (hex, at most 1,000) in the detail. */
  commit(entry: Bytes, additions: readonly RecordId[], drops: readonly RecordId[]): Promise<Bytes>;
  /** Entries after `seq` with their receipts, unproven. */
  journal(afterSeq: number): Promise<JournalAnswer>;
}
