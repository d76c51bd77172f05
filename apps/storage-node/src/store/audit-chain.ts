/**
 * The chain of the audit trail: how a row is hashed, and the proof that every row is what was written, in its place.
 *
 *   hash of a row = SHA-256 of "holdfast/v1/audit" ‖ 0x00 ‖ hash of the row before (32 zero bytes before the first)
 *                   ‖ canonical CBOR of [seq, at (ms), actor, action, subject, origin, result]
 */
import { type Bytes, bytesToHex, equalBytes, utf8, utf8ToText } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { encodeCanonical } from "@holdfast/protocol";

/** A row without its place in the chain. */
export interface AuditEvent {
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly origin: string;
  readonly result: string;
}

/** A row as the file holds it: nothing about it is believed. */
export interface RawAuditRow {
  /** Decimal; beyond 2^53 too. */
  readonly seq: string;
  /** SQLite's types of the other columns, joined. */
  readonly forms: string;
  readonly atMs: string;
  /** actor, action, subject, origin, result. */
  readonly texts: readonly Uint8Array[];
  readonly previousHash: Uint8Array;
  readonly hash: Uint8Array;
}

/** The first row that does not fit; `seq` is `null` when the whole trail is concerned. */
export interface AuditFinding {
  readonly seq: number | null;
  readonly problem: string;
}

export const AUDIT_START_HASH: Bytes = new Uint8Array(32);
/** Longest text of a row, in UTF-16 units. */
export const AUDIT_TEXT_LENGTH_MAX = 512;
export const AUDIT_ROW_FORMS = "INTEGER TEXT TEXT TEXT TEXT TEXT BLOB BLOB";
const LABEL = utf8("holdfast/v1/audit\0");

export function auditHash(previousHash: Uint8Array, seq: number, event: AuditEvent): Bytes {
  const { atMs, actor, action, subject, origin, result } = event;
  return sha256(LABEL, previousHash, encodeCanonical([seq, atMs, actor, action, subject, origin, result]));
}

/** `event` with texts that are well-formed and no longer than a row takes: peers choose some of them. */
export function cutAuditTexts(event: AuditEvent): AuditEvent {
  const cut = (text: string): string => text.slice(0, AUDIT_TEXT_LENGTH_MAX).toWellFormed();
  const { atMs, actor, action, subject, origin, result } = event;
  return { atMs, actor: cut(actor), action: cut(action), subject: cut(subject), origin: cut(origin), result: cut(result) };
}

/** Walks the chain: `next` takes each row in the order of its number and tells the first that does not fit. */
export class AuditChain {
  seq = 0;
  hash: Bytes = AUDIT_START_HASH;
  /** Rows by which the storage node says that it found its trail damaged: they fit, and stay for ever. */
  readonly marks: AuditFinding[] = [];

  /** What is wrong with `row` as the next one, or `null`; a row that fits becomes the newest. */
  next(row: RawAuditRow): AuditFinding | null {
    const seq = this.seq + 1;
    if (row.seq !== String(seq)) {
      if (Number(row.seq) < seq) return { seq: Number(row.seq), problem: "has a number that the trail never gives" };
      return { seq, problem: `is missing; the next one there is row ${row.seq}` };
    }
    if (!equalBytes(row.previousHash, this.hash)) return { seq, problem: `does not follow row ${this.seq}: its previous hash is another` };
    const event = eventOf(row);
    if (event === null) return { seq, problem: "has a value of another type than was written" };
    const hash = auditHash(this.hash, seq, event);
    if (!equalBytes(row.hash, hash))
      return { seq, problem: `was changed: its hash is ${bytesToHex(row.hash).slice(0, 16)}, its content gives ${bytesToHex(hash).slice(0, 16)}` };
    if (event.action === "audit-damaged") this.marks.push({ seq, problem: `says that the storage node found this missing or changed: ${event.subject}` });
    this.seq = seq;
    this.hash = hash;
    return null;
  }
}

function eventOf(row: RawAuditRow): AuditEvent | null {
  const atMs = Number(row.atMs);
  const texts = row.texts.map((bytes) => utf8ToText(bytes));
  if (row.forms !== AUDIT_ROW_FORMS || !Number.isSafeInteger(atMs) || texts.includes(null)) return null;
  const [actor, action, subject, origin, result] = texts as [string, string, string, string, string];
  return { atMs, actor, action, subject, origin, result };
}
