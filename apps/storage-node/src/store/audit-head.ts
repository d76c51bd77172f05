/**
 * The head of the audit trail: its newest row's number and hash, signed by the node key. It is kept in the catalog, in the
 * transaction of the row, and as a file beside it, so that neither a cut tail nor an older catalog passes for the whole.
 *
 *   audit.head   one line of JSON: seq, hash (64 hex digits), signature (128 hex digits, use `receipt`)
 *   signed       "audit-head" ‖ 0x00 ‖ canonical CBOR of [seq, hash]; a receipt's body is a CBOR map, so neither passes for the other
 */
import { join } from "node:path";
import { type Bytes, bytesToHex, concatBytes, type Disk, equalBytes, hexToBytes, utf8, utf8ToText } from "@holdfast/base";
import { createVerifier, type Signer, type SigningPublicKey } from "@holdfast/crypto/signature";
import { encodeCanonical } from "@holdfast/protocol";
import { desc, eq } from "drizzle-orm";
import { z } from "zod";
import { audit, settings } from "./catalog-schema.ts";
import { appendAudit, putSetting } from "./catalog-writer.ts";
import type { Transaction } from "./database.ts";

/** Row that a head speaks of. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: Bytes;
}

export const AUDIT_HEAD_SETTING = "audit-head";
const FILE_NAME = "audit.head";
const FILE_MODE = 0o600;
export const AUDIT_HEAD_BYTES_MAX = 1024;

const signedHead = z.strictObject({
  seq: z.int().min(1),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  signature: z.string().regex(/^[0-9a-f]{128}$/),
});

/** The head as it is kept. */
export function encodeAuditHead(head: AuditHead, signer: Signer): Bytes {
  const signature = bytesToHex(signer.sign("receipt", signedBody(head)));
  return utf8(`${JSON.stringify({ seq: head.seq, hash: bytesToHex(head.hash), signature })}\n`);
}

/** The head in `bytes`, or `null` when it has another form or the node key did not sign it. */
export function parseAuditHead(bytes: Uint8Array, nodeKey: SigningPublicKey): AuditHead | null {
  const parsed = signedHead.safeParse(jsonOf(bytes));
  if (!parsed.success) return null;
  const { seq, hash, signature } = parsed.data;
  const head: AuditHead = { seq, hash: hexToBytes(hash) as Bytes };
  return createVerifier(nodeKey).verify("receipt", signedBody(head), hexToBytes(signature) as Bytes) ? head : null;
}

/** The file beside the catalog in `folder`, or `null`. */
export function readAuditHeadFile(disk: Disk, folder: string): Bytes | null {
  return disk.readFile(join(folder, FILE_NAME), AUDIT_HEAD_BYTES_MAX);
}

/** Replaces the file, after the transaction of the head: a crash between the two leaves an older head, which still holds. */
export function writeAuditHeadFile(disk: Disk, folder: string, head: Uint8Array): void {
  disk.writeFile(join(folder, FILE_NAME), head, FILE_MODE);
}

/**
 * Signs the newest row if it is another than the last time, and gives what belongs into the file, or `null`. Rows that were
 * signed and are not there any more are told by a row `audit-damaged` before the new head takes the old one's place.
 *
 * @param fileHead - The file's bytes, when the catalog was just opened: an older catalog put back is found this way.
 */
export async function sealAuditHead(transaction: Transaction, signer: Signer, nowMs: number, fileHead?: Uint8Array | null): Promise<Bytes | null> {
  const last = await newestRow(transaction);
  const [setting] = await transaction.select({ value: settings.value }).from(settings).where(eq(settings.name, AUDIT_HEAD_SETTING));
  const known = setting === undefined ? null : parseAuditHead(setting.value, signer.publicKey);
  const damages: string[] = [];
  if (fileHead !== undefined && last !== null) {
    // A catalog that was just opened ends with the row that was signed last.
    if (known === null) damages.push("signed head");
    else if (known.seq < last.seq) damages.push(`signature of the rows from ${known.seq + 1} on`);
    if (fileHead === null || parseAuditHead(fileHead, signer.publicKey) === null) damages.push("head file");
  }
  for (const head of [known, fileHead ? parseAuditHead(fileHead, signer.publicKey) : null]) {
    if (head !== null && !(await holds(transaction, head))) damages.push(`row ${head.seq} with the hash ${bytesToHex(head.hash)}`);
  }
  const event = { atMs: Math.floor(nowMs), actor: "storage node", action: "audit-damaged", origin: "local", result: "missing or changed" };
  for (const subject of new Set(damages)) await appendAudit(transaction, { ...event, subject });
  const newest = damages.length > 0 ? await newestRow(transaction) : last;
  if (newest === null || (known?.seq === newest.seq && equalBytes(known.hash, newest.hash))) return null;
  const head = encodeAuditHead(newest, signer);
  await putSetting(transaction, AUDIT_HEAD_SETTING, head);
  return head;
}

async function newestRow(transaction: Transaction): Promise<AuditHead | null> {
  const [row] = await transaction.select({ seq: audit.seq, hash: audit.hash }).from(audit).orderBy(desc(audit.seq)).limit(1);
  return row ?? null;
}

async function holds(transaction: Transaction, head: AuditHead): Promise<boolean> {
  const [row] = await transaction.select({ hash: audit.hash }).from(audit).where(eq(audit.seq, head.seq));
  return row !== undefined && equalBytes(row.hash, head.hash);
}

function signedBody({ seq, hash }: AuditHead): Bytes {
  return concatBytes(utf8("audit-head\0"), encodeCanonical([seq, hash]));
}

function jsonOf(bytes: Uint8Array): unknown {
  const text = bytes.length > AUDIT_HEAD_BYTES_MAX ? null : utf8ToText(bytes);
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
