/** The snapshots that the journal retains, each with its opened record. */
import { bytesToHex, type Fault, isFault } from "@holdfast/base";
import { type JournalSnapshot, RECORD_KINDS } from "@holdfast/protocol";
import { createRecordOpener, parseSnapshot, type Snapshot } from "@holdfast/vault";
import { cachedRecord, tidyRecordCache } from "./record-cache.ts";
import type { VaultSession } from "./session.ts";

export interface ListedSnapshot {
  readonly entry: JournalSnapshot;
  /** By the node's clock. */
  readonly receivedMs: number | null;
  /** The record, or why it could not be opened. */
  readonly snapshot: Snapshot | Fault;
}

/** Oldest first. A record that is missing or damaged is listed with its fault; the rest goes on. */
export async function listSnapshots(session: VaultSession): Promise<ListedSnapshot[]> {
  const { disk } = session.ports;
  const opener = createRecordOpener(session.vault, (epoch) => session.keys.get(epoch) ?? null);
  const journal = session.journal();
  const listed: ListedSnapshot[] = [];
  for (const entry of [...journal.snapshots.values()].sort((left, right) => left.seq - right.seq)) {
    const receivedMs = session.receivedMs(entry.entry);
    try {
      const frame = await cachedRecord(disk, session.paths, session.store, entry.record, "snapshot");
      listed.push({ entry, receivedMs, snapshot: parseSnapshot(await opener.open(RECORD_KINDS.snapshot, frame, entry.record)) });
    } catch (error) {
      // A network that is down concerns all of them.
      if (!isFault(error) || error.retry === "after-delay") throw error;
      listed.push({ entry, receivedMs, snapshot: error });
    }
  }
  const kept = [...journal.snapshots.values()].map(({ record }) => record);
  tidyRecordCache(disk, session.paths, new Set([...kept, ...(journal.config === null ? [] : [journal.config])].map((id) => bytesToHex(id))));
  return listed;
}
