/** `holdfast join` and `holdfast unlock`: the vault's keys come to this device, by what a person has. */
import { bytesToHex, Fault, isFault } from "@holdfast/base";
import { vaultIdOf } from "@holdfast/crypto";
import { asVaultId } from "@holdfast/protocol";
import { EXIT_CODES, type ExitCode } from "../cli/exit-codes.ts";
import { readPersonSecret, type SecretOptions } from "../cli/passphrase.ts";
import type { Registry, Run } from "../cli/run.ts";
import { withSecretOptions } from "../cli/secret-options.ts";
import type { Connection } from "../session/connection.ts";
import { writeDeviceSlot } from "../session/device-keys.ts";
import type { OpenedOwner } from "../session/open-owner.ts";
import { type OpenedVault, openVault } from "../session/open-vault.ts";
import { writeIdentity } from "../state/identity.ts";

export function registerJoin({ program, action }: Registry): void {
  const join = withSecretOptions(program.command("join"))
    .summary("open the account's vault on this further device")
    .description("Opens the vault that the account has already on this device, and admits the device to its journal.")
    .addHelpText("after", "\nExamples:\n  holdfast join\n  holdfast join --recovery\n  holdfast join --passphrase-file /etc/holdfast/passphrase");
  action<SecretOptions>(join, joinVault);
  const unlock = withSecretOptions(program.command("unlock"))
    .summary("bring the vault's keys to this device again")
    .description("Brings the keys of every epoch to this device again: after somebody rotated them, or when its slot was lost.")
    .addHelpText("after", "\nExamples:\n  holdfast unlock\n  holdfast unlock --passphrase-command 'pass show holdfast'");
  action<SecretOptions>(unlock, async (run, options) => {
    using _lock = run.lock();
    await using vault = await run.openVault();
    const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
    await keepKeys(run, vault.connection, owner);
    run.report("unlocked", { epochs: owner.epochs.map(({ epoch }) => epoch) }, [
      `This device has the keys of ${owner.epochs.length} epoch${owner.epochs.length === 1 ? "" : "s"}.`,
    ]);
    return undefined;
  });
}

async function joinVault(run: Run, options: SecretOptions): Promise<ExitCode | undefined> {
  using _lock = run.lock();
  await using vault = await openAccountVault(run);
  const { connection, link } = vault;
  const owner = await vault.openOwner(await readPersonSecret(run.secretSources, options));
  const isAdmitted = await admitSelf(connection, vault, owner);
  // The keys come in any case: reading and restoring need no admission.
  await keepKeys(run, connection, owner);
  writeIdentity(run.ports.disk, run.paths, { ...connection.identity, vault: link.state().vault });
  const hex = bytesToHex(link.state().vault);
  const key = bytesToHex(connection.signer.publicKey);
  run.report("joined", { vault: hex, admitted: isAdmitted, deviceKey: key }, [`Vault ${hex} is open on this device.`]);
  if (isAdmitted) return undefined;
  run.terminal.note("This device can list and restore. To let it back up, run this on a device that backs up already:");
  run.terminal.note(`  holdfast device admit ${key} --label ${JSON.stringify(connection.identity.label)}`);
  return EXIT_CODES.refused;
}

/** The vault of the account, whatever this device knows of it. */
async function openAccountVault(run: Run): Promise<OpenedVault> {
  const connection = await run.connect();
  try {
    const { vault } = await connection.accountInfo();
    if (vault === null) throw new Fault("input", "vault: the account has none yet; make it with: holdfast init");
    const known = connection.identity.vault;
    if (known !== null && bytesToHex(known) !== bytesToHex(vault))
      throw new Fault("integrity", "vault: the storage node names another vault for this account than this device has joined");
    return await openVault(run.ports, run.paths, { ...connection, identity: { ...connection.identity, vault: asVaultId(vault) } });
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}

/** Whether this device may write: it is admitted already, or the owner's signature admits it now. */
async function admitSelf(connection: Connection, { link }: OpenedVault, owner: OpenedOwner): Promise<boolean> {
  const { identity, signer } = connection;
  const own = link.state().devices.get(bytesToHex(identity.device));
  if (own !== undefined) return own.revokedSeq === null;
  try {
    await link.append(
      () => ({ body: { kind: 2, deviceKey: signer.publicKey, roles: ["agent", "maintainer"], label: identity.label }, additions: [], drops: [] }),
      owner.signer,
    );
    return true;
  } catch (error) {
    // The rules of the journal want an admitted device's signature beside the owner's.
    if (isFault(error, "denied")) return false;
    throw error;
  }
}

/** The device slot with every epoch. */
async function keepKeys(run: Run, { identity }: Connection, owner: OpenedOwner): Promise<void> {
  await writeDeviceSlot(run.ports, run.paths, vaultIdOf(owner.signer.publicKey), identity.device, owner.epochs);
}
