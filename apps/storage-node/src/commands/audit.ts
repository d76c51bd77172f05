/** `holdfast-node audit`: reads the audit trail of a running or stopped storage node, and proves it. */

import { join } from "node:path";
import { type Disk, Fault, hexToBytes } from "@holdfast/base";
import { asSigningSeed, createSigner } from "@holdfast/crypto/signature";
import { DataFolder } from "../data-folder.ts";
import { type AuditHead, readAuditHeadFile } from "../store/audit-head.ts";
import { AUDIT_ACTIONS } from "../store/audit-trail.ts";
import { type AuditVerification, verifyAudit } from "../store/audit-verify.ts";
import { type AuditRow, findAudit, readAudit } from "../store/catalog-reader.ts";
import { connectReader, type Database } from "../store/database.ts";

export interface AuditOptions {
  readonly disk: Disk;
  /** Data folder of the node. */
  readonly data: string;
}

export interface AuditFilter {
  /** Rows from then on, ms since 1970. */
  readonly sinceMs?: number;
  readonly action?: string;
  /** The newest rows that fit. */
  readonly countMax: number;
}

const EXPORT_PAGE_ROWS = 1_000;
const LIST_COUNT_MAX = 100_000;

/** The newest rows that pass `filter`, oldest first. */
export async function auditList(options: AuditOptions, filter: AuditFilter): Promise<AuditRow[]> {
  const { sinceMs = 0, action, countMax } = filter;
  if (action !== undefined && !(AUDIT_ACTIONS as readonly string[]).includes(action)) {
    throw new Fault("input", `action: unknown, got ${action}, want one of ${AUDIT_ACTIONS.join(", ")}`);
  }
  if (countMax < 1 || countMax > LIST_COUNT_MAX) throw new Fault("input", `limit: got ${countMax}, want 1 to ${LIST_COUNT_MAX}`);
  return withCatalog(options, (catalog) => findAudit(catalog, { sinceMs, action: action ?? null, countMax }));
}

/** Gives every row to `write`, oldest first, as one line of JSON each; several lines at a time. */
export async function auditExport(options: AuditOptions, write: (lines: string) => Promise<void>): Promise<void> {
  await withCatalog(options, async (catalog) => {
    for (let after = 0; ; ) {
      const rows = await readAudit(catalog, after, EXPORT_PAGE_ROWS);
      await write(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      const last = rows.at(-1);
      if (last === undefined || rows.length < EXPORT_PAGE_ROWS) return;
      after = last.seq;
    }
  });
}

/** Recomputes the chain and compares it with the signed heads. `expected` is `SEQ:HASH` as an earlier run printed it. */
export async function auditVerify(options: AuditOptions, expected?: string): Promise<AuditVerification> {
  const folder = new DataFolder(options.disk, options.data);
  const noted = expected === undefined ? {} : { expected: parseExpected(expected) };
  const headFile = readAuditHeadFile(options.disk, folder.storePath);
  return withCatalog(options, (catalog) => {
    const nodeKey = createSigner(asSigningSeed(folder.read("keys/node.seed"))).publicKey;
    return verifyAudit(catalog, { nodeKey, headFile, ...noted });
  });
}

/** A row as a line for people. Peers choose some of its texts, so nothing in them reaches the terminal as a command. */
export function auditLine({ seq, atMs, actor, action, subject, origin, result }: AuditRow): string {
  const line = [String(seq), new Date(atMs).toISOString(), action, result, actor, subject, origin].join("  ");
  return line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** `--since`: a date or time as ISO 8601 has it, or an age as in 30m, 24h, 7d. Milliseconds since 1970. */
export function parseSince(text: string, nowMs: number): number {
  const age = /^(\d{1,4})([mhd])$/.exec(text);
  if (age !== null) return nowMs - Number(age[1]) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[age[2] as "m" | "h" | "d"];
  const atMs = /^\d{4}-\d{2}-\d{2}([T ].*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new Fault("input", `since: got ${text}, want an age as in 24h or a date as in 2026-01-31`);
  return atMs;
}

function parseExpected(text: string): AuditHead {
  const match = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text);
  const hash = hexToBytes(match?.[2] ?? "");
  if (match === null || hash === null) throw new Fault("input", "expect: want SEQ:HASH as audit verify prints it");
  return { seq: Number(match[1]), hash };
}

async function withCatalog<Result>({ disk, data }: AuditOptions, work: (catalog: Database) => Promise<Result>): Promise<Result> {
  const folder = new DataFolder(disk, data);
  folder.requireUsable();
  const path = join(folder.storePath, "catalog.db");
  if (disk.stat(path) === null) throw new Fault("missing", `catalog: is not there, got ${path}`);
  const catalog = await connectReader(path);
  try {
    return await work(catalog);
  } finally {
    catalog.close();
  }
}
