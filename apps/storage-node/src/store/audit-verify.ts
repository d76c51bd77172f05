/** The audit trail read from the catalog, of a running storage node or a stopped one, and verified against its heads. */
import { type Bytes, bytesToHex, equalBytes } from "@holdfast/base";
import type { SigningPublicKey } from "@holdfast/crypto/signature";
import type { Transaction as LibsqlTransaction } from "@libsql/client/sqlite3";
import { AuditChain, type AuditFinding, type RawAuditRow } from "./audit-chain.ts";
import { AUDIT_HEAD_SETTING, type AuditHead, parseAuditHead } from "./audit-head.ts";
import type { Database } from "./database.ts";
import { translated } from "./database.ts";

export interface AuditVerification {
  /** Rows that fit, from the first on. */
  readonly rowCount: number;
  /** Newest of them: worth a note elsewhere, since `expected` finds an older catalog put back with its head. */
  readonly head: { readonly seq: number; readonly hash: string } | null;
  /** In the order of rows; empty is a pass. */
  readonly findings: readonly AuditFinding[];
}

export interface VerifyOptions {
  readonly nodeKey: SigningPublicKey;
  /** The file beside the catalog, read before the catalog is: a running node may add rows in between. */
  readonly headFile: Uint8Array | null;
  /** A head that was noted elsewhere. */
  readonly expected?: AuditHead;
}

const PAGE_ROWS = 500;
const TRIGGERS = ["audit_keeps_order", "audit_keeps_rows", "audit_keeps_values"];
const COLUMNS = ["actor", "action", "subject", "origin", "result", "previous_hash", "hash"];
const SELECT_ROWS = `SELECT CAST(seq AS TEXT), CAST(at_ms AS TEXT), upper(concat_ws(' ', typeof(at_ms), ${COLUMNS.map((name) => `typeof(${name})`).join(", ")})),
  ${COLUMNS.map((name) => `CAST(${name} AS BLOB)`).join(", ")} FROM audit WHERE seq > CAST(? AS INTEGER) OR ? = '' ORDER BY seq LIMIT ${PAGE_ROWS}`;

/** Verifies the whole trail within one read transaction. A damaged trail is an answer; a damaged file: `integrity`. */
export function verifyAudit(database: Database, options: VerifyOptions): Promise<AuditVerification> {
  return translated("audit trail", async () => {
    const transaction = await database.client.transaction("deferred");
    try {
      return await verifyIn(transaction, options);
    } finally {
      transaction.close();
    }
  });
}

async function verifyIn(transaction: LibsqlTransaction, { nodeKey, headFile, expected }: VerifyOptions): Promise<AuditVerification> {
  const chain = new AuditChain();
  const { rows } = await transaction.execute({ sql: "SELECT value FROM settings WHERE name = ?", args: [AUDIT_HEAD_SETTING] });
  const setting = bytesOf(rows[0]?.[0]);
  const heads: Head[] = [
    { name: "the head in the catalog", isLast: true, head: setting === null ? null : parseAuditHead(setting, nodeKey) },
    { name: "the file audit.head", isLast: false, head: headFile === null ? null : parseAuditHead(headFile, nodeKey) },
    ...(expected === undefined ? [] : [{ name: "the head that was expected", isLast: false, head: expected }]),
  ];
  const hashes = new Map<number, Bytes>();
  const misfit = await walk(transaction, chain, (seq, hash) => {
    if (heads.some(({ head }) => head?.seq === seq)) hashes.set(seq, hash);
  });
  const findings = misfit === null ? checkHeads(heads, chain.seq, hashes) : [misfit];
  const all = [...chain.marks, ...findings, ...(await missingTriggers(transaction))];
  all.sort((left, right) => (left.seq ?? Number.MAX_SAFE_INTEGER) - (right.seq ?? Number.MAX_SAFE_INTEGER));
  return { rowCount: chain.seq, head: chain.seq === 0 ? null : { seq: chain.seq, hash: bytesToHex(chain.hash) }, findings: all };
}

interface Head {
  readonly name: string;
  /** No row may come after it. */
  readonly isLast: boolean;
  readonly head: AuditHead | null;
}

async function walk(transaction: LibsqlTransaction, chain: AuditChain, onRow: (seq: number, hash: Bytes) => void): Promise<AuditFinding | null> {
  for (let after = ""; ; after = String(chain.seq)) {
    const { rows } = await transaction.execute({ sql: SELECT_ROWS, args: [after, after] });
    for (const row of rows) {
      const misfit = chain.next(rawRow(row as unknown as readonly unknown[]));
      if (misfit !== null) return misfit;
      onRow(chain.seq, chain.hash);
    }
    if (rows.length < PAGE_ROWS) return null;
  }
}

function rawRow(row: readonly unknown[]): RawAuditRow {
  const values = [3, 4, 5, 6, 7, 8, 9].map((index) => bytesOf(row[index]) ?? new Uint8Array());
  const [previousHash, hash] = [values[5] as Bytes, values[6] as Bytes];
  return { seq: String(row[0]), atMs: String(row[1]), forms: String(row[2]), texts: values.slice(0, 5), previousHash, hash };
}

function checkHeads(heads: readonly Head[], lastSeq: number, hashes: ReadonlyMap<number, Bytes>): AuditFinding[] {
  const findings: AuditFinding[] = [];
  for (const { name, isLast, head } of heads) {
    if (head === null) {
      if (lastSeq > 0) findings.push({ seq: null, problem: `${name} is missing, or not signed by the node key` });
    } else if (head.seq > lastSeq) {
      findings.push({ seq: lastSeq + 1, problem: `is missing, with all up to row ${head.seq}, which ${name} names` });
    } else if (!equalBytes(hashes.get(head.seq) ?? new Uint8Array(), head.hash)) {
      findings.push({ seq: head.seq, problem: `or one before it was written anew: ${name} has another hash` });
    } else if (isLast && head.seq < lastSeq) {
      findings.push({ seq: head.seq + 1, problem: `was added without the node key: ${name} ends before it` });
    }
  }
  return findings;
}

async function missingTriggers(transaction: LibsqlTransaction): Promise<AuditFinding[]> {
  const { rows } = await transaction.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'");
  const names = rows.map((row) => row[0]);
  return TRIGGERS.filter((name) => !names.includes(name)).map((name) => ({ seq: null, problem: `the catalog's trigger ${name} is missing` }));
}

function bytesOf(value: unknown): Bytes | null {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value instanceof Uint8Array ? new Uint8Array(value) : null;
}
