/**
 * Slots (docs/format.md §5): the secrets of a vault, sealed under something that a person or a device has. Create and open; the bytes are in
 * slot-body.ts.
 */
import { assert, type Bytes, concatBytes, equalBytes, Fault, type Random, utf8 } from "@holdfast/base";
import type { DeviceId, VaultId } from "@holdfast/protocol";
import { hpkeOpen, hpkeSeal, type X25519PrivateKey, type X25519PublicKey } from "./hpke.ts";
import { checkEpoch, epochsSlotKey, type RecoveryEntropy, recoverySlotKey, vaultIdOf } from "./key.ts";
import { ARGON2_COST_DEFAULT, ARGON2_SALT_BYTES, type Argon2Cost, passphraseSlotKey } from "./passphrase.ts";
import { type SigningSeed, signingKeyOf } from "./signature.ts";
import {
  checkSlotFields,
  encodeSecrets,
  encodeSlot,
  parseSecrets,
  SLOT_ID_BYTES,
  type Slot,
  type SlotHead,
  type SlotId,
  type SlotParameters,
  type SlotSecrets,
  slotContext,
} from "./slot-body.ts";
import { aes256Gcm } from "./suite/aes-256-gcm.ts";
import { asInputKey, INPUT_KEY_BYTES, type InputKey, sealedFault } from "./suite/suite.ts";

export { ARGON2_COST_DEFAULT, type Argon2Cost, checkArgon2Cost } from "./passphrase.ts";
export { generateRecoveryEntropy, parseRecoveryCode, recoveryCodeOf } from "./recovery-code.ts";
export {
  type EpochEntry,
  parseSlot,
  SLOT_TYPES,
  type Slot,
  type SlotHead,
  type SlotId,
  type SlotParameters,
  type SlotSecrets,
  type SlotType,
} from "./slot-body.ts";

/** What a new slot is closed with. */
export type SlotLock =
  | { readonly type: "passphrase"; readonly passphrase: string; readonly cost?: Argon2Cost }
  | { readonly type: "recovery"; readonly entropy: RecoveryEntropy }
  | { readonly type: "recipient"; readonly publicKey: X25519PublicKey }
  | { readonly type: "device"; readonly deviceId: DeviceId; readonly slotKey: InputKey }
  | { readonly type: "epochs"; readonly ownerSeed: SigningSeed; readonly generation: number };

/** What a slot is opened with. */
export type SlotUnlock =
  | { readonly type: "passphrase"; readonly passphrase: string }
  | { readonly type: "recovery"; readonly entropy: RecoveryEntropy }
  | { readonly type: "recipient"; readonly privateKey: X25519PrivateKey }
  | { readonly type: "device"; readonly slotKey: InputKey }
  | { readonly type: "epochs"; readonly ownerSeed: SigningSeed };

export interface SlotFields {
  readonly vaultId: VaultId;
  readonly createdMs: number;
  /** At most 256 bytes of UTF-8; everyone who sees the journal can read it. */
  readonly label: string;
  /** With the owner seed in slots of persons; in device and epochs slots it must be `null`. Epochs ascending. */
  readonly secrets: SlotSecrets;
}

export interface CreatedSlot {
  readonly slotId: SlotId;
  /** Body of the slot's record. */
  readonly body: Bytes;
}

/** Seals `fields.secrets` under `lock`. A bad passphrase or label is an `input` fault, a cost out of bounds `limit`. */
export async function createSlot(random: Random, fields: SlotFields, lock: SlotLock): Promise<CreatedSlot> {
  const { vaultId, createdMs, label, secrets } = fields;
  checkSlotFields(label, createdMs);
  checkSecretsToSeal(secrets, vaultId, lock);
  const slotId = random.bytes(SLOT_ID_BYTES) as SlotId;
  const { parameters, slotKey } = await closeLock(random, vaultId, slotId, lock);
  const head: SlotHead = { vaultId, slotId, createdMs, label, parameters };
  const sealed = (await aes256Gcm.seal(random, slotKey, slotContext(head), encodeSecrets(secrets))) as Bytes;
  return { slotId, body: encodeSlot({ ...head, sealed }) };
}

/**
 * The secrets of a slot that `parseSlot` returned. A wrong key, or any byte changed, is the one `integrity` fault; a passphrase slot whose cost is
 * out of bounds is `limit` before anything is computed; an unlock of another type is `input`.
 */
export async function openSlot(slot: Slot, unlock: SlotUnlock): Promise<SlotSecrets> {
  const slotKey = await openLock(slot, unlock);
  const secrets = parseSecrets(await aes256Gcm.open(slotKey, slotContext(slot), slot.sealed));
  checkOpenedSecrets(secrets, slot);
  return secrets;
}

/** Fresh key of a device slot; it lies beside the slot in the agent's state folder. */
export function generateSlotKey(random: Random): InputKey {
  return asInputKey(random.bytes(INPUT_KEY_BYTES));
}

async function closeLock(random: Random, vaultId: VaultId, slotId: SlotId, lock: SlotLock): Promise<{ parameters: SlotParameters; slotKey: InputKey }> {
  switch (lock.type) {
    case "passphrase": {
      const salt = random.bytes(ARGON2_SALT_BYTES);
      const cost = lock.cost ?? ARGON2_COST_DEFAULT;
      return { parameters: { type: "passphrase", salt, cost }, slotKey: await passphraseSlotKey(lock.passphrase, salt, cost) };
    }
    case "recovery":
      return { parameters: { type: "recovery" }, slotKey: recoverySlotKey(lock.entropy, vaultId) };
    case "recipient": {
      const slotKey = generateSlotKey(random);
      const { enc, sealed } = await hpkeSeal(random, lock.publicKey, hpkeInfo(vaultId, slotId), slotKey);
      return { parameters: { type: "recipient", publicKey: lock.publicKey, enc, wrapped: sealed }, slotKey };
    }
    case "device":
      return { parameters: { type: "device", deviceId: lock.deviceId }, slotKey: lock.slotKey };
    case "epochs":
      return { parameters: { type: "epochs", generation: lock.generation }, slotKey: epochsSlotKey(lock.ownerSeed, vaultId) };
  }
}

async function openLock(slot: Slot, unlock: SlotUnlock): Promise<InputKey> {
  const { parameters, vaultId } = slot;
  if (parameters.type === "passphrase" && unlock.type === "passphrase") return passphraseSlotKey(unlock.passphrase, parameters.salt, parameters.cost);
  if (parameters.type === "recovery" && unlock.type === "recovery") return recoverySlotKey(unlock.entropy, vaultId);
  if (parameters.type === "recipient" && unlock.type === "recipient") {
    return asInputKey(await hpkeOpen(unlock.privateKey, parameters.enc, hpkeInfo(vaultId, slot.slotId), parameters.wrapped));
  }
  if (parameters.type === "device" && unlock.type === "device") return unlock.slotKey;
  if (parameters.type === "epochs" && unlock.type === "epochs") return epochsSlotKey(unlock.ownerSeed, vaultId);
  throw new Fault("input", `slot: cannot open a slot of type ${parameters.type} as ${unlock.type}`);
}

/** A writer that seals what no reader may accept has a bug. */
function checkSecretsToSeal(secrets: SlotSecrets, vaultId: VaultId, lock: SlotLock): void {
  let lastEpoch = -1;
  for (const { epoch } of secrets.epochs) {
    checkEpoch(epoch);
    assert(epoch > lastEpoch, "slot: epochs not ascending");
    lastEpoch = epoch;
  }
  const ownerSeed = isPersonSlot(lock.type) ? secrets.ownerSeed : lock.type === "epochs" ? lock.ownerSeed : null;
  assert(isPersonSlot(lock.type) === (secrets.ownerSeed !== null), "slot: owner seed where it must not be, or none where it must");
  assert(ownerSeed === null || isOwnerOf(ownerSeed, vaultId), "slot: the owner seed is not the vault's");
}

function checkOpenedSecrets(secrets: SlotSecrets, slot: Slot): void {
  if (isPersonSlot(slot.parameters.type)) {
    // Who can seal a slot of a vault that is not theirs must not have us take their keys for the vault's.
    if (secrets.ownerSeed === null || !isOwnerOf(secrets.ownerSeed, slot.vaultId)) throw sealedFault();
  } else if (secrets.ownerSeed !== null) {
    throw new Fault("format", "slot secrets: an owner seed where none belongs");
  }
}

function isPersonSlot(type: SlotParameters["type"]): boolean {
  return type === "passphrase" || type === "recovery" || type === "recipient";
}

function isOwnerOf(ownerSeed: SigningSeed, vaultId: VaultId): boolean {
  const owned = vaultIdOf(signingKeyOf(ownerSeed).publicKey);
  return equalBytes(owned, vaultId);
}

function hpkeInfo(vaultId: VaultId, slotId: SlotId): Bytes {
  return concatBytes(utf8("holdfast/v1/slot\0"), vaultId, slotId);
}
