/** `holdfast key`: who can open the vault, and rotating its keys. */
import { bytesToHex, equalBytes, Fault, hexToBytes, utf8 } from "@holdfast/base";
import {
  asX25519PublicKey,
  createSlot,
  deriveEpochKeys,
  generateEpochSecret,
  generateRecoveryEntropy,
  generateX25519PrivateKey,
  recoveryCodeOf,
  SLOT_TYPES,
  type SlotLock,
  x25519PublicKeyOf,
} from "@holdfast/crypto";
import { type JournalSlot, LABEL_BYTES_MAX, type RecordId, shortHex } from "@holdfast/protocol";
import type { Command } from "commander";
import { readNewPassphrase, readPersonSecret, type SecretOptions } from "../cli/passphrase.ts";
import type { Registry, Run } from "../cli/run.ts";
import { withNewPassphraseOptions, withSecretOptions } from "../cli/secret-options.ts";
import { writeDeviceSlot } from "../session/device-keys.ts";
import type { OpenedOwner } from "../session/open-owner.ts";
import type { OpenedVault } from "../session/open-vault.ts";
import { putSlot } from "../session/put-frame.ts";
import { OWN_FILE_MODE } from "../state/own-file.ts";
import { showRecoveryCode } from "./init.ts";
import { personSlots, SLOT_NAMES, slotLines } from "./status.ts";

interface AddOptions extends SecretOptions {
  readonly label?: string;
  readonly newPassphraseFile?: string;
  readonly newPassphraseCommand?: string;
  readonly newRecoveryFile?: string;
}

const ID_DIGITS_MIN = 4;

export function registerKey({ program, action }: Registry): void {
  const key = program
    .command("key")
    .summary("who can open the vault; rotate its keys")
    .description("Lists, adds and removes what opens the vault, and rotates its keys.")
    .addHelpText(
      "after",
      "\nExamples:\n  holdfast key list\n  holdfast key add recovery --new-recovery-file /media/usb/recovery.txt\n  holdfast key change-passphrase\n  holdfast key remove 4f1c08e2\n  holdfast key rotate-epoch",
    );
  action(key.command("list").summary("who can open the vault").description("Lists what opens the vault."), listKeys);
  registerAdd(key, action);
  const remove = withSecretOptions(key.command("remove"))
    .summary("remove a slot")
    .description("Removes a slot. Who knew its secret may have copied the keys: rotate-epoch protects what comes after. The last slot of a person stays.");
  action<SecretOptions>(remove.argument("<id>", "slot, as key list shows it"), removeKey);
  const change = withNewPassphraseOptions(withSecretOptions(key.command("change-passphrase")), "new-")
    .summary("replace the passphrase")
    .description("Adds a slot with the new passphrase, then removes the one that the old passphrase opened.");
  action<AddOptions>(change, changePassphrase);
  const rotate = withSecretOptions(key.command("rotate-epoch"))
    .summary("make new keys for all that comes")
    .description(
      "Begins a new key epoch: new records are sealed under new keys. Other devices run holdfast unlock. Old records stay as they are, and their keys good for them.",
    );
  action<SecretOptions>(rotate, rotateEpoch);
  const recipient = key
    .command("new-recipient")
    .summary("make a recipient's key pair")
    .description("Writes a new private key to FILE (mode 0600) and prints the public key, for key add recipient. Needs no vault.");
  action(recipient.argument("<file>", "new file for the private key"), newRecipient);
}

function registerAdd(key: Command, action: Registry["action"]): void {
  const add = key.command("add").summary("add a passphrase, recovery code or recipient").description("Adds what opens the vault.");
  const label = (command: Command): Command => withSecretOptions(command).option("--label <label>", "what people call it; the storage node can read it");
  const passphrase = withNewPassphraseOptions(label(add.command("passphrase")), "new-")
    .summary("a further passphrase")
    .description("Adds a further passphrase.");
  action<AddOptions>(passphrase, async (run, options) => {
    await addKey(run, options, "passphrase", async () => ({ type: "passphrase", passphrase: await newPassphrase(run, options), cost: run.passphraseCost }));
    return undefined;
  });
  const recovery = label(add.command("recovery")).summary("a further recovery code").description("Adds a further recovery code and shows it once.");
  action<AddOptions>(recovery.option("--new-recovery-file <file>", "write the new code to FILE (mode 0600) instead of showing it"), addRecovery);
  const recipient = label(add.command("recipient")).summary("a recipient's public key").description("Lets the holder of an X25519 private key open the vault.");
  action<AddOptions>(recipient.argument("<public-key>", "64 hexadecimal digits, as key new-recipient prints them"), async (run, options, [hex]) => {
    const bytes = hexToBytes(hex as string);
    if (bytes?.length !== 32) throw new Fault("input", "recipient key: want 64 hexadecimal digits");
    await addKey(run, options, "recipient", async () => ({ type: "recipient", publicKey: asX25519PublicKey(bytes) }));
    return undefined;
  });
}

async function listKeys(run: Run): Promise<undefined> {
  await using vault = await run.openVault();
  const journal = vault.link.state();
  const slots = personSlots(journal).map(({ record, type, label, timeMs }) => ({
    record: bytesToHex(record),
    type: SLOT_NAMES.get(type),
    label,
    addedMs: timeMs,
  }));
  run.report("keys", { epoch: journal.epoch, slots }, slotLines(journal));
}

async function addKey(run: Run, options: AddOptions, name: string, makeLock: () => Promise<SlotLock>): Promise<void> {
  using _lock = run.lock();
  await using vault = await run.openVault();
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  const record = await addSlot(run, vault, owner, options.label ?? name, await makeLock());
  run.report("key-added", { record: bytesToHex(record), type: name }, [`Slot ${shortHex(record)} added.`]);
}

async function addRecovery(run: Run, options: AddOptions): Promise<undefined> {
  const { newRecoveryFile: file } = options;
  const { disk, random } = run.ports;
  if (file === undefined && !run.terminal.isInteractive)
    throw new Fault("input", "recovery code: nobody is there to write it down; give --new-recovery-file FILE");
  if (file !== undefined && disk.stat(file) !== null) throw new Fault("input", `${file}: is there already; name a new file`);
  const entropy = generateRecoveryEntropy(random);
  const code = recoveryCodeOf(entropy);
  await addKey(run, options, "recovery code", async () => {
    if (file !== undefined) disk.writeFile(file, utf8(`${code}\n`), OWN_FILE_MODE);
    return { type: "recovery", entropy };
  });
  if (file === undefined) showRecoveryCode(run, code);
}

async function removeKey(run: Run, options: SecretOptions, [id]: readonly string[]): Promise<undefined> {
  using _lock = run.lock();
  await using vault = await run.openVault();
  const slot = findSlot(personSlots(vault.link.state()), id as string);
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  await dropSlot(vault, owner, slot);
  run.report("key-removed", { record: bytesToHex(slot.record) }, [
    `Slot ${shortHex(slot.record)} removed. To protect what comes after from who knew its secret: holdfast key rotate-epoch`,
  ]);
}

async function changePassphrase(run: Run, options: AddOptions): Promise<undefined> {
  using _lock = run.lock();
  await using vault = await run.openVault();
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  const passphrase = await newPassphrase(run, options);
  const label = owner.slot.type === SLOT_TYPES.passphrase ? owner.slot.label : "passphrase";
  const record = await addSlot(run, vault, owner, label, { type: "passphrase", passphrase, cost: run.passphraseCost });
  // Opened by something else, no passphrase is known to be the old one.
  const replaced = owner.slot.type === SLOT_TYPES.passphrase ? owner.slot : null;
  if (replaced !== null) await dropSlot(vault, owner, replaced);
  const done = replaced === null ? "New passphrase added. The old one still opens the vault: see holdfast key list, and key remove." : "Passphrase changed.";
  run.report("passphrase-changed", { added: bytesToHex(record), removed: replaced === null ? null : bytesToHex(replaced.record) }, [done]);
}

async function rotateEpoch(run: Run, options: SecretOptions): Promise<undefined> {
  const { random, clock } = run.ports;
  using _lock = run.lock();
  await using vault = await run.openVault();
  const { link, store, connection } = vault;
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  const { epoch: oldEpoch, vault: vaultId } = link.state();
  const epoch = oldEpoch + 1;
  const secret = generateEpochSecret(random);
  const epochs = [...owner.epochs.filter((entry) => entry.epoch < epoch), { epoch, secret }];
  const fields = { vaultId, createdMs: Math.floor(clock.nowMs()), label: "epochs", secrets: { ownerSeed: null, epochs } };
  const { body } = await createSlot(random, fields, { type: "epochs", ownerSeed: owner.seed, generation: owner.generation + 1 });
  const slot = await putSlot(store, body);
  const containerKey = x25519PublicKeyOf(deriveEpochKeys(secret, vaultId, epoch).containerSeed);
  await link.append((journal) => {
    // Another rotation in between: our slot would lack its secret.
    if (journal.epoch !== oldEpoch) throw new Fault("busy", "rotate-epoch: somebody else has just rotated; run it again if you still want to");
    return { body: { kind: 8, epoch, containerKey, slot }, additions: [], drops: [] };
  }, owner.signer);
  await writeDeviceSlot(run.ports, run.paths, vaultId, connection.identity.device, epochs);
  run.report("epoch-rotated", { epoch }, [`Key epoch ${epoch} is in force. On every other device run: holdfast unlock`]);
}

async function newRecipient(run: Run, _options: unknown, [file]: readonly string[]): Promise<undefined> {
  const { disk, random } = run.ports;
  if (disk.stat(file as string) !== null) throw new Fault("input", `${file}: is there already; name a new file`);
  const privateKey = generateX25519PrivateKey(random);
  disk.writeFile(file as string, utf8(`${bytesToHex(privateKey)}\n`), OWN_FILE_MODE);
  const publicKey = bytesToHex(x25519PublicKeyOf(privateKey));
  run.report("recipient", { publicKey }, [publicKey]);
}

function newPassphrase(run: Run, options: AddOptions): Promise<string> {
  return readNewPassphrase(run.secretSources, { file: options.newPassphraseFile, command: options.newPassphraseCommand, variable: "HOLDFAST_NEW_PASSPHRASE" });
}

async function addSlot(run: Run, { link, store }: OpenedVault, owner: OpenedOwner, label: string, lock: SlotLock): Promise<RecordId> {
  if (label === "" || utf8(label).length > LABEL_BYTES_MAX) throw new Fault("input", `--label: want 1 to ${LABEL_BYTES_MAX} bytes`);
  const fields = {
    vaultId: link.state().vault,
    createdMs: Math.floor(run.ports.clock.nowMs()),
    label,
    secrets: { ownerSeed: owner.seed, epochs: owner.epochs },
  };
  const { slotId, body } = await createSlot(run.ports.random, fields, lock);
  const slot = await putSlot(store, body);
  await link.append(() => ({ body: { kind: 4, slot, slotType: SLOT_TYPES[lock.type], slotId, label }, additions: [], drops: [] }), owner.signer);
  return slot;
}

async function dropSlot({ link }: OpenedVault, owner: OpenedOwner, slot: JournalSlot): Promise<void> {
  await link.append(() => ({ body: { kind: 5, slot: slot.record }, additions: [], drops: [] }), owner.signer);
}

/** The slot whose record id begins with `id`; none or several: `missing` or `input`. */
function findSlot(slots: readonly JournalSlot[], id: string): JournalSlot {
  const wanted = id.toLowerCase();
  if (!/^[0-9a-f]+$/.test(wanted) || wanted.length < ID_DIGITS_MIN)
    throw new Fault("input", `slot: got ${JSON.stringify(id)}, want at least ${ID_DIGITS_MIN} hexadecimal digits, as holdfast key list shows them`);
  const found = slots.filter(({ record }) => bytesToHex(record).startsWith(wanted));
  const [first] = found;
  if (first === undefined) throw new Fault("missing", `slot: none begins with ${wanted}; see holdfast key list`);
  if (found.some(({ record }) => !equalBytes(record, first.record))) throw new Fault("input", `slot: ${found.length} begin with ${wanted}; give more digits`);
  return first;
}
