/** `holdfast-node audit` as a process, on a real storage node: running, stopped and tampered with. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createSystemRandom } from "@holdfast/base/node";
import { createSigner, generateSigningKey } from "@holdfast/crypto/signature";
import { createClient } from "@libsql/client/sqlite3";
import { NodeFixture } from "../testing/node-fixture.ts";
import { enrollDevice } from "../testing/test-client.ts";
import { auditLine, parseSince } from "./audit.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const LIMITED = { timeout: 60_000 };

let node: NodeFixture;

before(async () => {
  node = await NodeFixture.create();
  const lost = await node.enroll("ada", ["agent"]);
  await node.node.services.store.writer.call("revokeDevice", [lost.client.device, { actor: "operator", origin: "control socket" }]);
  const guess = { ...(await node.invite("ada")), secret: createSystemRandom().bytes(16) };
  await assert.rejects(enrollDevice(guess, node.rootPem, createSigner(generateSigningKey(createSystemRandom()).seed)));
});
after(() => rmSync(join(node.folder.path, ".."), { recursive: true, force: true }));

function audit(command: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "audit", command, "--data", node.folder.path, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("holdfast-node audit", () => {
  it("shows who did what on a running node, and proves it", LIMITED, () => {
    const listed = audit("list", "--json");
    assert.equal(listed.status, 0, listed.stderr);
    const actions = new Set((JSON.parse(listed.stdout) as { action: string }[]).map((row) => row.action));
    for (const action of ["init", "node-started", "invite", "enroll", "certificate-issued", "revoke", "certificate-revoked", "refused"]) {
      assert.ok(actions.has(action), `${action} is missing among ${[...actions].join(", ")}`);
    }
    const verified = audit("verify");
    assert.deepEqual([verified.status, verified.stderr], [0, ""]);
    assert.match(verified.stdout, /^The audit trail fits: \d+ rows, head \d+:[0-9a-f]{64}\n$/);
  });

  it("list filters by action, time and number", LIMITED, () => {
    const rows = (...args: string[]) => JSON.parse(audit("list", "--json", ...args).stdout) as { action: string; seq: number }[];
    assert.deepEqual([...new Set(rows("--action", "revoke").map((row) => row.action))], ["revoke"]);
    assert.deepEqual(rows("--since", "2099-01-01"), []);
    assert.ok(rows("--since", "1h").length > 3);
    const [all, two] = [rows(), rows("--limit", "2")];
    assert.deepEqual(two, all.slice(-2));
    assert.match(audit("list", "--action", "revoke").stdout, /^\d+ {2}\d{4}-\d\d-\d\dT[^ ]+Z {2}revoke {2}done {2}operator {2}device [0-9a-f]{32} /);
    for (const args of [
      ["--action", "nothing"],
      ["--since", "soon"],
      ["--limit", "0"],
    ])
      assert.equal(audit("list", ...args).status, 2);
  });

  it("export gives every row as a line that chains to the one before", LIMITED, () => {
    const rows = audit("export")
      .stdout.trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      rows.map((row) => row.seq),
      rows.map((_row, index) => index + 1),
    );
    for (const [index, row] of rows.slice(1).entries()) assert.equal(row.previousHashHex, rows[index].hashHex);
  });

  it("proves a stopped node, with its stop, against a head noted before", LIMITED, async () => {
    const before = JSON.parse(audit("verify", "--json").stdout).head;
    await node.stop();
    const verified = audit("verify", "--expect", `${before.seq}:${before.hash}`, "--json");
    assert.equal(verified.status, 0, verified.stderr);
    assert.ok(JSON.parse(verified.stdout).rowCount > before.seq);
    assert.equal(JSON.parse(audit("list", "--limit", "1", "--json").stdout)[0].action, "node-stopped");
    assert.equal(audit("verify", "--expect", `${before.seq}:${"0".repeat(64)}`).status, 8);
    assert.equal(audit("verify", "--expect", "nonsense").status, 2);
  });

  it("names the rows of a tail that was cut; the node starts, and says so for ever", LIMITED, async () => {
    const client = createClient({ url: `file:${join(node.folder.storePath, "catalog.db")}` });
    const { rows } = await client.execute("SELECT sql FROM sqlite_schema WHERE name = 'audit_keeps_rows'");
    const last = Number((await client.execute("SELECT max(seq) FROM audit")).rows[0]?.[0]);
    await client.executeMultiple(`DROP TRIGGER audit_keeps_rows; DELETE FROM audit WHERE seq >= ${last - 1}; ${String(rows[0]?.[0])}`);
    client.close();
    const cut = audit("verify");
    assert.equal(cut.status, 8);
    assert.match(cut.stderr, new RegExp(`audit trail: row ${last - 1} is missing, with all up to row ${last}`));
    await node.start();
    await node.stop();
    const marked = audit("verify");
    assert.equal(marked.status, 8);
    assert.match(marked.stderr, new RegExp(`row ${last - 1} says that the storage node found this missing or changed: row ${last} with the hash`));
  });

  it("of a folder without a node is refused", LIMITED, () => {
    const { status } = spawnSync(process.execPath, [MAIN, "audit", "verify", "--data", join(node.folder.path, "..")], { encoding: "utf8" });
    assert.equal(status, 5);
  });
});

describe("audit lines", () => {
  it("do not carry what a terminal would obey", () => {
    const row = {
      seq: 1,
      atMs: 0,
      actor: "peer",
      action: "rename",
      subject: "a\u001b[2Jb\nc\u202e",
      origin: "x",
      result: "done",
      previousHashHex: "",
      hashHex: "",
    };
    assert.equal(auditLine(row), "1  1970-01-01T00:00:00.000Z  rename  done  peer  a\\u{1b}[2Jb\\u{a}c\\u{202e}  x");
  });

  it("since takes an age or a date", () => {
    assert.equal(parseSince("2h", 10_000_000), 2_800_000);
    assert.equal(parseSince("2026-01-31", 0), Date.UTC(2026, 0, 31));
    for (const text of ["", "yesterday", "2026-13-45", "12", "1y"]) assert.throws(() => parseSince(text, 0), { code: "input" });
  });
});
