/** Secrets in the state folder: the device key, and the device slot with the key that opens it. */
import { type Disk, equalBytes, Fault, isFault } from "@holdfast/base";
import {
  asInputKey,
  asSigningSeed,
  createSigner,
  createSlot,
  deriveEpochKeys,
  deviceIdOf,
  type EpochEntry,
  type EpochKeys,
  generateSlotKey,
  openSlot,
  parseSlot,
  type Signer,
} from "@holdfast/crypto";
import { type DeviceId, encodeFrame, parseFrameOf, RECORD_KINDS, SLOT_BYTES_MAX, type VaultId } from "@holdfast/protocol";
import type { Identity } from "../state/identity.ts";
import { OWN_FILE_MODE, readOwnFile, requireOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Ports } from "./session.ts";

const SEED_BYTES = 32;
const SLOT_LABEL = "device";

/** The device's signer, checked against the identity. */
export function readDeviceSigner(disk: Disk, paths: StatePaths, identity: Identity): Signer {
  const seed = requireOwnFile(disk, paths.deviceKey, SEED_BYTES, "this device's key is lost: enrol it again with a new invite (holdfast enroll CODE --force)");
  const signer = createSigner(asSigningSeed(seed));
  if (!equalBytes(deviceIdOf(signer.publicKey), identity.device))
    throw new Fault("format", `${paths.deviceKey}: is the key of another device than ${paths.identity} names; restore both from one copy, or enrol again`);
  return signer;
}

/** Puts the secrets of `epochs` into this device's slot: first the key, then the slot that it opens, each durable. */
export async function writeDeviceSlot(ports: Ports, paths: StatePaths, vaultId: VaultId, deviceId: DeviceId, epochs: readonly EpochEntry[]): Promise<void> {
  const { disk, random, clock } = ports;
  const createdMs = Math.floor(clock.nowMs());
  // The key stays from slot to slot: a crash between two files would else leave a slot that nothing opens.
  const present = readOwnFile(disk, paths.deviceSlotKey, SEED_BYTES);
  const slotKey = present?.length === SEED_BYTES ? asInputKey(present) : generateSlotKey(random);
  const { body } = await createSlot(
    random,
    { vaultId, createdMs, label: SLOT_LABEL, secrets: { ownerSeed: null, epochs } },
    { type: "device", deviceId, slotKey },
  );
  disk.writeFile(paths.deviceSlotKey, slotKey, OWN_FILE_MODE);
  disk.writeFile(paths.deviceSlot, encodeFrame(RECORD_KINDS.slot, 0, 0, body), OWN_FILE_MODE);
}

/** Keys by epoch of this device's slot. Missing or damaged: a fault that says to run `holdfast unlock`. */
export async function readDeviceEpochs(disk: Disk, paths: StatePaths, vaultId: VaultId, deviceId: DeviceId): Promise<ReadonlyMap<number, EpochKeys>> {
  const mend = "bring the keys back with: holdfast unlock";
  const slotKey = asInputKey(requireOwnFile(disk, paths.deviceSlotKey, SEED_BYTES, mend));
  const frame = readOwnFile(disk, paths.deviceSlot, SLOT_BYTES_MAX);
  if (frame === null) throw new Fault("missing", `${paths.deviceSlot}: missing; ${mend}`);
  try {
    const slot = parseSlot(parseFrameOf(RECORD_KINDS.slot, frame).body);
    if (slot.parameters.type !== "device" || !equalBytes(slot.parameters.deviceId, deviceId) || !equalBytes(slot.vaultId, vaultId))
      throw new Fault("integrity", "slot: of another device or vault");
    const { epochs } = await openSlot(slot, { type: "device", slotKey });
    return new Map(epochs.map(({ epoch, secret }) => [epoch, deriveEpochKeys(secret, vaultId, epoch)]));
  } catch (cause) {
    // Our own file, not the storage node's: damage here is no alarm.
    if (isFault(cause)) throw new Fault("format", `${paths.deviceSlot}: damaged (${cause.message}); ${mend}`, { cause });
    throw cause;
  }
}
