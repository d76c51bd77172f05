/**
 * Finds snapshots as people name them: `latest`, or at least four hexadecimal digits of the journal entry's id, either with
 * `:PATH` behind it. The order of snapshots is that of the journal, which nobody can forge, not that of their clocks.
 */
import { bytesToHex, equalBytes, Fault, utf8 } from "@holdfast/base";
import { type JournalSnapshot, parseFrameHead, RECORD_KINDS, type RecordId, shortHex } from "@holdfast/protocol";
import { createRecordOpener, isName, parseSnapshot, type Snapshot } from "@holdfast/vault";
import type { VaultSession } from "../session/session.ts";
import { isDamage } from "./damage.ts";
import { printable } from "./printable.ts";

/** What finding and reading snapshots needs of a session. */
export type SnapshotSession = Pick<VaultSession, "vault" | "keys" | "store" | "journal" | "receivedMs">;

/** Which snapshots `latest` may mean. `null` and an empty list: any. */
export interface SnapshotFilters {
  readonly host: string | null;
  /** All of these. */
  readonly tags: readonly string[];
  /** Absolute paths, all of which were given to the backup. */
  readonly paths: readonly Uint8Array[];
}

export const NO_FILTERS: SnapshotFilters = { host: null, tags: [], paths: [] };

/** A snapshot with its place in the journal. */
export interface OpenedSnapshot {
  readonly entry: RecordId;
  readonly record: RecordId;
  readonly seq: number;
  readonly complete: boolean;
  /** By the node's clock, or `null`. */
  readonly receivedMs: number | null;
  /** Epoch of its record, and so of all its objects. */
  readonly epoch: number;
  readonly snapshot: Snapshot;
}

export interface FoundSnapshot extends OpenedSnapshot {
  /** Components of the path behind the colon; none for the whole snapshot. */
  readonly path: readonly Uint8Array[];
}

const LATEST = "latest";
const PREFIX_DIGITS_MIN = 4;
/** Candidates that a message names. */
const CANDIDATES_NAMED_MAX = 5;

/** The one snapshot that `spec` means. A bad or ambiguous spec: `input`. None: `missing`. */
export async function findSnapshot(session: SnapshotSession, spec: string, filters: SnapshotFilters = NO_FILTERS): Promise<FoundSnapshot> {
  const { name, path } = parseSpec(spec);
  const opened = name === LATEST ? await findLatest(session, filters) : await openSnapshot(session, findByPrefix(session, name));
  return { ...opened, path };
}

/** Reads the snapshot record of a journal entry. No such record: `missing`. Damaged: `integrity` or `format`. */
export async function openSnapshot(session: SnapshotSession, listed: JournalSnapshot): Promise<OpenedSnapshot> {
  const frame = await session.store.get(listed.record);
  if (frame === null) throw new Fault("missing", `snapshot ${shortHex(listed.entry)}: the storage node does not have its record`);
  const opener = createRecordOpener(session.vault, (epoch) => session.keys.get(epoch) ?? null);
  const plaintext = await opener.open(RECORD_KINDS.snapshot, frame, listed.record);
  const snapshot = parseSnapshot(plaintext);
  if (!equalBytes(snapshot.line, listed.line)) throw new Fault("integrity", `snapshot ${shortHex(listed.entry)}: is not of the line that the journal names`);
  const { entry, record, seq, complete } = listed;
  return { entry, record, seq, complete, receivedMs: session.receivedMs(entry), epoch: parseFrameHead(frame)?.epoch as number, snapshot };
}

/** Retained snapshots, newest first; offloads aside. */
export function listJournalSnapshots(session: SnapshotSession): readonly JournalSnapshot[] {
  return [...session.journal().snapshots.values()].filter(({ offload }) => !offload).sort((left, right) => right.seq - left.seq);
}

export function matchesFilters(snapshot: Snapshot, filters: SnapshotFilters): boolean {
  if (filters.host !== null && snapshot.host !== filters.host) return false;
  if (!filters.tags.every((tag) => snapshot.tags.includes(tag))) return false;
  return filters.paths.every((wanted) => snapshot.paths.some((path) => equalBytes(path, wanted)));
}

/** Splits `SNAPSHOT` or `SNAPSHOT:PATH`. */
export function parseSpec(spec: string): { readonly name: string; readonly path: readonly Uint8Array[] } {
  const colon = spec.indexOf(":");
  const name = (colon === -1 ? spec : spec.slice(0, colon)).toLowerCase();
  if (name !== LATEST && !/^[0-9a-f]+$/.test(name))
    throw new Fault("input", `snapshot: got ${printable(utf8(name))}, want latest or hexadecimal digits of an id`);
  if (name !== LATEST && name.length < PREFIX_DIGITS_MIN)
    throw new Fault("input", `snapshot: got ${name.length} digits of an id, want at least ${PREFIX_DIGITS_MIN}`);
  const path =
    colon === -1
      ? []
      : spec
          .slice(colon + 1)
          .split("/")
          .filter((step) => step !== "")
          .map(utf8);
  for (const step of path) if (!isName(step)) throw new Fault("input", `snapshot path: ${printable(step)} is not a name`);
  return { name, path };
}

function findByPrefix(session: SnapshotSession, prefix: string): JournalSnapshot {
  const all = listJournalSnapshots(session);
  const matching = all.filter(({ entry }) => bytesToHex(entry).startsWith(prefix));
  const [only] = matching;
  if (only === undefined) {
    const newest = all.length === 0 ? "there is none" : `newest are ${nameSome(all)}`;
    throw new Fault("missing", `snapshot: no id begins with ${prefix}; ${newest}`);
  }
  if (matching.length > 1) throw new Fault("input", `snapshot: ${prefix} is ambiguous, got ${nameSome(matching)}`);
  return only;
}

/** The newest complete one that matches; where none is complete, the newest partial one. */
async function findLatest(session: SnapshotSession, filters: SnapshotFilters): Promise<OpenedSnapshot> {
  const all = listJournalSnapshots(session);
  let partial: OpenedSnapshot | null = null;
  let damaged: Fault | null = null;
  for (const listed of all) {
    if (!listed.complete && partial !== null) continue;
    let opened: OpenedSnapshot;
    try {
      opened = await openSnapshot(session, listed);
    } catch (error) {
      // The newest must not be passed over in silence: what is asked for is the latest state.
      if (!isDamage(error) || filters === NO_FILTERS) throw error;
      damaged ??= error;
      continue;
    }
    if (!matchesFilters(opened.snapshot, filters)) continue;
    if (damaged !== null) throw damaged; // It may have been the one.
    if (listed.complete) return opened;
    partial = opened;
  }
  if (partial !== null) return partial;
  if (damaged !== null) throw damaged;
  throw new Fault("missing", all.length === 0 ? "snapshot: the vault has none" : `snapshot: none of ${all.length} matches; newest are ${nameSome(all)}`);
}

function nameSome(snapshots: readonly JournalSnapshot[]): string {
  const named = snapshots.slice(0, CANDIDATES_NAMED_MAX).map(({ entry, timeMs }) => `${shortHex(entry)} of ${new Date(timeMs).toISOString().slice(0, 16)}Z`);
  const more = snapshots.length - named.length;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
