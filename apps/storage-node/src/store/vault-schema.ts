/**
 * A vault's own databases: `vault.db` holds all that a commit touches, `segment-NNNN.db` holds the bytes of frames.
 *
 * A frame is stored as parts of 1 MiB in one segment. Its number orders the frames of a vault; the part's row number
 * is `frame number × 64 + part index`, so a frame's parts are a range of rows.
 */
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { bytes } from "./columns.ts";

/** Parts that the numbering leaves room for; a frame has at most 32. */
export const PART_NUMBERS_PER_FRAME = 64;

/** One row, id 1. */
export const vaultState = sqliteTable("vault_state", {
  id: integer("id").primaryKey(),
  vaultId: bytes("vault_id").notNull(),
  accountId: bytes("account_id").notNull(),
  /** Drawn anew when the node was restored from an older state: cursors carry it. */
  lineage: bytes("lineage").notNull(),
  nextFrameNo: integer("next_frame_no").notNull(),
  storedBytes: integer("stored_bytes").notNull(),
  createdAtMs: integer("created_at_ms").notNull(),
});

export const records = sqliteTable("records", {
  frameNo: integer("frame_no").primaryKey(),
  recordId: bytes("record_id").notNull().unique(),
  kind: integer("kind").notNull(),
  segmentNo: integer("segment_no").notNull(),
  byteCount: integer("byte_count").notNull(),
  deviceId: bytes("device_id").notNull(),
  receivedAtMs: integer("received_at_ms").notNull(),
  /** Not swept before this, whatever references it. */
  leasedUntilMs: integer("leased_until_ms").notNull(),
  /** 0 hot, 1 cold. */
  tier: integer("tier").notNull(),
});

/** Frames whose parts lie in a segment while no record names them: uploads under way, and left-overs to remove. */
export const staging = sqliteTable("staging", {
  frameNo: integer("frame_no").primaryKey(),
  segmentNo: integer("segment_no").notNull(),
});

/** What an agent's local index follows. */
export const changes = sqliteTable("changes", {
  changeNo: integer("change_no").primaryKey(),
  /** `added`, `swept` or `moved`. */
  op: text("op").notNull(),
  recordId: bytes("record_id").notNull(),
  kind: integer("kind").notNull(),
  byteCount: integer("byte_count").notNull(),
  tier: integer("tier").notNull(),
});

export const leases = sqliteTable("leases", {
  leaseId: bytes("lease_id").primaryKey(),
  deviceId: bytes("device_id").notNull(),
  openedAtMs: integer("opened_at_ms").notNull(),
  renewedAtMs: integer("renewed_at_ms").notNull(),
});

export const journal = sqliteTable("journal", {
  seq: integer("seq").primaryKey(),
  entryId: bytes("entry_id").notNull().unique(),
  entryFrame: bytes("entry_frame").notNull(),
  receiptId: bytes("receipt_id").notNull(),
  receiptFrame: bytes("receipt_frame").notNull(),
  receivedAtMs: integer("received_at_ms").notNull(),
});

export const lines = sqliteTable("lines", {
  lineNo: integer("line_no").primaryKey(),
  line: bytes("line").notNull().unique(),
});

/** Snapshot and offload entries. */
export const snapshots = sqliteTable(
  "snapshots",
  {
    seq: integer("seq").primaryKey(),
    lineNo: integer("line_no").notNull(),
    needsCount: integer("needs_count").notNull(),
    /** 1 until it is forgotten, superseded or released. */
    retained: integer("retained").notNull(),
  },
  (table) => [index("snapshots_by_line").on(table.lineNo, table.seq)],
);

/**
 * Which records the snapshots of a line need: record `frameNo` is needed by every snapshot of the line whose seq
 * lies in [firstSeq, lastSeq]. `OPEN_SEQ` as the end: by the line's latest snapshot too.
 */
export const needed = sqliteTable(
  "needed",
  {
    lineNo: integer("line_no").notNull(),
    frameNo: integer("frame_no").notNull(),
    firstSeq: integer("first_seq").notNull(),
    lastSeq: integer("last_seq").notNull(),
  },
  (table) => [primaryKey({ columns: [table.lineNo, table.frameNo, table.firstSeq] }), index("needed_by_frame").on(table.frameNo)],
);

/** End of an interval that has none yet. */
export const OPEN_SEQ: number = Number.MAX_SAFE_INTEGER;

/** In a segment database. */
export const parts = sqliteTable("parts", {
  partNo: integer("part_no").primaryKey(),
  bytes: bytes("bytes").notNull(),
});
