/**
 * Making a vault. What cannot be made twice is durable before the storage node hears of it: the owner's secrets lie in a *draft*, which
 * is the passphrase slot itself, so that an `init` that was cut short goes on with the same passphrase, and no secret lies open.
 *
 * Order: draft → vault bound to the account → records → genesis, device-added, slot-added → device slot → identity → code shown → draft removed.
 */
import { bytesToHex, equalBytes, Fault, isFault } from "@holdfast/base";
import {
  type Argon2Cost,
  createSigner,
  createSlot,
  deriveEpochKeys,
  generateEpochSecret,
  generateRecoveryEntropy,
  generateSigningKey,
  openSlot,
  parseSlot,
  recoveryCodeOf,
  SLOT_TYPES,
  type SlotSecrets,
  signingKeyOf,
  vaultIdOf,
  x25519PublicKeyOf,
} from "@holdfast/crypto";
import { encodeFrame, parseFrameOf, RECORD_KINDS, type RecordId, SLOT_BYTES_MAX, type VaultId } from "@holdfast/protocol";
import { createRecordSealer, encodeConfig } from "@holdfast/vault";
import { writeIdentity } from "../state/identity.ts";
import { OWN_FILE_MODE, OWN_FOLDER_MODE, readOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Connection } from "./connection.ts";
import { writeDeviceSlot } from "./device-keys.ts";
import { createJournalLink, type JournalLink } from "./journal-link.ts";
import { putFrame, putSlot } from "./put-frame.ts";
import type { Ports } from "./session.ts";

export interface FoundOptions {
  readonly ports: Ports;
  readonly paths: StatePaths;
  readonly connection: Connection;
  readonly passphrase: string;
  readonly passphraseCost: Argon2Cost;
  /** Told the recovery code when nothing opens with it yet: for a file, which must be durable first. */
  readonly onRecoveryCode: (code: string) => void;
}

export interface FoundedVault {
  readonly vault: VaultId;
  readonly recoveryCode: string;
}

const PASSPHRASE_LABEL = "passphrase";
const RECOVERY_LABEL = "recovery code";

interface Draft {
  readonly frame: Uint8Array;
  readonly vault: VaultId;
}

/** The vault of an `init` that was cut short, or `null`. */
export function readDraft(ports: Ports, paths: StatePaths): Draft | null {
  const frame = readOwnFile(ports.disk, draftPath(paths), SLOT_BYTES_MAX);
  return frame === null ? null : { frame, vault: parseSlot(parseFrameOf(RECORD_KINDS.slot, frame).body).vaultId };
}

/** For when the recovery code has been shown: nothing is left to go on with. */
export function removeDraft(ports: Ports, paths: StatePaths): void {
  ports.disk.remove(draftPath(paths));
}

/** Makes the vault, or goes on where an earlier run stopped. The draft stays for the caller to remove. Every step may be done again. */
export async function foundVault(options: FoundOptions): Promise<FoundedVault> {
  const { ports, paths, connection } = options;
  const { identity, signer } = connection;
  const draft = readDraft(ports, paths);
  const secrets = draft === null ? newSecrets(options) : await openDraft(draft, options.passphrase);
  const { vault, frame } = draft ?? (await writeDraft(options, secrets));
  await connection.createVault(vault);
  const store = connection.storeFor(vault);
  const { account, device, nodeKey } = identity;
  const link = createJournalLink({ ports, paths, vault, account, device, signer, nodeKey, store });
  await link.refresh();
  await writeGenesis(options, link, secrets, vault);
  const owner = createSigner(secrets.ownerSeed);
  const passphraseSlot = await putFrame(store, frame);
  if (!link.state().slots.has(bytesToHex(passphraseSlot))) {
    const { slotId } = parseSlot(parseFrameOf(RECORD_KINDS.slot, frame).body);
    await link.append(() => addSlot(passphraseSlot, SLOT_TYPES.passphrase, slotId, PASSPHRASE_LABEL), owner);
  }
  const recoveryCode = await addRecovery(options, link, secrets, vault);
  await writeDeviceSlot(ports, paths, vault, device, secrets.epochs);
  writeIdentity(ports.disk, paths, { ...connection.identity, vault });
  return { vault, recoveryCode };
}

type OwnerSecrets = SlotSecrets & { readonly ownerSeed: NonNullable<SlotSecrets["ownerSeed"]> };

function newSecrets({ ports }: FoundOptions): OwnerSecrets {
  return { ownerSeed: generateSigningKey(ports.random).seed, epochs: [{ epoch: 0, secret: generateEpochSecret(ports.random) }] };
}

async function openDraft(draft: Draft, passphrase: string): Promise<OwnerSecrets> {
  try {
    const secrets = await openSlot(parseSlot(parseFrameOf(RECORD_KINDS.slot, draft.frame).body), { type: "passphrase", passphrase });
    return secrets as OwnerSecrets; // A passphrase slot without an owner seed does not open.
  } catch (cause) {
    if (!isFault(cause, "integrity")) throw cause;
    throw new Fault("input", "passphrase: is not the one that the interrupted init was given; give that one", { cause, detail: { wrongSecret: true } });
  }
}

async function writeDraft({ ports, paths, passphrase, passphraseCost }: FoundOptions, secrets: OwnerSecrets): Promise<Draft> {
  const vault = vaultIdOf(signingKeyOf(secrets.ownerSeed).publicKey);
  const createdMs = Math.floor(ports.clock.nowMs());
  const { body } = await createSlot(
    ports.random,
    { vaultId: vault, createdMs, label: PASSPHRASE_LABEL, secrets },
    { type: "passphrase", passphrase, cost: passphraseCost },
  );
  const frame = encodeFrame(RECORD_KINDS.slot, 0, 0, body);
  ports.disk.makeFolder(paths.root, OWN_FOLDER_MODE);
  ports.disk.writeFile(draftPath(paths), frame, OWN_FILE_MODE);
  return { frame, vault };
}

/** Config, genesis and the admission of this device, as far as they are missing. */
async function writeGenesis({ ports, connection }: FoundOptions, link: JournalLink, secrets: OwnerSecrets, vault: VaultId): Promise<void> {
  const { signer, identity } = connection;
  const owner = createSigner(secrets.ownerSeed);
  const [first] = secrets.epochs;
  if (first === undefined) throw new Fault("format", "init: its draft holds no epoch");
  const keys = deriveEpochKeys(first.secret, vault, first.epoch);
  if (link.state().head === null) {
    const sealed = await createRecordSealer(vault, keys, ports.random).seal(RECORD_KINDS.config, encodeConfig());
    const config = await putFrame(connection.storeFor(vault), sealed.frame);
    const containerKey = x25519PublicKeyOf(keys.containerSeed);
    await link.append(
      () => ({ body: { kind: 1, ownerKey: owner.publicKey, containerKey, config, deviceKey: signer.publicKey }, additions: [], drops: [] }),
      owner,
    );
  }
  const { founder, devices } = link.state();
  if (founder !== null && !equalBytes(founder, identity.device))
    throw new Fault("conflict", "init: the vault was begun by another device; finish it there, or join when it is done");
  if (devices.size === 0)
    await link.append(
      () => ({ body: { kind: 2, deviceKey: signer.publicKey, roles: ["agent", "maintainer"], label: identity.label }, additions: [], drops: [] }),
      owner,
    );
}

/** A fresh recovery code. Those of earlier, interrupted runs were perhaps never shown: their slots go. */
async function addRecovery({ ports, connection, onRecoveryCode }: FoundOptions, link: JournalLink, secrets: OwnerSecrets, vault: VaultId): Promise<string> {
  const owner = createSigner(secrets.ownerSeed);
  const stale = [...link.state().slots.values()].filter((slot) => slot.type === SLOT_TYPES.recovery);
  const entropy = generateRecoveryEntropy(ports.random);
  const code = recoveryCodeOf(entropy);
  const createdMs = Math.floor(ports.clock.nowMs());
  const { slotId, body } = await createSlot(ports.random, { vaultId: vault, createdMs, label: RECOVERY_LABEL, secrets }, { type: "recovery", entropy });
  const record = await putSlot(connection.storeFor(vault), body);
  onRecoveryCode(code);
  await link.append(() => addSlot(record, SLOT_TYPES.recovery, slotId, RECOVERY_LABEL), owner);
  for (const slot of stale) await link.append(() => ({ body: { kind: 5, slot: slot.record }, additions: [], drops: [] }), owner);
  return code;
}

function addSlot(slot: RecordId, slotType: number, slotId: Uint8Array<ArrayBuffer>, label: string) {
  return { body: { kind: 4, slot, slotType, slotId, label } as const, additions: [], drops: [] };
}

function draftPath(paths: StatePaths): string {
  return `${paths.root}/init.slot`;
}
