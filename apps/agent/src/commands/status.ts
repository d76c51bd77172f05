/** `holdfast status`: account, vault, journal, who can open it, and when the certificate ends. */
import { bytesToHex, Fault } from "@holdfast/base";
import { SLOT_TYPES } from "@holdfast/crypto";
import { fingerprintWords } from "@holdfast/pki";
import { type AccountAnswer, type JournalSlot, type JournalSnapshot, type JournalState, shortHex } from "@holdfast/protocol";
import type { Registry, Run } from "../cli/run.ts";
import { safeText } from "../cli/safe-text.ts";
import { formatAge, formatSize, formatTime } from "../cli/sizes.ts";
import { tableLines } from "../cli/table.ts";
import type { Connection } from "../session/connection.ts";
import { journalAlarm } from "../session/journal-reader.ts";
import { linkOf } from "../session/vault-session.ts";

interface StatusOptions {
  readonly expectHead?: string;
}

const EXPECTED_DIGITS_MIN = 16;
const DAY_MS = 86_400_000;

/** Names of slot types that a person or a recipient opens. */
export const SLOT_NAMES: ReadonlyMap<number, string> = new Map([
  [SLOT_TYPES.passphrase, "passphrase"],
  [SLOT_TYPES.recovery, "recovery code"],
  [SLOT_TYPES.recipient, "recipient key"],
]);

export function registerStatus({ program, action }: Registry): void {
  const command = program
    .command("status")
    .summary("show account, vault, devices and who can open it")
    .description(
      "Shows the account and the vault. The head is the last entry of the verified journal: compare it between devices to be sure that the storage node shows all of them the same.",
    )
    .option("--expect-head <hex>", "alarm unless the journal contains this entry, as another device showed it (at least 16 digits)")
    .addHelpText("after", "\nExamples:\n  holdfast status\n  holdfast status --expect-head 4f1c08e2ab9d6610 --json");
  action<StatusOptions>(command, async (run, options) => {
    await showStatus(run, options);
    return undefined;
  });
}

async function showStatus(run: Run, { expectHead }: StatusOptions): Promise<void> {
  await using connection = await run.connect();
  const account = await connection.accountInfo();
  if (connection.identity.vault === null) {
    const next = account.vault === null ? "no vault yet; run holdfast init" : "the account has a vault; open it on this device with holdfast join";
    run.report("status", { ...accountFields(connection, account), vault: null }, [...accountLines(run, connection, account), `Vault        ${next}`]);
    return;
  }
  const link = linkOf(run.ports, run.paths, connection);
  const journal = await link.refresh();
  if (expectHead !== undefined) checkExpected(expectHead, [...link.receivedMsByEntry().keys()]);
  run.report("status", { ...accountFields(connection, account), ...journalFields(journal) }, [
    ...accountLines(run, connection, account),
    ...journalLines(run, connection, journal),
  ]);
}

/** The entry must be in the chain: as its head, or as one that others followed. */
function checkExpected(expected: string, entries: readonly string[]): void {
  const wanted = expected.toLowerCase();
  if (!/^[0-9a-f]*$/.test(wanted) || wanted.length < EXPECTED_DIGITS_MIN || wanted.length > 64)
    throw new Fault("input", `--expect-head: want ${EXPECTED_DIGITS_MIN} to 64 hexadecimal digits`);
  if (!entries.some((entry) => entry.startsWith(wanted)))
    throw journalAlarm(
      `the journal does not contain entry ${wanted}: it is older than what you have seen elsewhere, or the storage node shows different journals to different devices`,
    );
}

function accountFields(connection: Connection, account: AccountAnswer): Record<string, unknown> {
  const { identity, certificateNotAfterMs } = connection;
  return {
    account: bytesToHex(identity.account),
    accountName: account.accountName,
    edition: account.edition,
    storageNode: `${identity.host}:${identity.agentPort}`,
    device: bytesToHex(identity.device),
    label: identity.label,
    usedBytes: account.usedBytes,
    quotaBytes: account.quotaBytes,
    certificateEndsMs: certificateNotAfterMs,
  };
}

function accountLines(run: Run, connection: Connection, account: AccountAnswer): string[] {
  const { identity, certificateNotAfterMs } = connection;
  const leftDays = Math.floor((certificateNotAfterMs - run.ports.clock.nowMs()) / DAY_MS);
  const share = account.quotaBytes === null ? "no quota" : `of ${formatSize(account.quotaBytes)}`;
  return [
    `Account      ${safeText(account.accountName)} (${account.edition}) at ${identity.host}:${identity.agentPort}`,
    `Used         ${formatSize(account.usedBytes)}, ${share}`,
    `This device  ${safeText(identity.label)}, ${bytesToHex(identity.device)}`,
    `             ${fingerprintWords(identity.device)}`,
    `Root         ${fingerprintWords(identity.rootSpkiSha256)}`,
    `Certificate  good until ${formatTime(certificateNotAfterMs)}, ${leftDays} days`,
  ];
}

function journalFields(journal: JournalState): Record<string, unknown> {
  const { head } = journal;
  const newest = newestSnapshot(journal);
  return {
    vault: bytesToHex(journal.vault),
    head: head === null ? null : { seq: head.seq, entry: bytesToHex(head.entry), timeMs: head.timeMs },
    epoch: journal.epoch,
    snapshots: journal.snapshots.size,
    lastBackup: newest === null ? null : { entry: bytesToHex(newest.entry), timeMs: newest.timeMs },
    devices: [...journal.devices.values()].map(({ id, label, roles, revokedSeq }) => ({
      id: bytesToHex(id),
      label,
      roles: [...roles],
      revoked: revokedSeq !== null,
    })),
    slots: personSlots(journal).map(({ record, type, label, timeMs }) => ({ record: bytesToHex(record), type: SLOT_NAMES.get(type), label, addedMs: timeMs })),
  };
}

function journalLines(run: Run, connection: Connection, journal: JournalState): string[] {
  const nowMs = run.ports.clock.nowMs();
  const { head } = journal;
  const newest = newestSnapshot(journal);
  const ago = (timeMs: number): string => (nowMs - timeMs < 60_000 ? "just now" : `${formatAge(nowMs - timeMs)} ago`);
  const own = journal.devices.get(bytesToHex(connection.identity.device));
  const devices = [...journal.devices.values()].map((device) => [
    shortHex(device.id),
    safeText(device.label),
    device.revokedSeq === null ? [...device.roles].join(", ") : "revoked",
  ]);
  return [
    `Vault        ${bytesToHex(journal.vault)}, key epoch ${journal.epoch}`,
    head === null ? "Head         none: init was not finished; run it again" : `Head         ${head.seq}  ${bytesToHex(head.entry)}, ${ago(head.timeMs)}`,
    newest === null ? "Last backup  none" : `Last backup  ${shortHex(newest.entry)}, ${ago(newest.timeMs)}; ${journal.snapshots.size} in all`,
    ...(own === undefined || own.revokedSeq !== null
      ? ["", `This device is ${own === undefined ? "not admitted" : "revoked"}: it cannot write to the vault.`]
      : []),
    "",
    "Devices",
    ...tableLines([["  ID", "LABEL", "ROLES"], ...devices.map(([id, ...rest]) => [`  ${id}`, ...rest])]),
    "",
    "Who can open the vault",
    ...slotLines(journal),
  ];
}

/** Slots of persons, as a table. */
export function slotLines(journal: JournalState): string[] {
  const rows = personSlots(journal).map(({ record, type, label, timeMs }) => [
    `  ${shortHex(record)}`,
    SLOT_NAMES.get(type) ?? "",
    safeText(label),
    formatTime(timeMs),
  ]);
  return tableLines([["  ID", "OPENS WITH", "LABEL", "ADDED"], ...rows]);
}

/** Slots of persons, oldest first. */
export function personSlots(journal: JournalState): JournalSlot[] {
  return [...journal.slots.values()].filter(({ type }) => SLOT_NAMES.has(type)).sort((left, right) => left.addedSeq - right.addedSeq);
}

function newestSnapshot(journal: JournalState): JournalSnapshot | null {
  let newest: JournalSnapshot | null = null;
  for (const snapshot of journal.snapshots.values()) if (newest === null || snapshot.seq > newest.seq) newest = snapshot;
  return newest;
}
