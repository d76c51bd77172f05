/**
 * The databases' tables as SQL, by version. A released version never changes; a new one is appended.
 * A test compares what they build with the drizzle schemas.
 */

/** `migrations[n]` leads from version n to n + 1 (`user_version`). */
export type Migrations = readonly string[];

export const CATALOG_MIGRATIONS: Migrations = [
  `CREATE TABLE settings (name TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL);
   CREATE TABLE groups (group_id BLOB PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE, quota_bytes INTEGER, created_at_ms INTEGER NOT NULL);
   CREATE TABLE accounts (
     account_id BLOB PRIMARY KEY NOT NULL, group_id BLOB REFERENCES groups (group_id), name TEXT NOT NULL UNIQUE,
     edition TEXT NOT NULL CHECK (edition IN ('dl', 'se', 'ese')), quota_bytes INTEGER, vault_id BLOB UNIQUE, created_at_ms INTEGER NOT NULL);
   CREATE TABLE devices (
     device_id BLOB PRIMARY KEY NOT NULL, account_id BLOB NOT NULL REFERENCES accounts (account_id), public_key BLOB NOT NULL,
     label TEXT NOT NULL, roles TEXT NOT NULL, enrolled_at_ms INTEGER NOT NULL, revoked_at_ms INTEGER);
   CREATE TABLE certificates (
     spki_sha256 BLOB PRIMARY KEY NOT NULL, device_id BLOB NOT NULL REFERENCES devices (device_id), serial TEXT NOT NULL,
     not_after_ms INTEGER NOT NULL, issued_at_ms INTEGER NOT NULL, revoked_at_ms INTEGER);
   CREATE TABLE invites (
     secret_sha256 BLOB PRIMARY KEY NOT NULL, account_id BLOB NOT NULL REFERENCES accounts (account_id), roles TEXT NOT NULL,
     created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, used_at_ms INTEGER, used_by_device_id BLOB);
   CREATE TABLE audit (
     seq INTEGER PRIMARY KEY NOT NULL, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
     origin TEXT NOT NULL, result TEXT NOT NULL, previous_hash BLOB NOT NULL, hash BLOB NOT NULL);
   CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit: append-only'); END;
   CREATE TRIGGER audit_keeps_values BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit: append-only'); END;`,
  // REPLACE removes a row without asking the triggers of DELETE.
  `CREATE TRIGGER audit_keeps_order BEFORE INSERT ON audit WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
     BEGIN SELECT RAISE(ABORT, 'audit: append-only'); END;
   CREATE INDEX certificates_by_device ON certificates (device_id);`,
];

export const VAULT_MIGRATIONS: Migrations = [
  `CREATE TABLE vault_state (
     id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1), vault_id BLOB NOT NULL, account_id BLOB NOT NULL, lineage BLOB NOT NULL,
     next_frame_no INTEGER NOT NULL, stored_bytes INTEGER NOT NULL, created_at_ms INTEGER NOT NULL);
   CREATE TABLE records (
     frame_no INTEGER PRIMARY KEY NOT NULL, record_id BLOB NOT NULL UNIQUE, kind INTEGER NOT NULL, segment_no INTEGER NOT NULL,
     byte_count INTEGER NOT NULL, device_id BLOB NOT NULL, received_at_ms INTEGER NOT NULL, leased_until_ms INTEGER NOT NULL,
     tier INTEGER NOT NULL);
   CREATE TABLE staging (frame_no INTEGER PRIMARY KEY NOT NULL, segment_no INTEGER NOT NULL);
   CREATE TABLE changes (
     change_no INTEGER PRIMARY KEY NOT NULL, op TEXT NOT NULL, record_id BLOB NOT NULL, kind INTEGER NOT NULL,
     byte_count INTEGER NOT NULL, tier INTEGER NOT NULL);
   CREATE TABLE leases (lease_id BLOB PRIMARY KEY NOT NULL, device_id BLOB NOT NULL, opened_at_ms INTEGER NOT NULL, renewed_at_ms INTEGER NOT NULL);
   CREATE TABLE journal (
     seq INTEGER PRIMARY KEY NOT NULL, entry_id BLOB NOT NULL UNIQUE, entry_frame BLOB NOT NULL, receipt_id BLOB NOT NULL,
     receipt_frame BLOB NOT NULL, received_at_ms INTEGER NOT NULL);
   CREATE TABLE lines (line_no INTEGER PRIMARY KEY NOT NULL, line BLOB NOT NULL UNIQUE);
   CREATE TABLE snapshots (seq INTEGER PRIMARY KEY NOT NULL, line_no INTEGER NOT NULL, needs_count INTEGER NOT NULL, retained INTEGER NOT NULL);
   CREATE INDEX snapshots_by_line ON snapshots (line_no, seq);
   CREATE TABLE needed (
     line_no INTEGER NOT NULL, frame_no INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
     PRIMARY KEY (line_no, frame_no, first_seq)) WITHOUT ROWID;
   CREATE INDEX needed_by_frame ON needed (frame_no);`,
];

export const SEGMENT_MIGRATIONS: Migrations = ["CREATE TABLE parts (part_no INTEGER PRIMARY KEY NOT NULL, bytes BLOB NOT NULL);"];
