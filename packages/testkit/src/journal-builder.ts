/** Builds journals entry by entry, honest or not: the least that a test must say is the body. */
import type { Bytes } from "@holdfast/base";
import {
  type AccountId,
  applyEntry,
  asAccountId,
  asLineId,
  asRecordId,
  digestRecordIds,
  type EntryBody,
  type EntryPayload,
  emptyJournal,
  encodeEntryPayload,
  encodeJournalEntry,
  type JournalState,
  type LineId,
  type Needs,
  OWNER_KINDS,
  type RecordId,
  type Role,
} from "@holdfast/protocol";
import { type TestKey, testId, testKey, testVerifier } from "./test-keys.ts";

/** What differs from an honest entry. */
export interface EntryChanges {
  readonly by?: TestKey;
  readonly payload?: Partial<EntryPayload>;
  /** Signs as the owner, or leaves that signature out, whatever the kind says. */
  readonly ownerSigns?: boolean;
  readonly ownerKey?: TestKey;
}

export class JournalBuilder {
  readonly owner: TestKey;
  readonly device: TestKey;
  readonly account: AccountId;
  /** Frames of the entries so far. */
  readonly frames: Bytes[] = [];
  state: JournalState;

  constructor(owner: TestKey = testKey(1), device: TestKey = testKey(2), account: AccountId = asAccountId(testId("account").slice(0, 16))) {
    this.owner = owner;
    this.device = device;
    this.account = account;
    this.state = emptyJournal(owner.vaultId, account);
  }

  /** The frame of an entry that follows the head, honest but for `changes`. Nothing is appended. */
  frame(body: EntryBody, changes: EntryChanges = {}): Bytes {
    const { head } = this.state;
    const by = changes.by ?? this.device;
    const payload: EntryPayload = {
      vault: this.owner.vaultId,
      account: this.account,
      device: by.deviceId,
      seq: head === null ? 0 : head.seq + 1,
      previous: head?.entry ?? null,
      timeMs: 1_760_000_000_000 + this.frames.length * 1_000,
      body,
      ...changes.payload,
    };
    const bytes = encodeEntryPayload(payload);
    const ownerSigns = changes.ownerSigns ?? OWNER_KINDS.has(body.kind);
    return encodeJournalEntry(bytes, by.sign("journal", bytes), ownerSigns ? (changes.ownerKey ?? this.owner).sign("owner", bytes) : null);
  }

  /** Appends the entry, verified; its id. */
  append(body: EntryBody, changes: EntryChanges = {}): RecordId {
    return this.take(this.frame(body, changes));
  }

  /** Appends an entry's frame, verified; its id. */
  take(frame: Bytes): RecordId {
    const applied = applyEntry(this.state, frame, testVerifier);
    this.state = applied.state;
    this.frames.push(frame);
    return applied.entry;
  }

  genesisBody(config: RecordId = asRecordId(testId("config"))): EntryBody {
    return { kind: 1, ownerKey: this.owner.publicKey, containerKey: testId("container key"), config, deviceKey: this.device.publicKey };
  }

  /** Genesis and the admission of its device, with every role. */
  begin(config?: RecordId): this {
    this.append(this.genesisBody(config));
    this.append(admission(this.device, ["agent", "maintainer", "auditor", "admin"]));
    return this;
  }
}

export function admission(device: TestKey, roles: readonly Role[], label = "test device"): EntryBody {
  return { kind: 2, deviceKey: device.publicKey, roles, label };
}

export function slotAdded(slot: RecordId, slotType = 1): EntryBody {
  return { kind: 4, slot, slotType, slotId: slot.slice(0, 16), label: "test slot" };
}

/** Needs of `count` records in all, as the difference to `base`. */
export function needsOf(count: number, additions: readonly RecordId[], drops: readonly RecordId[] = [], base: RecordId | null = null): Needs {
  return { base, count, additionsDigest: digestRecordIds(additions, testVerifier.sha256), dropsDigest: digestRecordIds(drops, testVerifier.sha256) };
}

export interface SnapshotChanges {
  readonly kind?: 9 | 10;
  readonly line?: LineId;
  readonly complete?: boolean;
  readonly needs?: Needs;
  readonly supersedes?: RecordId;
}

/** A complete snapshot of the line "line" that needs nothing but its record, but for `changes`. */
export function snapshotBody(snapshot: RecordId, changes: SnapshotChanges = {}): EntryBody {
  return {
    kind: changes.kind ?? 9,
    snapshot,
    line: changes.line ?? asLineId(testId("line")),
    complete: changes.complete ?? true,
    needs: changes.needs ?? needsOf(1, [snapshot]),
    supersedes: changes.supersedes ?? null,
  };
}
