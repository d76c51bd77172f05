/** Keys (docs/format.md §2): what is derived from an epoch secret, an owner seed or a recovery code, and the ids that public keys give. */
import { type Brand, type Bytes, concatBytes, Fault, type Random, u32, utf8 } from "@holdfast/base";
import type { DeviceId, VaultId } from "@holdfast/protocol";
import { hkdfSha512, sha256 } from "./hash.ts";
import { asX25519PrivateKey, type X25519PrivateKey } from "./hpke.ts";
import type { SigningPublicKey, SigningSeed } from "./signature.ts";
import { asInputKey, type InputKey } from "./suite/suite.ts";

/** 32 random bytes of one key epoch, from which everything under that epoch follows. */
export type EpochSecret = Brand<Bytes, "EpochSecret">;
/** HMAC key of object ids and, in epoch 0, of lines. */
export type ObjectIdKey = Brand<Bytes, "ObjectIdKey">;
/** Seed of the gear table and of the folder split. */
export type ChunkerKey = Brand<Bytes, "ChunkerKey">;
/** 256 bits of entropy of a recovery code. */
export type RecoveryEntropy = Brand<Bytes, "RecoveryEntropy">;

/** The keys of one epoch. */
export interface EpochKeys {
  readonly epoch: number;
  readonly objectId: ObjectIdKey;
  readonly chunker: ChunkerKey;
  /** Content packs and content indexes. */
  readonly sealContent: InputKey;
  /** Config, structure packs, structure indexes, snapshots. */
  readonly sealStructure: InputKey;
  /** Reserved for suite 2. */
  readonly cbcContent: InputKey;
  /** Private half of the container key; its public half is `x25519PublicKeyOf` of it. */
  readonly containerSeed: X25519PrivateKey;
}

export const SECRET_BYTES = 32;
export const EPOCH_MAX = 0xffffffff;

const VAULT_ID_BYTES = 16;
const DEVICE_ID_BYTES = 16;

/** First 16 bytes of the SHA-256 of the owner's public key. */
export function vaultIdOf(ownerPublicKey: SigningPublicKey): VaultId {
  return sha256(ownerPublicKey).slice(0, VAULT_ID_BYTES) as VaultId;
}

/** First 16 bytes of the SHA-256 of a device's public key. The node's own entries carry that of the node key. */
export function deviceIdOf(devicePublicKey: SigningPublicKey): DeviceId {
  return sha256(devicePublicKey).slice(0, DEVICE_ID_BYTES) as DeviceId;
}

/** All keys of `epoch` of a vault. The same input gives the same keys, for ever. */
export function deriveEpochKeys(secret: EpochSecret, vaultId: VaultId, epoch: number): EpochKeys {
  checkEpoch(epoch);
  const keyFor = (purpose: string): Bytes => derive(secret, vaultId, purpose, epoch);
  return {
    epoch,
    objectId: keyFor("object-id") as ObjectIdKey,
    chunker: keyFor("chunker") as ChunkerKey,
    sealContent: asInputKey(keyFor("seal-content")),
    sealStructure: asInputKey(keyFor("seal-structure")),
    cbcContent: asInputKey(keyFor("cbc-content")),
    containerSeed: asX25519PrivateKey(keyFor("container")),
  };
}

/** Slot key of epochs slots. */
export function epochsSlotKey(ownerSeed: SigningSeed, vaultId: VaultId): InputKey {
  return asInputKey(derive(ownerSeed, vaultId, "epochs", 0));
}

/** Slot key of recovery slots. */
export function recoverySlotKey(entropy: RecoveryEntropy, vaultId: VaultId): InputKey {
  return asInputKey(derive(entropy, vaultId, "recovery", 0));
}

export function generateEpochSecret(random: Random): EpochSecret {
  return random.bytes(SECRET_BYTES) as EpochSecret;
}

/** `bytes` as an epoch secret. Not 32 bytes: `format`. */
export function asEpochSecret(bytes: Uint8Array): EpochSecret {
  return checkedSecret(bytes, "epoch secret") as EpochSecret;
}

/** `bytes` as the entropy of a recovery code. Not 32 bytes: `format`. */
export function asRecoveryEntropy(bytes: Uint8Array): RecoveryEntropy {
  return checkedSecret(bytes, "recovery entropy") as RecoveryEntropy;
}

/** A number that is no u32: `format`. */
export function checkEpoch(epoch: number): void {
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > EPOCH_MAX) throw new Fault("format", `epoch: got ${epoch}, want 0 to ${EPOCH_MAX}`);
}

function derive(ikm: Uint8Array, vaultId: VaultId, purpose: string, epoch: number): Bytes {
  return hkdfSha512(ikm, vaultId, concatBytes(utf8(`holdfast/v1/${purpose}\0`), u32(epoch)), SECRET_BYTES);
}

function checkedSecret(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length !== SECRET_BYTES) throw new Fault("format", `${what}: got ${bytes.length} bytes, want ${SECRET_BYTES}`);
  return bytes;
}
