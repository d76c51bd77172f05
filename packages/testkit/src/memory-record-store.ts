/** A storage node for one vault, in memory: the reference of what a RecordStore does, and the peer of client tests. */
import { type Bytes, bytesToHex, type Clock, concatBytes, equalBytes, Fault, hexToBytes, type Random } from "@holdfast/base";
import {
  type AccountId,
  applyEntry,
  asLeaseId,
  asRecordId,
  type ChangesAnswer,
  checkNeedsCount,
  checkNeedsDigests,
  type DeviceId,
  type EntryBody,
  emptyJournal,
  encodeReceipt,
  encodeReceiptPayload,
  type JournalState,
  LEASE_MS,
  type LeaseId,
  NEEDS_IDS_MAX,
  PAGE_ITEMS_MAX,
  parseFrame,
  RECORD_KINDS,
  RECORDS_BODY_BYTES_MAX,
  RECORDS_PER_REQUEST_MAX,
  type RecordId,
  type RecordStore,
  type VaultId,
} from "@holdfast/protocol";
import { type TestKey, testKey, testVerifier } from "./test-keys.ts";

/** Ids that a `missing` fault lists. */
const MISSING_LISTED_MAX = 1_000;

export interface MemoryNodeOptions {
  readonly vault: VaultId;
  readonly account: AccountId;
  readonly clock: Clock;
  readonly random: Random;
  readonly key?: TestKey;
  /** Items in a page of `changes` and `journal`. */
  readonly pageItems?: number;
}

interface CommittedEntry {
  readonly entry: Bytes;
  readonly receipt: Bytes;
  readonly entryId: RecordId;
  readonly receiptId: RecordId;
}

/** What a test may look at and break. `store` gives the view of one device; without an id any author may commit. */
export interface MemoryNode {
  readonly key: TestKey;
  /** Frames by id in hex. Tests may put, change and delete here. */
  readonly records: Map<string, Bytes>;
  /** The chain. Tests may rewrite history here. */
  readonly journal: { entry: Bytes; receipt: Bytes }[];
  /** Ids in hex that answer `cold`. */
  readonly cold: Set<string>;
  store(device?: DeviceId): RecordStore;
  /** Removes `ids` and says so in `changes`. */
  sweep(ids: readonly RecordId[]): void;
}

export function createMemoryNode(options: MemoryNodeOptions): MemoryNode {
  return new NodeInMemory(options);
}

class NodeInMemory implements MemoryNode {
  readonly key: TestKey;
  readonly records = new Map<string, Bytes>();
  readonly cold = new Set<string>();
  readonly journal: CommittedEntry[] = [];
  readonly changeLog: ChangesAnswer["items"] = [];
  readonly leases = new Map<string, number>();
  /** Full sets by hex of the entry that needs them. */
  readonly needed = new Map<string, ReadonlySet<string>>();
  readonly options: MemoryNodeOptions;
  readonly lineage: string;
  state: JournalState;

  constructor(options: MemoryNodeOptions) {
    this.options = options;
    this.key = options.key ?? testKey(99);
    this.lineage = bytesToHex(options.random.bytes(8));
    this.state = emptyJournal(options.vault, options.account);
  }

  store(device?: DeviceId): RecordStore {
    return new MemoryRecordStore(this, device ?? null);
  }

  sweep(ids: readonly RecordId[]): void {
    for (const id of ids) {
      const frame = this.records.get(bytesToHex(id));
      if (frame === undefined) continue;
      this.records.delete(bytesToHex(id));
      this.changeLog.push({ op: "swept", kind: parseFrame(frame).kind, id, bytes: frame.length, tier: "hot" });
    }
  }
}

class MemoryRecordStore implements RecordStore {
  readonly #node: NodeInMemory;
  readonly #device: DeviceId | null;

  constructor(node: NodeInMemory, device: DeviceId | null) {
    this.#node = node;
    this.#device = device;
  }

  async put(frames: Parameters<RecordStore["put"]>[0], lease: LeaseId): ReturnType<RecordStore["put"]> {
    this.#requireLease(lease);
    const byteCount = frames.reduce((sum, frame) => sum + frame.parts.reduce((partSum, part) => partSum + part.length, 0), 0);
    if (frames.length > RECORDS_PER_REQUEST_MAX || byteCount > RECORDS_BODY_BYTES_MAX) throw new Fault("limit", "records: too many in one request");
    let stored = 0;
    for (const { id, parts } of frames) {
      const frame = concatBytes(...parts);
      const { kind } = parseFrame(frame);
      if (kind === RECORD_KINDS.journalEntry || kind === RECORD_KINDS.receipt)
        throw new Fault("format", "records: journal entries and receipts are committed, not stored");
      if (!equalBytes(testVerifier.sha256(frame), id)) throw new Fault("integrity", "record: does not hash to its id");
      const key = bytesToHex(id);
      if (this.#node.records.has(key)) continue;
      this.#node.records.set(key, frame);
      stored++;
      if (kind === RECORD_KINDS.contentIndex || kind === RECORD_KINDS.structureIndex)
        this.#node.changeLog.push({ op: "added", kind, id, bytes: frame.length, tier: "hot" });
    }
    return { stored, present: frames.length - stored };
  }

  async missing(ids: readonly RecordId[], lease: LeaseId): Promise<RecordId[]> {
    this.#requireLease(lease);
    return ids.filter((id) => !this.#node.records.has(bytesToHex(id)));
  }

  async get(id: RecordId): Promise<Bytes | null> {
    const frame = this.#frame(id);
    if (frame !== null && !equalBytes(testVerifier.sha256(frame), id)) throw new Fault("integrity", "record: does not hash to its id");
    return frame;
  }

  async getRange(id: RecordId, offset: number, length: number): Promise<Bytes | null> {
    return this.#frame(id)?.slice(offset, offset + length) ?? null;
  }

  async changes(cursor: string): Promise<ChangesAnswer> {
    const { changeLog, lineage } = this.#node;
    const [cursorLineage, position] = cursor === "" ? [lineage, "0"] : cursor.split(".");
    if (cursorLineage !== lineage || position === undefined) throw new Fault("conflict", "changes: cursor of another lineage; start from the beginning");
    const start = Number(position);
    const items = changeLog.slice(start, start + this.#pageItems());
    const end = start + items.length;
    return { cursor: `${lineage}.${end}`, more: end < changeLog.length, items };
  }

  async lease(lease: LeaseId | null): ReturnType<RecordStore["lease"]> {
    const id = lease ?? asLeaseId(this.#node.options.random.bytes(16));
    const expiresAtMs = this.#node.options.clock.nowMs() + LEASE_MS;
    this.#node.leases.set(bytesToHex(id), expiresAtMs);
    return { lease: id, expiresAtMs };
  }

  async commit(entry: Bytes, additions: readonly RecordId[], drops: readonly RecordId[]): Promise<Bytes> {
    const node = this.#node;
    if (additions.length > NEEDS_IDS_MAX || drops.length > NEEDS_IDS_MAX) throw new Fault("limit", `commit: want at most ${NEEDS_IDS_MAX} ids`);
    const again = node.journal.find((committed) => equalBytes(committed.entry, entry));
    if (again !== undefined) return again.receipt;
    const applied = applyEntry(node.state, entry, testVerifier);
    const { payload } = applied.parsed;
    if (this.#device !== null && !equalBytes(payload.device, this.#device)) throw new Fault("denied", "journal entry: was written by another device");
    const { body } = payload;
    this.#requireRecords(namedRecords(body));
    if (body.kind === 9 || body.kind === 10) node.needed.set(bytesToHex(applied.entry), this.#checkNeeds(body, additions, drops));
    else if (additions.length + drops.length > 0) throw new Fault("format", "journal entry: only snapshots add and drop records");
    const previous = node.journal.at(-1)?.receiptId ?? null;
    const bytes = encodeReceiptPayload({ vault: payload.vault, seq: payload.seq, entry: applied.entry, receivedMs: node.options.clock.nowMs(), previous });
    const receipt = encodeReceipt(bytes, node.key.sign("receipt", bytes));
    node.state = applied.state;
    node.journal.push({ entry: new Uint8Array(entry), receipt, entryId: applied.entry, receiptId: asRecordId(testVerifier.sha256(receipt)) });
    return receipt;
  }

  async journal(afterSeq: number): ReturnType<RecordStore["journal"]> {
    const rest = this.#node.journal.slice(afterSeq + 1);
    const items = rest.slice(0, this.#pageItems()).map(({ entry, receipt }) => ({ entry, receipt }));
    return { more: items.length < rest.length, items };
  }

  /** The full set, when it is what `needs` signs and all of it is stored. */
  #checkNeeds(body: Extract<EntryBody, { kind: 9 | 10 }>, additions: readonly RecordId[], drops: readonly RecordId[]): ReadonlySet<string> {
    checkNeedsDigests(body.needs, additions, drops, testVerifier.sha256);
    const base = body.needs.base === null ? null : (this.#node.needed.get(bytesToHex(body.needs.base)) as ReadonlySet<string>);
    checkNeedsCount(body.needs, base?.size ?? null, additions.length, drops.length);
    const full = new Set(base);
    for (const id of drops) if (!full.delete(bytesToHex(id))) throw new Fault("integrity", "needs: drops records that its base does not have");
    for (const id of additions) {
      if (base?.has(bytesToHex(id))) throw new Fault("integrity", "needs: adds records that its base has already");
      full.add(bytesToHex(id));
    }
    if (!full.has(bytesToHex(body.snapshot))) throw new Fault("integrity", "needs: lack the snapshot record");
    this.#requireRecords([...full].map((hex) => asRecordId(hexToBytes(hex) as Bytes)));
    return full;
  }

  #requireRecords(ids: readonly RecordId[]): void {
    const missing = ids.map(bytesToHex).filter((hex) => !this.#node.records.has(hex));
    if (missing.length === 0) return;
    throw new Fault("missing", `journal entry: needs ${missing.length} records that are not stored`, {
      detail: { count: missing.length, ids: missing.slice(0, MISSING_LISTED_MAX) },
    });
  }

  #requireLease(lease: LeaseId): void {
    const expiresAtMs = this.#node.leases.get(bytesToHex(lease));
    if (expiresAtMs === undefined || expiresAtMs < this.#node.options.clock.nowMs()) throw new Fault("missing", "lease: unknown, open one first");
  }

  #frame(id: RecordId): Bytes | null {
    const key = bytesToHex(id);
    if (this.#node.cold.has(key)) throw new Fault("cold", "record: must be recalled first");
    return this.#node.records.get(key)?.slice() ?? null;
  }

  #pageItems(): number {
    return this.#node.options.pageItems ?? PAGE_ITEMS_MAX;
  }
}

/** Records that an entry names in its body. */
function namedRecords(body: EntryBody): readonly RecordId[] {
  switch (body.kind) {
    case 1:
    case 6:
      return [body.config];
    case 4:
    case 8:
      return [body.slot];
    case 9:
    case 10:
      return [body.snapshot];
    default:
      return [];
  }
}
