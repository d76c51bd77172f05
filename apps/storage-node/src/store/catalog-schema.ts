/** The catalog: who may store what. One database for the node; vaults have their own (vault-schema.ts). */
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { bytes } from "./columns.ts";

/** Values of the node itself, by name. */
export const settings = sqliteTable("settings", {
  name: text("name").primaryKey(),
  value: bytes("value").notNull(),
});

export const groups = sqliteTable("groups", {
  groupId: bytes("group_id").primaryKey(),
  name: text("name").notNull().unique(),
  quotaBytes: integer("quota_bytes"),
  createdAtMs: integer("created_at_ms").notNull(),
});

export const accounts = sqliteTable("accounts", {
  accountId: bytes("account_id").primaryKey(),
  groupId: bytes("group_id").references(() => groups.groupId),
  name: text("name").notNull().unique(),
  /** `dl`, `se` or `ese`. */
  edition: text("edition").notNull(),
  quotaBytes: integer("quota_bytes"),
  /** Bound once by the account's first device. */
  vaultId: bytes("vault_id").unique(),
  createdAtMs: integer("created_at_ms").notNull(),
});

export const devices = sqliteTable("devices", {
  /** First 16 bytes of the SHA-256 of the public key. */
  deviceId: bytes("device_id").primaryKey(),
  accountId: bytes("account_id")
    .notNull()
    .references(() => accounts.accountId),
  /** Ed25519. */
  publicKey: bytes("public_key").notNull(),
  label: text("label").notNull(),
  /** Role names joined by commas. They restrict; what a device may write into the journal, the journal says. */
  roles: text("roles").notNull(),
  enrolledAtMs: integer("enrolled_at_ms").notNull(),
  revokedAtMs: integer("revoked_at_ms"),
});

/** Client certificates, named by the hash of their public key: what a TLS connection is looked up by. */
export const certificates = sqliteTable("certificates", {
  spkiSha256: bytes("spki_sha256").primaryKey(),
  deviceId: bytes("device_id")
    .notNull()
    .references(() => devices.deviceId),
  /** Lower-case hex without leading zeros. */
  serial: text("serial").notNull(),
  notAfterMs: integer("not_after_ms").notNull(),
  issuedAtMs: integer("issued_at_ms").notNull(),
  revokedAtMs: integer("revoked_at_ms"),
});

export const invites = sqliteTable("invites", {
  /** The secret itself is never kept. */
  secretSha256: bytes("secret_sha256").primaryKey(),
  accountId: bytes("account_id")
    .notNull()
    .references(() => accounts.accountId),
  roles: text("roles").notNull(),
  createdAtMs: integer("created_at_ms").notNull(),
  expiresAtMs: integer("expires_at_ms").notNull(),
  usedAtMs: integer("used_at_ms"),
  usedByDeviceId: bytes("used_by_device_id"),
});

/** Append-only; each row's hash covers the one before. */
export const audit = sqliteTable("audit", {
  seq: integer("seq").primaryKey(),
  atMs: integer("at_ms").notNull(),
  actor: text("actor").notNull(),
  action: text("action").notNull(),
  subject: text("subject").notNull(),
  origin: text("origin").notNull(),
  result: text("result").notNull(),
  previousHash: bytes("previous_hash").notNull(),
  hash: bytes("hash").notNull(),
});
