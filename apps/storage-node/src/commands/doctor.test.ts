import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { createFakeClock } from "@holdfast/testkit";
import { type DoctorCheck, type DoctorOptions, examine } from "./doctor.ts";
import { init } from "./init.ts";

const LIMITED = { timeout: 60_000 };
const clock = createSystemClock();
let data: string;
let options: DoctorOptions;

before(async () => {
  data = join(mkdtempSync(join(tmpdir(), "holdfast-doctor-")), "data");
  const ports = { disk: createNodeDisk(), clock, random: createSystemRandom() };
  await init({ ...ports, data, hostNames: ["localhost"], passphrase: "a long passphrase" });
  options = { ...ports, data, environment: {}, runtime: process.versions };
});
after(() => rmSync(join(data, ".."), { recursive: true, force: true }));

async function failedWith(change: Partial<DoctorOptions>): Promise<string[]> {
  return linesOf(await examine({ ...options, ...change }), "failed").filter((line) => !line.startsWith("audit trail"));
}

function linesOf(checks: readonly DoctorCheck[], status: DoctorCheck["status"]): string[] {
  return checks.filter((check) => check.status === status).map(({ name, message }) => `${name}: ${message}`);
}

describe("doctor", LIMITED, () => {
  it("finds nothing wrong with a fresh node, and looks at everything once", LIMITED, async () => {
    const checks = await examine(options);
    assert.deepEqual(linesOf(checks, "failed"), []);
    const names = ["certificates", "files", "disk", "audit trail", "cipher audit", "clock", "runtime", "sqlite", "environment", "swap"];
    assert.deepEqual(
      checks.map(({ name }) => name),
      names,
    );
    assert.match(checks.find(({ name }) => name === "sqlite")?.message ?? "", /^bundled version 3\.\d+\.\d+$/);
  });

  it("changes nothing, whatever it finds", LIMITED, async () => {
    const leaf = readFileSync(join(data, "pki/node.pem"));
    const wornMs = clock.nowMs() + 80 * 86_400_000; // Past two thirds of the leaf's life.
    await examine({ ...options, clock: { ...clock, nowMs: () => wornMs } });
    assert.deepEqual(readFileSync(join(data, "pki/node.pem")), leaf);
  });

  it("tells the findings of the gate one by one", LIMITED, async () => {
    const key = readFileSync(join(data, "pki/node-key.pem"));
    const root = readFileSync(join(data, "pki/root.pem"));
    rmSync(join(data, "pki/node-key.pem"));
    rmSync(join(data, "pki/root.pem"));
    const failed = await failedWith({});
    writeFileSync(join(data, "pki/node-key.pem"), key, { mode: 0o600 });
    writeFileSync(join(data, "pki/root.pem"), root, { mode: 0o600 });
    assert.equal(failed.length, 2);
    assert.match(
      failed.join("\n"),
      /certificates: root: missing[^\n]+mend: .+\n.*certificates: private key: missing[^\n]+mend: holdfast-node certificate issue/,
    );
  });

  it("names folders and keys that others may enter or read, but no public certificate", LIMITED, async () => {
    chmodSync(join(data, "keys"), 0o750);
    chmodSync(join(data, "keys/node.seed"), 0o640);
    chmodSync(join(data, "pki/root.pem"), 0o644);
    const failed = await failedWith({});
    chmodSync(join(data, "keys"), 0o700);
    chmodSync(join(data, "keys/node.seed"), 0o600);
    assert.equal(failed.length, 2);
    assert.match(failed.join("\n"), /keys: mode, got 750, want 700; mend: chmod 700 .*\n.*node.seed: mode, got 640, want 600/);
  });

  it("names what belongs to another user", LIMITED, async () => {
    const failed = await failedWith({ uid: 4242 });
    assert.ok(failed.length > 5 && failed.every((line) => /belongs to user \d+, want 4242/.test(line)), failed.join("\n"));
  });

  it("a full disk, a clock behind the node's own records and an old runtime fail", LIMITED, async () => {
    const full = { ...options.disk, freeBytes: () => 1000 };
    assert.match((await failedWith({ disk: full })).join(), /^disk: 1000 bytes free/);
    const early = (await failedWith({ clock: createFakeClock(Date.UTC(2020, 0, 1)) })).filter((line) => line.startsWith("clock"));
    assert.match(early.join(), /^clock: is behind this node's own records, got 2020-01-01/);
    assert.match((await failedWith({ runtime: { bun: "1.3.9" } })).join(), /^runtime: got 1\.3\.9, want Bun 1\.4\.0 or later/);
  });

  for (const environment of [{ NODE_TLS_REJECT_UNAUTHORIZED: "0" }, { SSLKEYLOGFILE: "/tmp/k" }, { NODE_OPTIONS: "--tls-min-v1.0" }]) {
    it(`fails under ${Object.keys(environment)[0]}`, LIMITED, async () => {
      assert.match((await failedWith({ environment })).join(), /^environment: (NODE|SSL)\w+.*serve refuses to start, unset it$/);
    });
  }

  it("warns of variables that add roots, which the ports do not use", LIMITED, async () => {
    const checks = await examine({ ...options, environment: { NODE_EXTRA_CA_CERTS: "/etc/ca.pem", SSL_CERT_FILE: "" } });
    assert.match(linesOf(checks, "warning").join(), /^environment: NODE_EXTRA_CA_CERTS is set; [^,]*$/);
  });

  it("says how many swap areas are in use, and that keys may get there", LIMITED, async () => {
    const note = async (swaps: string | null): Promise<string> =>
      linesOf(await examine({ ...options, swaps }), "note").find((line) => line.startsWith("swap")) ?? "";
    assert.match(await note("Filename Type Size\n/dev/sda2 partition 1\n"), /^swap: 1 in use; .*cannot keep pages/);
    assert.match(await note("Filename Type Size\n"), /none in use/);
    assert.match(await note(null), /unknown/);
  });

  it("a damaged audit trail fails", LIMITED, async () => {
    const { createClient } = await import("@libsql/client/sqlite3");
    const catalog = createClient({ url: `file:${join(data, "store/catalog.db")}` });
    await catalog.execute("DROP TRIGGER audit_keeps_values");
    await catalog.execute("UPDATE audit SET subject = 'another' WHERE seq = 1").finally(() => catalog.close());
    assert.match(linesOf(await examine(options), "failed").join(), /audit trail: row 1 was changed/);
  });
});
