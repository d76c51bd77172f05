/**
 * The bytes of slots (docs/format.md §5), without any key.
 *
 * Body of a slot record = CBOR `{1: type, 2: vault id, 3: slot id, 4: created ms, 5: label, 6: parameters, 7: sealed secrets}`. All but the
 * sealed secrets is the *head*, which is in the context of their sealing: anyone can read it and nobody change it.
 */
import { type Brand, type Bytes, Fault, utf8 } from "@holdfast/base";
import {
  asDeviceId,
  asVaultId,
  type Canonical,
  type DeviceId,
  decodeCanonical,
  encodeCanonical,
  LABEL_BYTES_MAX,
  RECORD_KINDS,
  SLOT_BYTES_MAX,
  takeArray,
  takeBytes,
  takeFields,
  takeText,
  takeUint,
  type VaultId,
} from "@holdfast/protocol";
import { asX25519PublicKey, HPKE_ENC_BYTES, HPKE_TAG_BYTES, type X25519PublicKey } from "./hpke.ts";
import { asEpochSecret, EPOCH_MAX, type EpochSecret, SECRET_BYTES } from "./key.ts";
import { ARGON2_SALT_BYTES, type Argon2Cost } from "./passphrase.ts";
import { asSigningSeed, SIGNING_KEY_BYTES, type SigningSeed } from "./signature.ts";
import { INPUT_KEY_BYTES } from "./suite/suite.ts";

/** 16 random bytes that name a slot. */
export type SlotId = Brand<Bytes, "SlotId">;

/** The number of each slot type in bytes. 5 is reserved. */
export const SLOT_TYPES = { passphrase: 1, recovery: 2, recipient: 3, device: 4, epochs: 6 } as const;

/** What a slot says, by its type, of how its key is had. */
export type SlotParameters =
  | { readonly type: "passphrase"; readonly salt: Bytes; readonly cost: Argon2Cost }
  | { readonly type: "recovery" }
  | { readonly type: "recipient"; readonly publicKey: X25519PublicKey; readonly enc: Bytes; readonly wrapped: Bytes }
  | { readonly type: "device"; readonly deviceId: DeviceId }
  | { readonly type: "epochs"; readonly generation: number };

export type SlotType = SlotParameters["type"];

/** The readable part of a slot. Nothing in it is proven before the slot has been opened. */
export interface SlotHead {
  readonly vaultId: VaultId;
  readonly slotId: SlotId;
  readonly createdMs: number;
  readonly label: string;
  readonly parameters: SlotParameters;
}

export interface Slot extends SlotHead {
  readonly sealed: Bytes;
}

export interface EpochEntry {
  readonly epoch: number;
  readonly secret: EpochSecret;
}

/** What a slot holds. The owner seed is there in slots of persons: passphrase, recovery, recipient. */
export interface SlotSecrets {
  readonly ownerSeed: SigningSeed | null;
  /** Ascending by epoch, each once. */
  readonly epochs: readonly EpochEntry[];
}

export const SLOT_ID_BYTES = 16;

const SUITE_ID = 1; // Of the sealed secrets; the record itself has suite 0.
const RESERVED_TYPE = 5;
const WRAPPED_BYTES = INPUT_KEY_BYTES + HPKE_TAG_BYTES;

/** Body of the slot's record. */
export function encodeSlot(slot: Slot): Bytes {
  // A copy of its own: what the codec returns may lie in a pool of the platform, and is kept and sent from here.
  const body = new Uint8Array(encodeCanonical(new Map([...headFields(slot), [7, slot.sealed]])));
  if (body.length > SLOT_BYTES_MAX) throw new Fault("limit", `slot: got ${body.length} bytes, want at most ${SLOT_BYTES_MAX}`);
  return body;
}

/** The slot in the body of a slot record. Not of this form: `format`. Reserved type: `version`. Nothing is proven yet. */
export function parseSlot(body: Uint8Array): Slot {
  if (body.length > SLOT_BYTES_MAX) throw new Fault("limit", `slot: got ${body.length} bytes, want at most ${SLOT_BYTES_MAX}`);
  const fields = takeFields(decodeCanonical(body), "slot", [1, 2, 3, 4, 5, 6, 7]);
  return {
    vaultId: asVaultId(takeBytes(fields.get(2), "slot: vault id")),
    slotId: takeBytes(fields.get(3), "slot: id", SLOT_ID_BYTES) as SlotId,
    createdMs: takeUint(fields.get(4), "slot: created"),
    label: takeText(fields.get(5), "slot: label", LABEL_BYTES_MAX),
    parameters: parseParameters(takeUint(fields.get(1), "slot: type"), fields.get(6)),
    sealed: takeBytes(fields.get(7), "slot: sealed secrets"),
  };
}

/** Context under which the secrets of a slot are sealed: CBOR `[1, suite, vault id, record kind, 0, head]`. */
export function slotContext(head: SlotHead): Bytes {
  return encodeCanonical([1, SUITE_ID, head.vaultId, RECORD_KINDS.slot, 0, encodeCanonical(headFields(head))]);
}

/** Plaintext of the sealed secrets: CBOR `{1: owner seed or null, 2: [[epoch, secret], …]}`. */
export function encodeSecrets(secrets: SlotSecrets): Bytes {
  const epochs = secrets.epochs.map((entry): Canonical => [entry.epoch, entry.secret]);
  return encodeCanonical(
    new Map<number, Canonical>([
      [1, secrets.ownerSeed],
      [2, epochs],
    ]),
  );
}

/** The secrets in an authenticated plaintext. */
export function parseSecrets(plaintext: Uint8Array): SlotSecrets {
  const fields = takeFields(decodeCanonical(plaintext), "slot secrets", [1, 2]);
  const seed = fields.get(1);
  const ownerSeed = seed === null ? null : asSigningSeed(takeBytes(seed, "slot secrets: owner seed", SIGNING_KEY_BYTES));
  let lastEpoch = -1;
  const epochs = takeArray(fields.get(2), "slot secrets: epochs").map((item): EpochEntry => {
    const [first, second] = takeArray(item, "slot secrets: epoch", 2);
    const epoch = takeUint(first, "slot secrets: epoch", EPOCH_MAX);
    if (epoch <= lastEpoch) throw new Fault("format", "slot secrets: epochs not ascending");
    lastEpoch = epoch;
    return { epoch, secret: asEpochSecret(takeBytes(second, "slot secrets: epoch secret", SECRET_BYTES)) };
  });
  return { ownerSeed, epochs };
}

/** Refuses what a writer must never write: `input` for a label, since people give it, else `format`. */
export function checkSlotFields(label: string, createdMs: number): void {
  if (utf8(label).length > LABEL_BYTES_MAX) throw new Fault("input", `label: want at most ${LABEL_BYTES_MAX} bytes`);
  if (/\p{Surrogate}/u.test(label)) throw new Fault("input", "label: not valid Unicode text");
  takeUint(createdMs, "slot: created");
}

function headFields(head: SlotHead): Map<number, Canonical> {
  return new Map<number, Canonical>([
    [1, SLOT_TYPES[head.parameters.type]],
    [2, head.vaultId],
    [3, head.slotId],
    [4, head.createdMs],
    [5, head.label],
    [6, encodeParameters(head.parameters)],
  ]);
}

function encodeParameters(parameters: SlotParameters): ReadonlyMap<number, Canonical> {
  switch (parameters.type) {
    case "passphrase":
      return new Map<number, Canonical>([
        [1, parameters.salt],
        [2, parameters.cost.memoryKib],
        [3, parameters.cost.passes],
      ]);
    case "recovery":
      return new Map();
    case "recipient":
      return new Map<number, Canonical>([
        [1, parameters.publicKey],
        [2, parameters.enc],
        [3, parameters.wrapped],
      ]);
    case "device":
      return new Map<number, Canonical>([[1, parameters.deviceId]]);
    case "epochs":
      return new Map<number, Canonical>([[1, parameters.generation]]);
  }
}

function parseParameters(type: number, value: unknown): SlotParameters {
  const take = (...keys: readonly number[]) => takeFields(value, "slot parameters", keys);
  switch (type) {
    case SLOT_TYPES.passphrase: {
      const fields = take(1, 2, 3);
      const salt = takeBytes(fields.get(1), "slot: salt", ARGON2_SALT_BYTES);
      return { type: "passphrase", salt, cost: { memoryKib: takeUint(fields.get(2), "slot: memory"), passes: takeUint(fields.get(3), "slot: passes") } };
    }
    case SLOT_TYPES.recovery:
      take();
      return { type: "recovery" };
    case SLOT_TYPES.recipient: {
      const fields = take(1, 2, 3);
      const publicKey = asX25519PublicKey(takeBytes(fields.get(1), "slot: recipient key"));
      const enc = takeBytes(fields.get(2), "slot: enc", HPKE_ENC_BYTES);
      return { type: "recipient", publicKey, enc, wrapped: takeBytes(fields.get(3), "slot: wrapped key", WRAPPED_BYTES) };
    }
    case SLOT_TYPES.device:
      return { type: "device", deviceId: asDeviceId(takeBytes(take(1).get(1), "slot: device id")) };
    case SLOT_TYPES.epochs:
      return { type: "epochs", generation: takeUint(take(1).get(1), "slot: generation") };
    case RESERVED_TYPE:
      throw new Fault("version", `slot: type ${type} needs a later version`);
    default:
      throw new Fault("format", `slot: type ${type} is unknown`);
  }
}
