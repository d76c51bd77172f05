/** Opening a person's slot: from a passphrase, a recovery code or a recipient key to the owner's signer and every epoch secret. */
import { bytesToHex, equalBytes, Fault, isFault } from "@holdfast/base";
import {
  createSigner,
  type EpochEntry,
  openSlot,
  parseSlot,
  type Signer,
  type SigningSeed,
  SLOT_TYPES,
  type Slot,
  type SlotSecrets,
  type SlotUnlock,
} from "@holdfast/crypto";
import { type JournalSlot, type JournalState, parseFrameOf, RECORD_KINDS, type RecordId, type RecordStore } from "@holdfast/protocol";

/** What a person has. */
export type PersonSecret = Extract<SlotUnlock, { type: "passphrase" | "recovery" | "recipient" }>;

export interface OpenedOwner {
  readonly seed: SigningSeed;
  readonly signer: Signer;
  /** Of every epoch, ascending. */
  readonly epochs: readonly EpochEntry[];
  /** Generation of the epochs slot in force; 0 when there is none. */
  readonly generation: number;
  /** The slot that the secret opened. */
  readonly slot: JournalSlot;
}

const NAMES: Readonly<Record<PersonSecret["type"], string>> = { passphrase: "passphrase", recovery: "recovery code", recipient: "recipient key" };

/** Tries each slot of the secret's type that counts. None opens: `input`, with `detail.wrongSecret`. A slot that was swapped: `integrity`. */
export async function openOwner(journal: JournalState, store: RecordStore, secret: PersonSecret): Promise<OpenedOwner> {
  const type = SLOT_TYPES[secret.type];
  const candidates = [...journal.slots.values()].filter((slot) => slot.type === type);
  if (candidates.length === 0) throw new Fault("input", `vault: has no slot for a ${NAMES[secret.type]}; use what it has one for`);
  for (const candidate of candidates) {
    const slot = await fetchSlot(store, candidate.record, journal);
    if (SLOT_TYPES[slot.parameters.type] !== candidate.type || !equalBytes(slot.slotId, candidate.id))
      throw new Fault("integrity", "slot: is another than the journal names");
    const secrets = await tryOpen(slot, secret);
    if (secrets?.ownerSeed) return completeOwner(journal, store, candidate, secrets.ownerSeed, secrets.epochs);
  }
  const what = NAMES[secret.type];
  throw new Fault("input", `${what}: opens none of the vault's ${candidates.length} ${what} slot${candidates.length === 1 ? "" : "s"}`, {
    detail: { wrongSecret: true },
  });
}

async function completeOwner(
  journal: JournalState,
  store: RecordStore,
  slot: JournalSlot,
  seed: SigningSeed,
  own: readonly EpochEntry[],
): Promise<OpenedOwner> {
  const newest = journal.epochsSlot === null ? null : await fetchSlot(store, journal.epochsSlot, journal);
  if (newest !== null && newest.parameters.type !== "epochs") throw new Fault("integrity", "slot: is no epochs slot, though the journal says so");
  const listed = newest === null ? own : (await openSlot(newest, { type: "epochs", ownerSeed: seed })).epochs;
  if (!listed.some(({ epoch }) => epoch === journal.epoch)) throw new Fault("integrity", `epochs slot: lacks epoch ${journal.epoch}, which is in force`);
  const generation = newest?.parameters.type === "epochs" ? newest.parameters.generation : 0;
  return { seed, signer: createSigner(seed), epochs: listed, generation, slot };
}

/** `null` when the secret does not open the slot. */
async function tryOpen(slot: Slot, secret: PersonSecret): Promise<SlotSecrets | null> {
  try {
    return await openSlot(slot, secret);
  } catch (error) {
    if (isFault(error, "integrity")) return null;
    throw error;
  }
}

async function fetchSlot(store: RecordStore, record: RecordId, journal: JournalState): Promise<Slot> {
  const frame = await store.get(record);
  if (frame === null) throw new Fault("missing", `slot: the storage node does not have its record ${bytesToHex(record).slice(0, 8)}, which the journal names`);
  const slot = parseSlot(parseFrameOf(RECORD_KINDS.slot, frame).body);
  if (!equalBytes(slot.vaultId, journal.vault)) throw new Fault("integrity", "slot: belongs to another vault");
  return slot;
}
