/** `holdfast init`: makes the account's vault, with a passphrase and a recovery code. */
import { bytesToHex, equalBytes, Fault, utf8 } from "@holdfast/base";
import { asVaultId } from "@holdfast/protocol";
import { readNewPassphrase } from "../cli/passphrase.ts";
import type { Registry, Run } from "../cli/run.ts";
import { withNewPassphraseOptions } from "../cli/secret-options.ts";
import type { Connection } from "../session/connection.ts";
import { foundVault, readDraft, removeDraft } from "../session/found-vault.ts";
import { OWN_FILE_MODE } from "../state/own-file.ts";

interface InitOptions {
  readonly passphraseFile?: string;
  readonly passphraseCommand?: string;
  readonly recoveryFile?: string;
}

export function registerInit({ program, action }: Registry): void {
  const command = withNewPassphraseOptions(program.command("init"), "")
    .summary("make the vault of this account")
    .description(
      "Makes the vault of this account and opens it on this device. The passphrase and the recovery code each open it on any other device; without both, and without an enrolled device, nobody can.\n" +
        "An init that was interrupted goes on where it stopped: run it again with the same passphrase.",
    )
    .option("--recovery-file <file>", "write the recovery code to FILE (mode 0600) instead of showing it")
    .addHelpText("after", "\nExamples:\n  holdfast init\n  holdfast init --passphrase-file /etc/holdfast/passphrase --recovery-file /media/usb/recovery.txt");
  action<InitOptions>(command, async (run, options) => {
    await initVault(run, options);
    return undefined;
  });
}

export async function initVault(run: Run, options: InitOptions): Promise<void> {
  const { disk } = run.ports;
  const { recoveryFile } = options;
  if (recoveryFile === undefined && !run.terminal.isInteractive)
    throw new Fault("input", "recovery code: nobody is there to write it down; give --recovery-file FILE");
  using _lock = run.lock();
  await using connection = await run.connect();
  await requireFree(run, connection);
  const isResumed = readDraft(run.ports, run.paths) !== null;
  if (recoveryFile !== undefined && !isResumed && disk.stat(recoveryFile) !== null)
    throw new Fault("input", `${recoveryFile}: is there already; name a new file`);
  if (isResumed) run.note("Going on with an init that was interrupted. Recovery codes that it showed are void.");
  const passphrase = await readNewPassphrase(run.secretSources, {
    file: options.passphraseFile,
    command: options.passphraseCommand,
    variable: "HOLDFAST_PASSPHRASE",
  });
  const { vault, recoveryCode } = await foundVault({
    ports: run.ports,
    paths: run.paths,
    connection,
    passphrase,
    passphraseCost: run.passphraseCost,
    onRecoveryCode(code) {
      if (recoveryFile !== undefined) disk.writeFile(recoveryFile, utf8(`${code}\n`), OWN_FILE_MODE);
    },
  });
  const hex = bytesToHex(vault);
  run.report("initialised", { vault: hex, recoveryFile: recoveryFile ?? null }, [`Vault ${hex} is ready. Next: holdfast backup PATH…`]);
  if (recoveryFile === undefined) showRecoveryCode(run, recoveryCode);
  else run.note(`The recovery code is in ${recoveryFile}. Take it to a safe place away from this machine.`);
  removeDraft(run.ports, run.paths);
}

/** The code is shown here and never again. With `--json` or `--quiet` it goes to the person at the terminal only. */
export function showRecoveryCode(run: Run, code: string): void {
  const words = code.split(" ");
  const rows = Array.from({ length: words.length / 6 }, (_, row) => `    ${words.slice(row * 6, row * 6 + 6).join(" ")}`);
  const lines = ["", "Recovery code. Write it on paper and keep it away from this machine. It is shown only now:", "", ...rows, ""];
  for (const line of lines) run.terminal.note(line);
}

/** Whether the account is free for a vault, or has the one that an interrupted init began. */
async function requireFree(run: Run, connection: Connection): Promise<void> {
  const draft = readDraft(run.ports, run.paths);
  const { vault } = await connection.accountInfo();
  if (vault === null) return;
  if (draft !== null && equalBytes(draft.vault, vault)) return;
  if (connection.identity.vault !== null && draft === null) throw new Fault("input", "vault: this device has one already; see holdfast status");
  const { items } = await connection.storeFor(asVaultId(vault)).journal(-1);
  if (items.length > 0) throw new Fault("input", "vault: the account has one already; open it on this device with: holdfast join");
  throw new Fault(
    "conflict",
    "vault: an init on another device, or with another state folder, was begun and not finished; finish it there, or have the operator detach the empty vault from the account",
  );
}
