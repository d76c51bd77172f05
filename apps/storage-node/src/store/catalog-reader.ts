/** Reads of the catalog. */
import { type Bytes, bytesToHex } from "@holdfast/base";
import { type AccountId, asAccountId, asDeviceId, asVaultId, type DeviceId, type Role, type VaultId } from "@holdfast/protocol";
import { and, asc, eq, gt, isNotNull } from "drizzle-orm";
import { accounts, audit, certificates, devices, settings } from "./catalog-schema.ts";
import type { Database } from "./database.ts";

export type Edition = "dl" | "se" | "ese";

/** A device with its account, as a session needs them. */
export interface KnownDevice {
  readonly device: DeviceId;
  readonly publicKey: Bytes;
  readonly roles: readonly Role[];
  readonly revoked: boolean;
  readonly account: AccountId;
  readonly accountName: string;
  readonly edition: Edition;
  readonly quotaBytes: number | null;
  readonly vault: VaultId | null;
}

export interface RevokedCertificate {
  readonly serial: string;
  readonly revokedAtMs: number;
}

export interface AuditRow {
  readonly seq: number;
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly origin: string;
  readonly result: string;
  readonly hashHex: string;
}

export interface DeviceRow {
  /** Hex. */
  readonly device: string;
  readonly account: string;
  readonly label: string;
  readonly roles: string;
  readonly enrolledAtMs: number;
  readonly revokedAtMs: number | null;
}

/** Every device, for people to read. */
export async function listDevices(database: Database): Promise<DeviceRow[]> {
  const rows = await database.db.select().from(devices).innerJoin(accounts, eq(accounts.accountId, devices.accountId)).orderBy(asc(devices.enrolledAtMs));
  return rows.map(({ devices: { deviceId, label, roles, enrolledAtMs, revokedAtMs }, accounts: { name } }) => {
    return { device: bytesToHex(deviceId), account: name, label, roles, enrolledAtMs, revokedAtMs };
  });
}

/** The device that a certificate was issued to, or `null`. A revoked device or certificate is told as such. */
export async function findDeviceByCertificate(database: Database, spkiSha256: Bytes): Promise<KnownDevice | null> {
  const [row] = await database.db
    .select()
    .from(certificates)
    .innerJoin(devices, eq(devices.deviceId, certificates.deviceId))
    .innerJoin(accounts, eq(accounts.accountId, devices.accountId))
    .where(eq(certificates.spkiSha256, spkiSha256));
  return row === undefined ? null : toKnownDevice(row.devices, row.accounts, row.certificates.revokedAtMs !== null);
}

export async function findDevice(database: Database, device: DeviceId): Promise<KnownDevice | null> {
  const [row] = await database.db.select().from(devices).innerJoin(accounts, eq(accounts.accountId, devices.accountId)).where(eq(devices.deviceId, device));
  return row === undefined ? null : toKnownDevice(row.devices, row.accounts, false);
}

/** Serials for the revocation list: certificates of revoked devices and those revoked by themselves, not yet expired. */
export async function listRevokedCertificates(database: Database, nowMs: number): Promise<RevokedCertificate[]> {
  const rows = await database.db
    .select({ serial: certificates.serial, revokedAtMs: certificates.revokedAtMs })
    .from(certificates)
    .where(and(isNotNull(certificates.revokedAtMs), gt(certificates.notAfterMs, nowMs)));
  return rows.map((row) => ({ serial: row.serial, revokedAtMs: row.revokedAtMs as number }));
}

export async function readSetting(database: Database, name: string): Promise<Bytes | null> {
  const [row] = await database.db.select().from(settings).where(eq(settings.name, name));
  return row?.value ?? null;
}

/** Vaults that accounts are bound to. */
export async function listVaults(database: Database): Promise<{ vault: VaultId; account: AccountId }[]> {
  const rows = await database.db.select({ vault: accounts.vaultId, account: accounts.accountId }).from(accounts).where(isNotNull(accounts.vaultId));
  return rows.map((row) => ({ vault: asVaultId(row.vault as Bytes), account: asAccountId(row.account) }));
}

/** Rows of the audit trail after `seq`, at most `countMax`. */
export async function readAudit(database: Database, afterSeq: number, countMax: number): Promise<AuditRow[]> {
  const rows = await database.db.select().from(audit).where(gt(audit.seq, afterSeq)).orderBy(asc(audit.seq)).limit(countMax);
  return rows.map(({ seq, atMs, actor, action, subject, origin, result, hash }) => ({
    seq,
    atMs,
    actor,
    action,
    subject,
    origin,
    result,
    hashHex: bytesToHex(hash),
  }));
}

function toKnownDevice(device: typeof devices.$inferSelect, account: typeof accounts.$inferSelect, certificateRevoked: boolean): KnownDevice {
  return {
    device: asDeviceId(device.deviceId),
    publicKey: device.publicKey,
    roles: device.roles.split(",") as Role[],
    revoked: certificateRevoked || device.revokedAtMs !== null,
    account: asAccountId(account.accountId),
    accountName: account.name,
    edition: account.edition as Edition,
    quotaBytes: account.quotaBytes,
    vault: account.vaultId === null ? null : asVaultId(account.vaultId),
  };
}
