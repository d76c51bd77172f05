/** The audit trail against someone who can write to the catalog's file, and does not have the node key. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bytesToHex, hexToBytes, utf8 } from "@holdfast/base";
import { createNodeDisk, createSystemRandom } from "@holdfast/base/node";
import { createSigner, generateSigningKey, type Signer } from "@holdfast/crypto/signature";
import { type AuditEvent, auditHash } from "./audit-chain.ts";
import { AUDIT_HEAD_SETTING, encodeAuditHead, readAuditHeadFile, sealAuditHead, writeAuditHeadFile } from "./audit-head.ts";
import { type AuditVerification, verifyAudit } from "./audit-verify.ts";
import { appendAudit } from "./catalog-writer.ts";
import { connectReader, connectWriter, type Database, inTransaction } from "./database.ts";
import { CATALOG_MIGRATIONS } from "./migrations.ts";

const ROW_COUNT = 12;
const TRIGGERS = ["audit_keeps_rows", "audit_keeps_values", "audit_keeps_order"];
const random = createSystemRandom();
const disk = createNodeDisk();

function eventOf(number: number): AuditEvent {
  return { atMs: 1_800_000_000_000 + number, actor: "operator", action: "invite", subject: `account ${number}`, origin: "control socket", result: "done" };
}

/** A catalog with a trail of `ROW_COUNT` rows, sealed row by row as the writer does. */
class Trail implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "holdfast-audit-"));
  readonly signer: Signer = createSigner(generateSigningKey(random).seed);
  database!: Database;

  static async create(): Promise<Trail> {
    const trail = new Trail();
    trail.database = await connectWriter(join(trail.folder, "catalog.db"), CATALOG_MIGRATIONS);
    for (let number = 1; number <= ROW_COUNT; number++) await trail.append(eventOf(number));
    return trail;
  }

  async append(event: AuditEvent): Promise<void> {
    const head = await inTransaction(this.database, "catalog", async (transaction) => {
      await appendAudit(transaction, event);
      return sealAuditHead(transaction, this.signer, event.atMs);
    });
    if (head !== null) writeAuditHeadFile(disk, this.folder, head);
  }

  /** As the writer does when it opens the catalog. */
  async start(): Promise<void> {
    const file = readAuditHeadFile(disk, this.folder);
    const head = await inTransaction(this.database, "catalog", (transaction) => sealAuditHead(transaction, this.signer, 1, file));
    if (head !== null) writeAuditHeadFile(disk, this.folder, head);
  }

  /** Runs `statements` with the triggers out of the way, and puts them back. */
  async tamper(...statements: string[]): Promise<void> {
    const { client } = this.database;
    const { rows } = await client.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'");
    for (const name of TRIGGERS) await client.execute(`DROP TRIGGER ${name}`);
    for (const statement of statements) await client.execute(statement);
    for (const row of rows) await client.execute(String(row[0]));
  }

  async hashOf(seq: number): Promise<string> {
    const { rows } = await this.database.client.execute({ sql: "SELECT lower(hex(hash)) FROM audit WHERE seq = ?", args: [seq] });
    return String(rows[0]?.[0]);
  }

  async verify(expected?: { seq: number; hashHex: string }): Promise<AuditVerification> {
    const reader = await connectReader(join(this.folder, "catalog.db"));
    try {
      return await verifyAudit(reader, {
        nodeKey: this.signer.publicKey,
        headFile: readAuditHeadFile(disk, this.folder),
        ...(expected === undefined ? {} : { expected: { seq: expected.seq, hash: hexToBytes(expected.hashHex) as Uint8Array<ArrayBuffer> } }),
      });
    } finally {
      reader.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function assertFound(trail: Trail, seq: number | null, problem: RegExp): Promise<void> {
  const { findings } = await trail.verify();
  assert.ok(findings.length > 0, "nothing was found");
  assert.deepEqual([findings[0]?.seq, problem.test(findings[0]?.problem ?? "")], [seq, true], JSON.stringify(findings));
}

describe("audit trail: tampering", () => {
  it("an honest trail passes, read while the writer has it open", async () => {
    await using trail = await Trail.create();
    const { rowCount, head, findings } = await trail.verify();
    assert.deepEqual([rowCount, head, findings], [ROW_COUNT, { seq: ROW_COUNT, hash: await trail.hashOf(ROW_COUNT) }, []]);
  });

  it("an empty trail passes", async () => {
    await using trail = await Trail.create();
    await trail.tamper("DELETE FROM audit", "DELETE FROM settings");
    rmSync(join(trail.folder, "audit.head"));
    assert.deepEqual(await trail.verify(), { rowCount: 0, head: null, findings: [] });
  });

  const columns: Record<string, string> = {
    at_ms: "at_ms = at_ms + 1",
    actor: "actor = 'Operator'",
    action: "action = 'invitf'",
    subject: "subject = replace(subject, '6', '7')",
    origin: "origin = 'control sockeu'",
    result: "result = 'dome'",
    previous_hash: "previous_hash = CAST(x'00' || substr(previous_hash, 2) AS BLOB)",
    hash: "hash = CAST(x'00' || substr(hash, 2) AS BLOB)",
  };
  for (const [column, change] of Object.entries(columns)) {
    it(`a changed ${column} is found in its row`, async () => {
      await using trail = await Trail.create();
      await trail.tamper(`UPDATE audit SET ${change} WHERE seq = 6`);
      await assertFound(trail, 6, /was changed|does not follow/);
    });
  }

  it("a value of another type, or text that is none, is found in its row", async () => {
    for (const change of ["at_ms = 'x'", "at_ms = 1.5", "at_ms = 9223372036854775807", "actor = x'6f70'", "subject = CAST(x'ff' AS TEXT)", "hash = 'text'"]) {
      await using trail = await Trail.create();
      await trail.tamper(`UPDATE audit SET ${change} WHERE seq = 6`);
      await assertFound(trail, 6, /another type|was changed/);
    }
  });

  it("a changed number is found where the row was", async () => {
    await using trail = await Trail.create();
    await trail.tamper("UPDATE audit SET seq = 9007199254740993 WHERE seq = 6");
    await assertFound(trail, 6, /is missing/);
  });

  it("a row before the first is found", async () => {
    await using trail = await Trail.create();
    await trail.tamper("INSERT INTO audit SELECT -1, at_ms, actor, action, subject, origin, result, previous_hash, hash FROM audit WHERE seq = 6");
    await assertFound(trail, -1, /never gives/);
  });

  it("a deleted row is found, in the middle and at the start", async () => {
    for (const seq of [1, 6]) {
      await using trail = await Trail.create();
      await trail.tamper(`DELETE FROM audit WHERE seq = ${seq}`);
      await assertFound(trail, seq, /is missing/);
    }
  });

  it("a deleted row is found when those after it move up", async () => {
    await using trail = await Trail.create();
    await trail.tamper("DELETE FROM audit WHERE seq = 6", "UPDATE audit SET seq = -seq WHERE seq > 6", "UPDATE audit SET seq = -seq - 1 WHERE seq < 0");
    await assertFound(trail, 6, /does not follow row 5/);
  });

  it("two rows that change places are found at the first of them", async () => {
    await using trail = await Trail.create();
    await trail.tamper("UPDATE audit SET seq = 99 WHERE seq = 5", "UPDATE audit SET seq = 5 WHERE seq = 8", "UPDATE audit SET seq = 8 WHERE seq = 99");
    await assertFound(trail, 5, /does not follow row 4/);
  });

  it("a cut tail is found at the first row that is missing", async () => {
    for (const cut of [1, 4, ROW_COUNT - 1, ROW_COUNT]) {
      await using trail = await Trail.create();
      await trail.tamper(`DELETE FROM audit WHERE seq > ${ROW_COUNT - cut}`);
      await assertFound(trail, ROW_COUNT - cut + 1, new RegExp(`is missing, with all up to row ${ROW_COUNT}`));
    }
  });

  it("a tail that is cut with its head taken away, or an older one put back, is found by the file", async () => {
    await using trail = await Trail.create();
    const older = encodeAuditHead({ seq: 9, hash: hexToBytes(await trail.hashOf(9)) as Uint8Array<ArrayBuffer> }, trail.signer);
    await trail.tamper("DELETE FROM audit WHERE seq > 9", `UPDATE settings SET value = x'${bytesToHex(older)}' WHERE name = '${AUDIT_HEAD_SETTING}'`);
    await assertFound(trail, 10, /which the file audit.head names/);
    await trail.tamper("DELETE FROM settings");
    await assertFound(trail, 10, /is missing/);
  });

  it("a trail that is older with all its heads is found by a head noted elsewhere", async () => {
    await using trail = await Trail.create();
    const noted = { seq: ROW_COUNT, hashHex: await trail.hashOf(ROW_COUNT) };
    const older = encodeAuditHead({ seq: 9, hash: hexToBytes(await trail.hashOf(9)) as Uint8Array<ArrayBuffer> }, trail.signer);
    await trail.tamper("DELETE FROM audit WHERE seq > 9", `UPDATE settings SET value = x'${bytesToHex(older)}' WHERE name = '${AUDIT_HEAD_SETTING}'`);
    writeAuditHeadFile(disk, trail.folder, older);
    assert.deepEqual((await trail.verify()).findings, []);
    assert.deepEqual((await trail.verify(noted)).findings[0]?.seq, 10);
  });

  it("a chain that is hashed anew from a changed row on does not have the head that was signed", async () => {
    await using trail = await Trail.create();
    const statements: string[] = [];
    let previous = hexToBytes(await trail.hashOf(5)) as Uint8Array;
    for (let seq = 6; seq <= ROW_COUNT; seq++) {
      const event = seq === 6 ? { ...eventOf(6), actor: "nobody" } : eventOf(seq);
      const hash = auditHash(previous, seq, event);
      statements.push(
        `UPDATE audit SET actor = '${event.actor}', previous_hash = x'${bytesToHex(previous)}', hash = x'${bytesToHex(hash)}' WHERE seq = ${seq}`,
      );
      previous = hash;
    }
    await trail.tamper(...statements);
    await assertFound(trail, ROW_COUNT, /written anew/);
  });

  it("a row added without the node key is found, and a head that another key signed", async () => {
    await using trail = await Trail.create();
    await inTransaction(trail.database, "catalog", (transaction) => appendAudit(transaction, eventOf(13)));
    await assertFound(trail, 13, /without the node key/);
    const stranger = createSigner(generateSigningKey(random).seed);
    const forged = encodeAuditHead({ seq: 13, hash: hexToBytes(await trail.hashOf(13)) as Uint8Array<ArrayBuffer> }, stranger);
    await trail.tamper(`UPDATE settings SET value = x'${bytesToHex(forged)}' WHERE name = '${AUDIT_HEAD_SETTING}'`);
    await assertFound(trail, null, /not signed by the node key/);
  });

  it("a head file that is missing, cut or no JSON is found", async () => {
    await using trail = await Trail.create();
    const whole = readAuditHeadFile(disk, trail.folder) as Uint8Array;
    for (const bytes of [whole.subarray(0, 40), utf8("{}"), utf8("null"), new Uint8Array(0), Uint8Array.of(0xff)]) {
      writeFileSync(join(trail.folder, "audit.head"), bytes);
      await assertFound(trail, null, /audit.head is missing/);
    }
    rmSync(join(trail.folder, "audit.head"));
    await assertFound(trail, null, /audit.head is missing/);
  });

  it("a missing trigger is found", async () => {
    await using trail = await Trail.create();
    await trail.database.client.execute("DROP TRIGGER audit_keeps_values");
    await assertFound(trail, null, /trigger audit_keeps_values/);
  });
});

describe("audit trail: a storage node that finds its trail damaged", () => {
  it("says nothing of an honest one, also after a crash before the file was written", async () => {
    await using trail = await Trail.create();
    const before = readAuditHeadFile(disk, trail.folder) as Uint8Array;
    await trail.append(eventOf(13));
    writeAuditHeadFile(disk, trail.folder, before);
    await trail.start();
    assert.deepEqual((await trail.verify()).findings, []);
  });

  it("marks a cut tail for ever, at its start and while it runs", async () => {
    for (const goOn of [(trail: Trail) => trail.start(), (trail: Trail) => trail.append(eventOf(20))]) {
      await using trail = await Trail.create();
      const lost = await trail.hashOf(ROW_COUNT);
      await trail.tamper("DELETE FROM audit WHERE seq > 9");
      await goOn(trail);
      await trail.append(eventOf(21));
      await trail.append(eventOf(22));
      const { findings } = await trail.verify();
      assert.ok(
        findings.some(({ problem }) => problem.includes(`row 12 with the hash ${lost}`)),
        JSON.stringify(findings),
      );
    }
  });

  it("marks heads that were taken away, and rows that were added", async () => {
    for (const [statement, told] of [
      ["DELETE FROM settings", /signed head/],
      ["INSERT INTO audit SELECT 13, at_ms, actor, action, subject, origin, result, hash, hash FROM audit WHERE seq = 12", /rows from 13 on/],
    ] as const) {
      await using trail = await Trail.create();
      await trail.tamper(statement);
      await trail.start();
      const { rows } = await trail.database.client.execute("SELECT subject FROM audit WHERE action = 'audit-damaged'");
      assert.match(rows.map((row) => String(row[0])).join(), told);
    }
  });
});

describe("audit trail: the catalog itself", () => {
  it("takes no change, removal, replacement or gap", async () => {
    await using trail = await Trail.create();
    const { client } = trail.database;
    const copy = (seq: number) => `SELECT ${seq}, at_ms, actor, action, subject, origin, result, previous_hash, hash FROM audit WHERE seq = 1`;
    for (const sql of [
      "UPDATE audit SET actor = 'x' WHERE seq = 3",
      "DELETE FROM audit WHERE seq = 3",
      "DELETE FROM audit",
      `INSERT OR REPLACE INTO audit ${copy(3)}`,
      `INSERT INTO audit ${copy(14)}`,
      `INSERT INTO audit ${copy(0)}`,
    ]) {
      await assert.rejects(client.execute(sql), /append-only/, sql);
    }
    assert.deepEqual((await trail.verify()).findings, []);
  });

  it("keeps texts within their length, and well-formed", async () => {
    await using trail = await Trail.create();
    await trail.append({ ...eventOf(13), subject: `${"x".repeat(511)}😀`, actor: "\ud800" });
    const { rows } = await trail.database.client.execute("SELECT length(subject), actor FROM audit WHERE seq = 13");
    assert.deepEqual([rows[0]?.[0], rows[0]?.[1]], [512, "\ufffd"]);
    assert.deepEqual((await trail.verify()).findings, []);
  });
});
