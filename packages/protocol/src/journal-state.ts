/**
 * The journal as a state machine: which owner, devices, slots, epochs, policies and snapshots an account has after
 * each entry. Storage node, agent and auditors run the same code over the same entries; none of them trusts another.
 */
import { type Bytes, bytesToHex, equalBytes, Fault } from "@holdfast/base";
import type { AccountId, DeviceId, LineId, RecordId, VaultId } from "./id.ts";
import { asDeviceId, asRecordId } from "./id.ts";
import { type EntryBody, type EntryPayload, type JournalEntry, type Needs, OWNER_KINDS, parseJournalEntry, type Role } from "./journal-entry.ts";
import { SLOTS_MAX } from "./limits.ts";
import { parseReceipt, type Receipt } from "./receipt.ts";

/** Uses of a signature: the label of docs/format.md §2. */
export type SignatureUse = "request" | "journal" | "owner" | "receipt" | "index" | "container";

/** The primitives that verification needs; passed in, so that this package stays free of them. */
export interface Verifier {
  sha256(bytes: Uint8Array): Bytes;
  verify(use: SignatureUse, publicKey: Uint8Array, body: Uint8Array, signature: Uint8Array): boolean;
}

/** A device that the owner admitted. */
export interface JournalDevice {
  readonly id: DeviceId;
  readonly key: Bytes;
  readonly roles: ReadonlySet<Role>;
  readonly label: string;
  readonly addedSeq: number;
  readonly revokedSeq: number | null;
  /** Nothing that the device wrote from this seq on is trusted for dedup. */
  readonly badSince: number | null;
}

export interface JournalSlot {
  readonly record: RecordId;
  readonly type: number;
  readonly id: Bytes;
  readonly label: string;
  readonly addedSeq: number;
  readonly timeMs: number;
}

/** A snapshot or offload entry that counts. */
export interface JournalSnapshot {
  readonly entry: RecordId;
  readonly record: RecordId;
  readonly seq: number;
  readonly device: DeviceId;
  readonly line: LineId;
  readonly complete: boolean;
  readonly offload: boolean;
  readonly needs: Needs;
  /** By the device's clock. */
  readonly timeMs: number;
  /** How many holds lie on it. */
  readonly holdCount: number;
}

/** Everything that the entries so far say. Maps are keyed by lower-case hex. */
export interface JournalState {
  readonly vault: VaultId;
  readonly account: AccountId;
  readonly head: { readonly seq: number; readonly entry: RecordId; readonly timeMs: number } | null;
  readonly ownerKey: Bytes | null;
  /** The device of genesis, which admits itself at seq 1. */
  readonly founder: DeviceId | null;
  readonly config: RecordId | null;
  readonly epoch: number;
  readonly containerKeys: ReadonlyMap<number, Bytes>;
  readonly epochsSlot: RecordId | null;
  readonly devices: ReadonlyMap<string, JournalDevice>;
  readonly slots: ReadonlyMap<string, JournalSlot>;
  readonly policies: readonly Extract<EntryBody, { kind: 7 }>[];
  /** Retained snapshots by entry id: not forgotten, not superseded. */
  readonly snapshots: ReadonlyMap<string, JournalSnapshot>;
}

/** Role that a kind needs; kinds that only the owner may write are not here. */
const ROLE_BY_KIND: ReadonlyMap<number, Role> = new Map([
  [9, "agent"],
  [10, "agent"],
  [11, "maintainer"],
  [12, "maintainer"],
  [13, "maintainer"],
]);

/** The state before genesis. */
export function emptyJournal(vault: VaultId, account: AccountId): JournalState {
  return {
    vault,
    account,
    head: null,
    ownerKey: null,
    founder: null,
    config: null,
    epoch: 0,
    containerKeys: new Map(),
    epochsSlot: null,
    devices: new Map(),
    slots: new Map(),
    policies: [],
    snapshots: new Map(),
  };
}

/**
 * The state after the entry in `frame`. Checks, in this order: form, vault and account, place in the chain (`conflict`
 * with the head when it does not follow it), device and role (`denied`), signatures (`integrity`), meaning.
 * `state` is not changed, unless it is handed over with `mayReuse`: whoever replays a chain gives each state up for the
 * next, and a chain of thousands of snapshots is not copied thousands of times. After a fault such a state is spent.
 */
export function applyEntry(
  state: JournalState,
  frame: Uint8Array,
  verifier: Verifier,
  mayReuse = false,
): { readonly state: JournalState; readonly entry: RecordId; readonly parsed: JournalEntry } {
  const parsed = parseJournalEntry(frame);
  const { payload } = parsed;
  if (!equalBytes(payload.vault, state.vault)) throw new Fault("integrity", "journal entry: belongs to another vault");
  if (!equalBytes(payload.account, state.account)) throw new Fault("integrity", "journal entry: belongs to another account");
  checkPlace(state, payload);
  const entry = asRecordId(verifier.sha256(frame));
  const next = { ...state, head: { seq: payload.seq, entry, timeMs: payload.timeMs } };
  checkAuthority(state, parsed, verifier);
  return { state: { ...next, ...applyBody(state, payload, entry, verifier, mayReuse) }, entry, parsed };
}

/** Verifies that `frame` is the node's receipt for `entry` at `seq`, following `previous`. Anything else is `integrity`. */
export function verifyReceipt(
  frame: Uint8Array,
  nodeKey: Uint8Array,
  want: { vault: VaultId; seq: number; entry: RecordId; previous: RecordId | null },
  verifier: Verifier,
): { readonly receipt: RecordId; readonly parsed: Receipt } {
  const parsed = parseReceipt(frame);
  const { payload } = parsed;
  const follows = payload.previous === null ? want.previous === null : want.previous !== null && equalBytes(payload.previous, want.previous);
  if (!equalBytes(payload.vault, want.vault) || payload.seq !== want.seq || !equalBytes(payload.entry, want.entry) || !follows) {
    throw new Fault("integrity", "receipt: is not for this entry");
  }
  if (!verifier.verify("receipt", nodeKey, parsed.payloadBytes, parsed.signature)) throw new Fault("integrity", "receipt: signature does not verify");
  return { receipt: asRecordId(verifier.sha256(frame)), parsed };
}

function checkPlace(state: JournalState, payload: EntryPayload): void {
  const { head } = state;
  const follows =
    head === null
      ? payload.seq === 0 && payload.previous === null
      : payload.seq === head.seq + 1 && payload.previous !== null && equalBytes(payload.previous, head.entry);
  if (follows) return;
  const detail = head === null ? { seq: -1 } : { seq: head.seq, head: bytesToHex(head.entry) };
  throw new Fault("conflict", "journal entry: does not follow the head", { detail });
}

function checkAuthority(state: JournalState, parsed: JournalEntry, verifier: Verifier): void {
  const { payload, payloadBytes } = parsed;
  const { body } = payload;
  const isGenesis = body.kind === 1;
  if (isGenesis !== (payload.seq === 0)) throw new Fault("format", "journal entry: genesis stands at seq 0 and nowhere else");
  const device = state.devices.get(bytesToHex(payload.device));
  // The founding device signs genesis, and a device that joins signs its own admission, before any entry could have granted them a role: the owner's signature does.
  if (payload.seq === 1 && !isAdmissionOfFounder(state, payload, verifier))
    throw new Fault("denied", "journal entry: seq 1 is the device-added of the genesis device");
  const admitsItself = body.kind === 2 && equalBytes(verifier.sha256(body.deviceKey).subarray(0, 16), payload.device);
  const founding = isGenesis || admitsItself ? body.deviceKey : null;
  const deviceKey = founding ?? device?.key;
  if (deviceKey === undefined || (founding === null && device?.revokedSeq !== null)) throw new Fault("denied", "journal entry: device unknown or revoked");
  if (!equalBytes(verifier.sha256(deviceKey).subarray(0, 16), payload.device)) throw new Fault("integrity", "journal entry: device id is not its key's");
  const needsOwner = OWNER_KINDS.has(body.kind);
  if (needsOwner !== (parsed.ownerSignature !== null)) {
    throw new Fault(
      "denied",
      needsOwner ? "journal entry: needs the owner's signature" : "journal entry: carries an owner's signature that its kind does not have",
    );
  }
  if (!needsOwner) checkRole(state, payload, device as JournalDevice);
  if (!verifier.verify("journal", deviceKey, payloadBytes, parsed.deviceSignature)) throw new Fault("integrity", "journal entry: signature does not verify");
  if (parsed.ownerSignature === null) return;
  const ownerKey = isGenesis ? body.ownerKey : (state.ownerKey as Bytes);
  if (isGenesis && !equalBytes(verifier.sha256(ownerKey).subarray(0, 16), state.vault))
    throw new Fault("integrity", "genesis: vault id is not the owner key's");
  if (!verifier.verify("owner", ownerKey, payloadBytes, parsed.ownerSignature))
    throw new Fault("integrity", "journal entry: owner's signature does not verify");
}

function isAdmissionOfFounder(state: JournalState, payload: EntryPayload, verifier: Verifier): boolean {
  if (payload.body.kind !== 2 || state.founder === null || !equalBytes(payload.device, state.founder)) return false;
  return equalBytes(verifier.sha256(payload.body.deviceKey).subarray(0, 16), state.founder);
}

function checkRole(state: JournalState, payload: EntryPayload, device: JournalDevice): void {
  const role = ROLE_BY_KIND.get(payload.body.kind) as Role;
  if (device.roles.has(role)) return;
  if (payload.body.kind === 13 && device.roles.has("agent")) {
    const held = state.snapshots.get(bytesToHex(payload.body.entry));
    // While a hold lies on it, it is the maintainer's to release.
    if (held?.offload && held.holdCount === 0 && equalBytes(held.device, payload.device)) return;
  }
  throw new Fault("denied", `journal entry: needs the role ${role}`);
}

function applyBody(state: JournalState, payload: EntryPayload, entry: RecordId, verifier: Verifier, mayReuse: boolean): Partial<JournalState> {
  const { body } = payload;
  switch (body.kind) {
    case 1:
      return { ownerKey: body.ownerKey, founder: payload.device, config: body.config, containerKeys: new Map([[0, body.containerKey]]) };
    case 2: {
      const id = asDeviceId(verifier.sha256(body.deviceKey).slice(0, 16));
      const device = { id, key: body.deviceKey, roles: new Set(body.roles), label: body.label, addedSeq: payload.seq, revokedSeq: null, badSince: null };
      return { devices: withEntry(state.devices, bytesToHex(id), device) };
    }
    case 3: {
      const key = bytesToHex(body.device);
      const device = state.devices.get(key);
      if (device === undefined) throw new Fault("missing", "device-revoked: device unknown");
      return { devices: withEntry(state.devices, key, { ...device, revokedSeq: payload.seq, badSince: body.badSince }) };
    }
    case 4: {
      const slot = { record: body.slot, type: body.slotType, id: body.slotId, label: body.label, addedSeq: payload.seq, timeMs: payload.timeMs };
      if (state.slots.size >= SLOTS_MAX && !state.slots.has(bytesToHex(body.slot))) throw new Fault("limit", `slot-added: want at most ${SLOTS_MAX} slots`);
      const epochsSlot = body.slotType === 6 ? { epochsSlot: body.slot } : {};
      return { slots: withEntry(state.slots, bytesToHex(body.slot), slot), ...epochsSlot };
    }
    case 5:
      return removeSlot(state, body.slot);
    case 6:
      return { config: body.config };
    case 7:
      return { policies: [...state.policies.filter((policy) => !sameLine(policy.line, body.line)), body] };
    case 8:
      if (body.epoch !== state.epoch + 1) throw new Fault("format", `epoch-added: got epoch ${body.epoch}, want ${state.epoch + 1}`);
      return { epoch: body.epoch, containerKeys: withEntry(state.containerKeys, body.epoch, body.containerKey), epochsSlot: body.slot };
    case 9:
    case 10:
      return { snapshots: addSnapshot(state, payload, body, entry, mayReuse) };
    case 11: {
      const snapshots = new Map(state.snapshots);
      for (const forgotten of body.entries) {
        const snapshot = snapshots.get(bytesToHex(forgotten));
        if (snapshot === undefined) throw new Fault("missing", "forget: snapshot entry unknown");
        if (snapshot.holdCount > 0) throw new Fault("denied", "forget: a hold lies on the snapshot");
        if (snapshot.offload) throw new Fault("denied", "forget: an offload goes by its release");
        snapshots.delete(bytesToHex(forgotten));
      }
      return { snapshots };
    }
    case 12:
    case 13:
      return changeHold(state, body.entry, body.kind === 12 ? 1 : -1);
  }
}

function addSnapshot(
  state: JournalState,
  payload: EntryPayload,
  body: Extract<EntryBody, { kind: 9 | 10 }>,
  entry: RecordId,
  mayReuse: boolean,
): ReadonlyMap<string, JournalSnapshot> {
  const { needs } = body;
  if (needs.base !== null) {
    const base = state.snapshots.get(bytesToHex(needs.base));
    if (base === undefined)
      throw new Fault("conflict", "needs: base is not a retained snapshot", { detail: { seq: state.head?.seq ?? -1, base: bytesToHex(needs.base) } });
    if (!equalBytes(base.line, body.line)) throw new Fault("format", "needs: base belongs to another line");
  }
  const snapshots = mayReuse ? (state.snapshots as Map<string, JournalSnapshot>) : new Map(state.snapshots);
  if (body.supersedes !== null) {
    const partial = snapshots.get(bytesToHex(body.supersedes));
    // Only a device's own unfinished snapshot gives way; a held one stays.
    const mayGo =
      partial !== undefined &&
      !partial.complete &&
      partial.holdCount === 0 &&
      equalBytes(partial.device, payload.device) &&
      equalBytes(partial.line, body.line);
    if (!mayGo) throw new Fault("denied", "snapshot entry: supersedes something that is not its own partial snapshot");
    snapshots.delete(bytesToHex(body.supersedes));
  }
  const { line, complete } = body;
  const snapshot = {
    entry,
    record: body.snapshot,
    seq: payload.seq,
    device: payload.device,
    line,
    complete,
    offload: body.kind === 10,
    needs,
    timeMs: payload.timeMs,
    holdCount: 0,
  };
  return snapshots.set(bytesToHex(entry), snapshot);
}

function removeSlot(state: JournalState, record: RecordId): Partial<JournalState> {
  if (state.epochsSlot !== null && equalBytes(state.epochsSlot, record)) throw new Fault("denied", "slot-removed: the epochs slot in force stays");
  const slots = new Map(state.slots);
  if (!slots.delete(bytesToHex(record))) throw new Fault("missing", "slot-removed: slot unknown");
  if (![...slots.values()].some((slot) => slot.type >= 1 && slot.type <= 3)) {
    throw new Fault("denied", "slot-removed: the last slot that a person can open stays");
  }
  return { slots };
}

function changeHold(state: JournalState, entry: RecordId, change: 1 | -1): Partial<JournalState> {
  const key = bytesToHex(entry);
  const snapshot = state.snapshots.get(key);
  if (snapshot === undefined) throw new Fault("missing", "hold: snapshot entry unknown");
  const isOffloadRelease = snapshot.offload && change === -1 && snapshot.holdCount === 0;
  if (isOffloadRelease) {
    const snapshots = new Map(state.snapshots);
    snapshots.delete(key);
    return { snapshots };
  }
  if (snapshot.holdCount + change < 0) throw new Fault("missing", "release: no hold lies on the snapshot");
  return { snapshots: withEntry(state.snapshots, key, { ...snapshot, holdCount: snapshot.holdCount + change }) };
}

function sameLine(left: LineId | null, right: LineId | null): boolean {
  return left === null || right === null ? left === right : equalBytes(left, right);
}

function withEntry<Key, Value>(map: ReadonlyMap<Key, Value>, key: Key, value: Value): ReadonlyMap<Key, Value> {
  return new Map(map).set(key, value);
}
