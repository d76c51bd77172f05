/**
 * Journal entries (docs/format.md §14): the signed links of an account's chain, as values and as bytes.
 * What an entry means for the chain is in journal-state.ts.
 */
import { type Bytes, compareBytes, Fault } from "@holdfast/base";
import { type Canonical, decodeCanonical, encodeCanonical } from "./codec.ts";
import { encodeFrame, parseFrameOf, RECORD_KINDS } from "./frame.ts";
import { type AccountId, asAccountId, asDeviceId, asLineId, asRecordId, asVaultId, type DeviceId, type LineId, type RecordId, type VaultId } from "./id.ts";
import { FORGET_ENTRIES_MAX, JOURNAL_ENTRY_BYTES_MAX, LABEL_BYTES_MAX, MINIMUM_AGE_SECONDS } from "./limits.ts";
import { takeArray, takeBoolean, takeBytes, takeFields, takeOneOf, takeText, takeUint } from "./shape.ts";

/** Entry kinds by name; numbers travel and are frozen. */
export const ENTRY_KINDS = {
  genesis: 1,
  deviceAdded: 2,
  deviceRevoked: 3,
  slotAdded: 4,
  slotRemoved: 5,
  config: 6,
  policy: 7,
  epochAdded: 8,
  snapshot: 9,
  offload: 10,
  forget: 11,
  hold: 12,
  release: 13,
  replace: 14,
  expire: 15,
  rewound: 16,
  import: 17,
  opened: 18,
} as const;

export type EntryKind = (typeof ENTRY_KINDS)[keyof typeof ENTRY_KINDS];

/** Kinds that need the owner's signature beside the device's. */
export const OWNER_KINDS: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7, 8, 16]);
/** Kinds whose numbers are fixed and whose meaning comes with a later release. */
const RESERVED_KINDS: ReadonlySet<number> = new Set([14, 15, 16, 17, 18]);

/** Role numbers in `device-added`. */
export const ROLES = { agent: 1, maintainer: 2, auditor: 3, admin: 4 } as const;
export type Role = keyof typeof ROLES;

/** What a snapshot needs, as a difference to `base` (docs/format.md §15). */
export interface Needs {
  readonly base: RecordId | null;
  readonly count: number;
  readonly additionsDigest: Bytes;
  readonly dropsDigest: Bytes;
}

interface SnapshotBody {
  readonly snapshot: RecordId;
  readonly line: LineId;
  readonly complete: boolean;
  readonly needs: Needs;
  /** Entry id of the partial snapshot that this one replaces. */
  readonly supersedes: RecordId | null;
}

/** Body of an entry by kind. */
export type EntryBody =
  | { readonly kind: 1; readonly ownerKey: Bytes; readonly containerKey: Bytes; readonly config: RecordId; readonly deviceKey: Bytes }
  | { readonly kind: 2; readonly deviceKey: Bytes; readonly roles: readonly Role[]; readonly label: string }
  | { readonly kind: 3; readonly device: DeviceId; readonly badSince: number | null }
  | { readonly kind: 4; readonly slot: RecordId; readonly slotType: number; readonly slotId: Bytes; readonly label: string }
  | { readonly kind: 5; readonly slot: RecordId }
  | { readonly kind: 6; readonly config: RecordId }
  | { readonly kind: 7; readonly line: LineId | null; readonly rule: ReadonlyMap<number, number>; readonly minimumAgeSeconds: number }
  | { readonly kind: 8; readonly epoch: number; readonly containerKey: Bytes; readonly slot: RecordId }
  | ({ readonly kind: 9 } & SnapshotBody)
  | ({ readonly kind: 10 } & SnapshotBody)
  | { readonly kind: 11; readonly entries: readonly RecordId[] }
  | { readonly kind: 12; readonly entry: RecordId; readonly reason: string | null }
  | { readonly kind: 13; readonly entry: RecordId; readonly reason: string | null };

/** What the device signs. */
export interface EntryPayload {
  readonly vault: VaultId;
  readonly account: AccountId;
  readonly device: DeviceId;
  readonly seq: number;
  readonly previous: RecordId | null;
  /** By the device's clock. */
  readonly timeMs: number;
  readonly body: EntryBody;
}

/** An entry as it travels. Nothing is believed until journal-state.ts has verified it. */
export interface JournalEntry {
  readonly payload: EntryPayload;
  readonly payloadBytes: Bytes;
  readonly deviceSignature: Bytes;
  readonly ownerSignature: Bytes | null;
}

/** Bytes of the payload: what the signatures cover. */
export function encodeEntryPayload(payload: EntryPayload): Bytes {
  return encodeCanonical(
    new Map<number, Canonical>([
      [1, payload.vault],
      [2, payload.account],
      [3, payload.device],
      [4, payload.seq],
      [5, payload.previous],
      [6, payload.timeMs],
      [7, payload.body.kind],
      [8, encodeBody(payload.body)],
    ]),
  );
}

/** Frame of an entry. */
export function encodeJournalEntry(payloadBytes: Uint8Array, deviceSignature: Uint8Array, ownerSignature: Uint8Array | null): Bytes {
  const body = new Map<number, Canonical>([
    [1, payloadBytes],
    [2, deviceSignature],
  ]);
  if (ownerSignature !== null) body.set(3, ownerSignature);
  return encodeFrame(RECORD_KINDS.journalEntry, 0, 0, encodeCanonical(body));
}

/** The entry in `frame`, its form checked and its signatures not. */
export function parseJournalEntry(frame: Uint8Array): JournalEntry {
  if (frame.length > JOURNAL_ENTRY_BYTES_MAX) throw new Fault("limit", `journal entry: too long, want at most ${JOURNAL_ENTRY_BYTES_MAX} bytes`);
  const fields = takeFields(decodeCanonical(parseFrameOf(RECORD_KINDS.journalEntry, frame).body), "journal entry", [1, 2], [3]);
  const payloadBytes = takeBytes(fields.get(1), "journal entry payload");
  return {
    payload: parsePayload(payloadBytes),
    payloadBytes,
    deviceSignature: takeBytes(fields.get(2), "journal entry device signature", 64),
    ownerSignature: fields.has(3) ? takeBytes(fields.get(3), "journal entry owner signature", 64) : null,
  };
}

function parsePayload(bytes: Bytes): EntryPayload {
  const fields = takeFields(decodeCanonical(bytes), "journal entry", [1, 2, 3, 4, 5, 6, 7, 8]);
  const kind = takeUint(fields.get(7), "journal entry kind");
  if (RESERVED_KINDS.has(kind) || kind < 1 || kind > ENTRY_KINDS.opened) throw new Fault("version", `journal entry: kind ${kind} is not known to this version`);
  const previous = fields.get(5);
  return {
    vault: asVaultId(takeBytes(fields.get(1), "journal entry vault")),
    account: asAccountId(takeBytes(fields.get(2), "journal entry account")),
    device: asDeviceId(takeBytes(fields.get(3), "journal entry device")),
    seq: takeUint(fields.get(4), "journal entry seq"),
    previous: previous === null ? null : asRecordId(takeBytes(previous, "journal entry previous")),
    timeMs: takeUint(fields.get(6), "journal entry time"),
    body: parseBody(kind, fields.get(8)),
  };
}

function encodeBody(body: EntryBody): ReadonlyMap<number, Canonical> {
  switch (body.kind) {
    case 1:
      return numbered(body.ownerKey, body.containerKey, body.config, body.deviceKey);
    case 2:
      return numbered(body.deviceKey, roleNumbers(body.roles), body.label);
    case 3:
      return numbered(body.device, body.badSince ?? undefined);
    case 4:
      return numbered(body.slot, body.slotType, body.slotId, body.label);
    case 5:
      return numbered(body.slot);
    case 6:
      return numbered(body.config);
    case 7:
      return numbered(body.line, body.rule, body.minimumAgeSeconds);
    case 8:
      return numbered(body.epoch, body.containerKey, body.slot);
    case 9:
    case 10: {
      const { base, count, additionsDigest, dropsDigest } = body.needs;
      return numbered(body.snapshot, body.line, body.complete, [base, count, additionsDigest, dropsDigest], body.supersedes ?? undefined);
    }
    case 11:
      return numbered([...body.entries].sort(compareBytes));
    case 12:
    case 13:
      return numbered(body.entry, body.reason ?? undefined);
  }
}

/** A map of the values under keys 1, 2, …; `undefined` leaves its key out. */
function numbered(...values: readonly (Canonical | undefined)[]): ReadonlyMap<number, Canonical> {
  const map = new Map<number, Canonical>();
  values.forEach((value, index) => {
    if (value !== undefined) map.set(index + 1, value);
  });
  return map;
}

function parseBody(kind: number, value: unknown): EntryBody {
  const record = (fields: ReadonlyMap<number, unknown>, key: number): RecordId => asRecordId(takeBytes(fields.get(key), `entry field ${key}`));
  const key32 = (fields: ReadonlyMap<number, unknown>, key: number): Bytes => takeBytes(fields.get(key), `entry field ${key}`, 32);
  switch (kind) {
    case 1: {
      const fields = takeFields(value, "genesis", [1, 2, 3, 4]);
      return { kind, ownerKey: key32(fields, 1), containerKey: key32(fields, 2), config: record(fields, 3), deviceKey: key32(fields, 4) };
    }
    case 2: {
      const fields = takeFields(value, "device-added", [1, 2, 3]);
      return { kind, deviceKey: key32(fields, 1), roles: parseRoles(fields.get(2)), label: takeText(fields.get(3), "label", LABEL_BYTES_MAX) };
    }
    case 3: {
      const fields = takeFields(value, "device-revoked", [1], [2]);
      const badSince = fields.has(2) ? takeUint(fields.get(2), "bad since") : null;
      return { kind, device: asDeviceId(takeBytes(fields.get(1), "device")), badSince };
    }
    case 4: {
      const fields = takeFields(value, "slot-added", [1, 2, 3, 4]);
      const slotType = takeUint(fields.get(2), "slot type", 255);
      return {
        kind,
        slot: record(fields, 1),
        slotType,
        slotId: takeBytes(fields.get(3), "slot id", 16),
        label: takeText(fields.get(4), "label", LABEL_BYTES_MAX),
      };
    }
    case 5:
      return { kind, slot: record(takeFields(value, "slot-removed", [1]), 1) };
    case 6:
      return { kind, config: record(takeFields(value, "config", [1]), 1) };
    case 7:
      return parsePolicy(value);
    case 8: {
      const fields = takeFields(value, "epoch-added", [1, 2, 3]);
      return { kind, epoch: takeUint(fields.get(1), "epoch", 0xffffffff), containerKey: key32(fields, 2), slot: record(fields, 3) };
    }
    case 9:
    case 10:
      return { kind, ...parseSnapshotBody(value) };
    case 11: {
      const entries = takeArray(takeFields(value, "forget", [1]).get(1), "forget entries", undefined, FORGET_ENTRIES_MAX).map((entry) =>
        asRecordId(takeBytes(entry, "forget entry")),
      );
      if (entries.some((entry, index) => index > 0 && compareBytes(entries[index - 1] as RecordId, entry) >= 0))
        throw new Fault("format", "forget: entries not ascending");
      return { kind, entries };
    }
    default: {
      const fields = takeFields(value, "hold", [1], [2]);
      const reason = fields.has(2) ? takeText(fields.get(2), "reason", LABEL_BYTES_MAX) : null;
      return { kind: kind === 12 ? 12 : 13, entry: record(fields, 1), reason };
    }
  }
}

function parseSnapshotBody(value: unknown): SnapshotBody {
  const fields = takeFields(value, "snapshot entry", [1, 2, 3, 4], [5]);
  const needs = takeArray(fields.get(4), "needs", 4);
  return {
    snapshot: asRecordId(takeBytes(fields.get(1), "snapshot record")),
    line: asLineId(takeBytes(fields.get(2), "line")),
    complete: takeBoolean(fields.get(3), "complete"),
    needs: {
      base: needs[0] === null ? null : asRecordId(takeBytes(needs[0], "needs base")),
      count: takeUint(needs[1], "needs count"),
      additionsDigest: takeBytes(needs[2], "needs additions", 32),
      dropsDigest: takeBytes(needs[3], "needs drops", 32),
    },
    supersedes: fields.has(5) ? asRecordId(takeBytes(fields.get(5), "supersedes")) : null,
  };
}

function parsePolicy(value: unknown): EntryBody {
  const fields = takeFields(value, "policy", [1, 2, 3]);
  const rule = takeFields(fields.get(2), "policy rule", [], [1, 2, 3, 4, 5, 6]);
  for (const count of rule.values()) if (takeUint(count, "policy rule") < 1) throw new Fault("format", "policy rule: want at least 1");
  const minimumAgeSeconds = takeUint(fields.get(3), "policy minimum age");
  if (minimumAgeSeconds < MINIMUM_AGE_SECONDS) throw new Fault("limit", `policy minimum age: got ${minimumAgeSeconds} s, want at least ${MINIMUM_AGE_SECONDS}`);
  const line = fields.get(1);
  return { kind: 7, line: line === null ? null : asLineId(takeBytes(line, "policy line")), rule: rule as ReadonlyMap<number, number>, minimumAgeSeconds };
}

function roleNumbers(roles: readonly Role[]): readonly number[] {
  return roles.map((role) => ROLES[role]).sort((left, right) => left - right);
}

function parseRoles(value: unknown): readonly Role[] {
  const numbers = takeArray(value, "roles", undefined, 4).map((role) => takeOneOf(role, "role", [1, 2, 3, 4]));
  if (numbers.length === 0 || numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] as number))) {
    throw new Fault("format", "roles: want at least one, ascending");
  }
  return numbers.map((number) => (Object.keys(ROLES) as Role[])[number - 1] as Role);
}
