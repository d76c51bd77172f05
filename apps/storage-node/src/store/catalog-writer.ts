/** Writes of the catalog: every function needs a transaction on it. */
import { type Bytes, bytesToHex, Fault } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { type AccountId, asAccountId, asDeviceId, asVaultId, type DeviceId, ROLES, type Role, type VaultId } from "@holdfast/protocol";
import { and, desc, eq, isNull } from "drizzle-orm";
import { AUDIT_START_HASH, type AuditEvent, auditHash, cutAuditTexts } from "./audit-chain.ts";
import type { AuditAction, AuditSource } from "./audit-trail.ts";
import type { Edition } from "./catalog-reader.ts";
import { accounts, audit, certificates, devices, invites, settings } from "./catalog-schema.ts";
import type { Transaction } from "./database.ts";

export interface NewInvite {
  readonly secret: Bytes;
  readonly accountName: string;
  readonly edition: Edition;
  readonly quotaBytes: number | null;
  readonly roles: readonly Role[];
  /** Given to the account when it is new. */
  readonly accountId: AccountId;
  readonly nowMs: number;
  readonly expiresAtMs: number;
  /** Who asks: with it, the audit trail has a row in the same transaction. */
  readonly by?: AuditSource;
}

export interface Enrolment {
  readonly secret: Bytes;
  readonly deviceKey: Bytes;
  readonly label: string;
  readonly nowMs: number;
  readonly by?: AuditSource;
}

export interface Enrolled {
  readonly device: DeviceId;
  readonly account: AccountId;
  readonly accountName: string;
  readonly edition: Edition;
  readonly vault: VaultId | null;
}

export interface NewCertificate {
  readonly device: DeviceId;
  readonly spkiSha256: Bytes;
  readonly serial: string;
  readonly notAfterMs: number;
  readonly issuedAtMs: number;
  readonly by?: AuditSource;
}

export type { AuditEvent } from "./audit-chain.ts";

const DEVICE_ID_BYTES = 16;

/** Records an invite, and its account when that is new. An account of another edition: `conflict`. */
export async function addInvite(transaction: Transaction, invite: NewInvite): Promise<void> {
  const { accountName, edition, quotaBytes, nowMs } = invite;
  const account = { accountId: invite.accountId, name: accountName, edition, quotaBytes, createdAtMs: nowMs };
  await transaction.insert(accounts).values(account).onConflictDoNothing({ target: accounts.name });
  const [known] = await transaction.select().from(accounts).where(eq(accounts.name, accountName));
  if (known === undefined) throw new Fault("internal", "account: was not inserted");
  if (known.edition !== edition) throw new Fault("conflict", `account: has another edition, got ${edition}, want ${known.edition}`);
  await transaction.insert(invites).values({
    secretSha256: sha256(invite.secret),
    accountId: known.accountId,
    roles: [...invite.roles].sort((left, right) => ROLES[left] - ROLES[right]).join(","),
    createdAtMs: nowMs,
    expiresAtMs: invite.expiresAtMs,
  });
  await noteDone(transaction, invite.by, nowMs, "invite", `account ${accountName} (${edition}), roles ${invite.roles.join(", ")}`);
}

/**
 * Uses up an invite for a device. The same device may use it again until it expires, so that a lost answer costs
 * nothing. Unknown, used by another or expired: one `denied` for all.
 */
export async function enroll(transaction: Transaction, enrolment: Enrolment): Promise<Enrolled> {
  const { nowMs, deviceKey, label } = enrolment;
  const secretSha256 = sha256(enrolment.secret);
  const device = asDeviceId(sha256(deviceKey).slice(0, DEVICE_ID_BYTES));
  const [invite] = await transaction.select().from(invites).where(eq(invites.secretSha256, secretSha256));
  const usedByOther = invite?.usedByDeviceId != null && bytesToHex(invite.usedByDeviceId) !== bytesToHex(device);
  if (invite === undefined || invite.expiresAtMs <= nowMs || usedByOther) throw new Fault("denied", "invite: unknown, used or expired");
  const [account] = await transaction.select().from(accounts).where(eq(accounts.accountId, invite.accountId));
  if (account === undefined) throw new Fault("internal", "invite: has no account");

  const [known] = await transaction.select().from(devices).where(eq(devices.deviceId, device));
  if (known === undefined) {
    await transaction
      .insert(devices)
      .values({ deviceId: device, accountId: account.accountId, publicKey: deviceKey, label, roles: invite.roles, enrolledAtMs: nowMs });
  } else if (known.revokedAtMs !== null || bytesToHex(known.accountId) !== bytesToHex(account.accountId)) {
    throw new Fault("denied", "device: is revoked or belongs to another account");
  }
  await transaction.update(invites).set({ usedAtMs: nowMs, usedByDeviceId: device }).where(eq(invites.secretSha256, secretSha256));
  await noteDone(transaction, enrolment.by, nowMs, "enroll", `device ${bytesToHex(device)} (${label}), account ${account.name}, roles ${invite.roles}`);
  return {
    device,
    account: asAccountId(account.accountId),
    accountName: account.name,
    edition: account.edition as Edition,
    vault: account.vaultId === null ? null : asVaultId(account.vaultId),
  };
}

/** Ties a certificate to its device. The key of another certificate again: `conflict`. */
export async function addCertificate(transaction: Transaction, certificate: NewCertificate): Promise<void> {
  const { device, by, ...row } = certificate;
  const earlier = await transaction.select({ serial: certificates.serial }).from(certificates).where(eq(certificates.deviceId, device)).limit(1);
  const [known] = await transaction.select().from(certificates).where(eq(certificates.spkiSha256, certificate.spkiSha256));
  if (known === undefined) await transaction.insert(certificates).values({ ...row, deviceId: device });
  else if (bytesToHex(known.deviceId) !== bytesToHex(device) || known.revokedAtMs !== null)
    throw new Fault("conflict", "certificate: its key is in use, make a fresh one");
  else
    await transaction
      .update(certificates)
      .set({ serial: row.serial, notAfterMs: row.notAfterMs, issuedAtMs: row.issuedAtMs })
      .where(eq(certificates.spkiSha256, row.spkiSha256));
  const action = earlier.length === 0 ? "certificate-issued" : "certificate-renewed";
  await noteDone(
    transaction,
    by,
    row.issuedAtMs,
    action,
    `serial ${row.serial}, device ${bytesToHex(device)}, until ${new Date(row.notAfterMs).toISOString()}`,
  );
}

/** Gives an account its vault, once and for all. Another vault than before, or one of another account: `conflict`. */
export async function bindVault(transaction: Transaction, account: AccountId, vault: VaultId): Promise<void> {
  const [own] = await transaction.select({ vaultId: accounts.vaultId }).from(accounts).where(eq(accounts.accountId, account));
  if (own?.vaultId != null) {
    if (bytesToHex(own.vaultId) === bytesToHex(vault)) return;
    throw new Fault("conflict", "account: has another vault already", { detail: { vault: bytesToHex(own.vaultId) } });
  }
  const [other] = await transaction.select({ accountId: accounts.accountId }).from(accounts).where(eq(accounts.vaultId, vault));
  if (other !== undefined) throw new Fault("conflict", "vault: belongs to another account");
  await transaction.update(accounts).set({ vaultId: vault }).where(eq(accounts.accountId, account));
}

/** Revokes a device with all its certificates. Again: no-op. Unknown: `missing`. */
export async function revokeDevice(transaction: Transaction, device: DeviceId, nowMs: number, by?: AuditSource): Promise<void> {
  const known = await requireDevice(transaction, device);
  const open = await transaction
    .select({ serial: certificates.serial })
    .from(certificates)
    .where(and(eq(certificates.deviceId, device), isNull(certificates.revokedAtMs)));
  if (known.revokedAtMs === null) await transaction.update(devices).set({ revokedAtMs: nowMs }).where(eq(devices.deviceId, device));
  await transaction
    .update(certificates)
    .set({ revokedAtMs: nowMs })
    .where(and(eq(certificates.deviceId, device), isNull(certificates.revokedAtMs)));
  const deviceHex = bytesToHex(device);
  if (known.revokedAtMs === null) await noteDone(transaction, by, nowMs, "revoke", `device ${deviceHex} (${known.label})`);
  for (const { serial } of open) await noteDone(transaction, by, nowMs, "certificate-revoked", `serial ${serial}, device ${deviceHex}`);
}

/** Gives a device another label. Unknown: `missing`. */
export async function renameDevice(transaction: Transaction, device: DeviceId, label: string, nowMs: number, by?: AuditSource): Promise<void> {
  const known = await requireDevice(transaction, device);
  await transaction.update(devices).set({ label }).where(eq(devices.deviceId, device));
  await noteDone(transaction, by, nowMs, "rename", `device ${bytesToHex(device)}, from ${known.label} to ${label}`);
}

export async function putSetting(transaction: Transaction, name: string, value: Bytes): Promise<void> {
  await transaction.insert(settings).values({ name, value }).onConflictDoUpdate({ target: settings.name, set: { value } });
}

/** Appends to the audit trail: see audit-chain.ts. */
export async function appendAudit(transaction: Transaction, event: AuditEvent): Promise<void> {
  const [last] = await transaction.select({ seq: audit.seq, hash: audit.hash }).from(audit).orderBy(desc(audit.seq)).limit(1);
  const seq = (last?.seq ?? 0) + 1;
  const previousHash = last?.hash ?? AUDIT_START_HASH;
  const row = cutAuditTexts(event);
  await transaction.insert(audit).values({ ...row, seq, previousHash, hash: auditHash(previousHash, seq, row) });
}

async function requireDevice(transaction: Transaction, device: DeviceId): Promise<typeof devices.$inferSelect> {
  const [known] = await transaction.select().from(devices).where(eq(devices.deviceId, device));
  if (known === undefined) throw new Fault("missing", "device: unknown");
  return known;
}

async function noteDone(transaction: Transaction, by: AuditSource | undefined, nowMs: number, action: AuditAction, subject: string): Promise<void> {
  if (by === undefined) return;
  await appendAudit(transaction, { ...by, atMs: Math.floor(nowMs), action, subject, result: "done" });
}
