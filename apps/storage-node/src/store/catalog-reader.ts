/** Reads of the catalog. */
import { type Bytes, bytesToHex } from "@holdfast/base";
import { type AccountId, asAccountId, asDeviceId, asVaultId, type DeviceId, type Role, type VaultId } from "@holdfast/protocol";
import { and, asc, desc, eq, gt, gte, isNotNull } from "drizzle-orm";
import { accounts, audit, certificates, devices, settings } from "./catalog-schema.ts";
import type { Database } from "./database.ts";

export type Edition = "dl" | "se" | "ese";

/** A device with its account, as a session needs them. */
export interface KnownDevice {
  readonly device: DeviceId;
  readonly publicKey: Bytes;
  readonly roles: readonly Role[];
  readonly revoked: boolean;
  /** Of its certificates that were revoked, each by itself or all with the device: lower-case hex without leading zeros. */
  readonly revokedSerials: readonly string[];
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
  readonly previousHashHex: string;
  readonly hashHex: string;
}

export interface AuditQuery {
  readonly sinceMs: number;
  readonly action: string | null;
  readonly countMax: number;
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
  if (row === undefined) return null;
  const revoked = await database.db
    .select({ serial: certificates.serial })
    .from(certificates)
    .where(and(eq(certificates.deviceId, row.devices.deviceId), isNotNull(certificates.revokedAtMs)));
  const known = toKnownDevice(row.devices, row.accounts);
  return { ...known, revoked: known.revoked || row.certificates.revokedAtMs !== null, revokedSerials: revoked.map(({ serial }) => serial) };
}

export async function findDevice(database: Database, device: DeviceId): Promise<KnownDevice | null> {
  const [row] = await database.db.select().from(devices).innerJoin(accounts, eq(accounts.accountId, devices.accountId)).where(eq(devices.deviceId, device));
  return row === undefined ? null : toKnownDevice(row.devices, row.accounts);
}

/** When the last of a device's certificates ends or has ended, ms; `null` when it never had one. */
export async function lastCertificateEnd(database: Database, device: DeviceId): Promise<number | null> {
  const [row] = await database.db
    .select({ notAfterMs: certificates.notAfterMs })
    .from(certificates)
    .where(eq(certificates.deviceId, device))
    .orderBy(desc(certificates.notAfterMs))
    .limit(1);
  return row?.notAfterMs ?? null;
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
  return rows.map(toAuditRow);
}

/** The newest rows that fit, oldest first. */
export async function findAudit(database: Database, { sinceMs, action, countMax }: AuditQuery): Promise<AuditRow[]> {
  const wanted = and(gte(audit.atMs, sinceMs), action === null ? undefined : eq(audit.action, action));
  const rows = await database.db.select().from(audit).where(wanted).orderBy(desc(audit.seq)).limit(countMax);
  return rows.reverse().map(toAuditRow);
}

function toAuditRow({ previousHash, hash, ...row }: typeof audit.$inferSelect): AuditRow {
  return { ...row, previousHashHex: bytesToHex(previousHash), hashHex: bytesToHex(hash) };
}

function toKnownDevice(device: typeof devices.$inferSelect, account: typeof accounts.$inferSelect): KnownDevice {
  return {
    device: asDeviceId(device.deviceId),
    publicKey: device.publicKey,
    roles: device.roles.split(",") as Role[],
    revoked: device.revokedAtMs !== null,
    revokedSerials: [],
    account: asAccountId(account.accountId),
    accountName: account.name,
    edition: account.edition as Edition,
    quotaBytes: account.quotaBytes,
    vault: account.vaultId === null ? null : asVaultId(account.vaultId),
  };
}
