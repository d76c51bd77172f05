/** Snapshot records (docs/format.md §13): a source at one moment, and the line that groups snapshots of one source. */
import { assert, type Bytes, compareBytes, Fault, utf8 } from "@holdfast/base";
import { hmacSha256 } from "@holdfast/crypto/hash";
import type { ObjectIdKey } from "@holdfast/crypto/key";
import {
  type Canonical,
  decodeCanonical,
  encodeCanonical,
  FAILURES_LISTED_MAX,
  FRAME_BYTES_MAX,
  ID_BYTES,
  LABEL_BYTES_MAX,
  type LineId,
  type ObjectId,
  takeArray,
  takeBytes,
  takeFields,
  takeInt,
  takeText,
  takeUint,
} from "@holdfast/protocol";
import type { Timestamp } from "./entry.ts";

/** What is backed up, as a person names it. */
export interface SourceDefinition {
  readonly host: string;
  /** Absolute paths as raw bytes, in the order given. */
  readonly paths: readonly Uint8Array[];
  /** Name of the set of paths, or `null`. */
  readonly setName: string | null;
}

/** A path that could not be read, and why. */
export interface SnapshotFailure {
  readonly path: Uint8Array;
  readonly reason: string;
}

export interface Snapshot extends SourceDefinition {
  readonly started: Timestamp;
  readonly ended: Timestamp;
  readonly root: ObjectId;
  readonly line: LineId;
  readonly totals: { readonly files: number; readonly folders: number; readonly others: number; readonly plainBytes: number };
  /** Ascending by UTF-8, each once. */
  readonly tags: readonly string[];
  readonly agentVersion: string;
  /** Name and version. */
  readonly runtime: string;
  /** At most `FAILURES_LISTED_MAX`; `failureCount` tells how many there were. */
  readonly failures: readonly SnapshotFailure[];
  readonly failureCount: number;
  /** What the runtime could not keep, such as ACLs. */
  readonly losses: readonly string[];
  readonly isPartial: boolean;
}

const MADE_BY_BYTES_MAX = LABEL_BYTES_MAX;
/** Texts of failures and losses are for people; the frame's limit bounds them all. */
const REASON_BYTES_MAX = 4096;
const LINE_PREFIX = 0x10;
const NANOSECONDS_MAX = 999_999_999;

/** The line of a source: the same for the same host, paths and set name, whatever the order of paths. */
export function lineOf(objectIdKeyOfEpoch0: ObjectIdKey, source: SourceDefinition): LineId {
  const paths = [...source.paths].sort(compareBytes);
  return hmacSha256(objectIdKeyOfEpoch0, Uint8Array.of(LINE_PREFIX), encodeCanonical([source.host, paths, source.setName ?? ""])) as LineId;
}

/** Plaintext of a snapshot record. Numbers and texts that a reader would refuse are a failed assert or the reader's own fault. */
export function encodeSnapshot(snapshot: Snapshot): Bytes {
  const { totals, started, ended } = snapshot;
  const fields = new Map<number, Canonical>([
    [1, snapshot.paths],
    [2, snapshot.host],
    [3, [started.seconds, started.nanoseconds]],
    [4, [ended.seconds, ended.nanoseconds]],
    [5, snapshot.root],
    [6, snapshot.line],
    [7, [totals.files, totals.folders, totals.others, totals.plainBytes]],
    [9, [snapshot.agentVersion, snapshot.runtime]],
  ]);
  assert(snapshot.failureCount >= snapshot.failures.length, "snapshot: failures are counted");
  if (snapshot.tags.length > 0) fields.set(8, snapshot.tags);
  if (snapshot.failures.length > 0)
    fields.set(
      10,
      snapshot.failures.map(({ path, reason }) => [path, reason]),
    );
  if (snapshot.failureCount > snapshot.failures.length) fields.set(11, snapshot.failureCount);
  if (snapshot.losses.length > 0) fields.set(12, snapshot.losses);
  if (snapshot.isPartial) fields.set(13, true);
  if (snapshot.setName !== null) fields.set(14, snapshot.setName);
  const plaintext = encodeCanonical(fields);
  parseSnapshot(plaintext); // Nothing is written that cannot be read.
  return plaintext;
}

/** Checks and decodes the plaintext of a snapshot record. */
export function parseSnapshot(plaintext: Uint8Array): Snapshot {
  if (plaintext.length > FRAME_BYTES_MAX) throw new Fault("limit", `snapshot: got ${plaintext.length} bytes, want at most ${FRAME_BYTES_MAX}`);
  const fields = takeFields(decodeCanonical(plaintext), "snapshot", [1, 2, 3, 4, 5, 6, 7, 9], [8, 10, 11, 12, 13, 14]);
  const totals = takeArray(fields.get(7), "snapshot totals", 4).map((value) => takeUint(value, "snapshot total")) as [number, number, number, number];
  const [agentVersion, runtime] = takeArray(fields.get(9), "snapshot made by", 2);
  const failures = takeListed(fields.get(10), "snapshot failures", FAILURES_LISTED_MAX).map(takeFailure);
  if (fields.has(13) && fields.get(13) !== true) throw new Fault("format", "snapshot partial: want true or nothing");
  return {
    paths: takeArray(fields.get(1), "snapshot paths").map((path) => takeBytes(path, "snapshot path")),
    host: takeText(fields.get(2), "snapshot host", LABEL_BYTES_MAX),
    started: takeTimestamp(fields.get(3), "snapshot start"),
    ended: takeTimestamp(fields.get(4), "snapshot end"),
    root: takeBytes(fields.get(5), "snapshot root", ID_BYTES) as ObjectId,
    line: takeBytes(fields.get(6), "snapshot line", ID_BYTES) as LineId,
    totals: { files: totals[0], folders: totals[1], others: totals[2], plainBytes: totals[3] },
    tags: takeTags(fields.get(8)),
    agentVersion: takeText(agentVersion, "snapshot agent version", MADE_BY_BYTES_MAX),
    runtime: takeText(runtime, "snapshot runtime", MADE_BY_BYTES_MAX),
    failures,
    failureCount: takeFailureCount(fields.get(11), failures.length),
    losses: takeListed(fields.get(12), "snapshot losses").map((loss) => takeText(loss, "snapshot loss", REASON_BYTES_MAX)),
    isPartial: fields.has(13),
    setName: fields.has(14) ? takeText(fields.get(14), "snapshot set name", LABEL_BYTES_MAX) : null,
  };
}

/** An array that is left out when it is empty. */
function takeListed(value: unknown, what: string, lengthMax?: number): readonly unknown[] {
  if (value === undefined) return [];
  const items = takeArray(value, what, undefined, lengthMax);
  if (items.length === 0) throw new Fault("format", `${what}: default is written out`);
  return items;
}

function takeTimestamp(value: unknown, what: string): Timestamp {
  const [seconds, nanoseconds] = takeArray(value, what, 2);
  return { seconds: takeInt(seconds, what), nanoseconds: takeUint(nanoseconds, what, NANOSECONDS_MAX) };
}

function takeTags(value: unknown): readonly string[] {
  const tags = takeListed(value, "snapshot tags").map((tag) => takeText(tag, "snapshot tag", LABEL_BYTES_MAX));
  for (const [index, tag] of tags.entries()) {
    if (index > 0 && compareBytes(utf8(tags[index - 1] as string), utf8(tag)) >= 0) throw new Fault("format", "snapshot tags: not in order");
  }
  return tags;
}

function takeFailure(value: unknown): SnapshotFailure {
  const [path, reason] = takeArray(value, "snapshot failure", 2);
  return { path: takeBytes(path, "snapshot failure path"), reason: takeText(reason, "snapshot failure reason", REASON_BYTES_MAX) };
}

function takeFailureCount(value: unknown, listedCount: number): number {
  if (value === undefined) return listedCount;
  const count = takeUint(value, "snapshot failure count");
  if (count <= listedCount) throw new Fault("format", `snapshot failure count: got ${count}, want more than the ${listedCount} listed`);
  return count;
}
