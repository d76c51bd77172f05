/**
 * Kills and breaks a writing process at chosen system calls (strace), then opens what it left and demands all that was
 * acknowledged, whole, and nothing besides.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bytesToHex, hexToBytes } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { asRecordId, FRAME_PART_BYTES, RECORD_KINDS } from "@holdfast/protocol";
import { createClient } from "@libsql/client/sqlite3";
import { openCrashVault } from "../testing/crash-vault.ts";
import { randomFrame, VaultFixture } from "../testing/vault-fixture.ts";

const HAS_STRACE = spawnSync("strace", ["-V"]).status === 0;
const SKIP = HAS_STRACE ? false : "NOT RUN: needs strace";
const WRITER = new URL("../testing/crash-writer.ts", import.meta.url).pathname;

interface Told {
  readonly stored: readonly string[];
  readonly committed: readonly string[];
  readonly refused: readonly string[];
  readonly closed: boolean;
}

/** Runs the writer under strace with `inject`, as in `fsync:signal=SIGKILL:when=3`; what it told before it ended. */
async function runWriter(folder: string, inject: string | null, uploadCount: number): Promise<Told> {
  const command = [process.execPath, WRITER, folder, String(uploadCount)];
  const traced = inject === null ? command : ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `inject=${inject}`, ...command];
  const child = spawn(traced[0] as string, traced.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data) => {
    text += String(data);
  });
  await new Promise((resolve) => child.on("close", resolve));
  const lines = text.split("\n").map((line) => line.split(" "));
  const wordsOf = (first: string): string[] => lines.filter((words) => words[0] === first).flatMap((words) => words.slice(1));
  return { stored: wordsOf("stored"), committed: wordsOf("committed"), refused: wordsOf("refused"), closed: lines.some((words) => words[0] === "closed") };
}

/** Opens what is left and checks it against what was told. */
async function checkLeft(folder: string, told: Told): Promise<void> {
  const vault = await openCrashVault(folder);
  try {
    for (const hex of told.stored) {
      const frame = await vault.get(asRecordId(hexToBytes(hex) as Uint8Array));
      assert.ok(frame !== null, "an acknowledged record is there");
      assert.equal(bytesToHex(sha256(frame)), hex);
    }
    const { items } = await vault.store.reader.call("journal", [vault.account.vault, -1, Number.MAX_SAFE_INTEGER]);
    const entries = new Set(items.map((item) => bytesToHex(sha256(item.entry))));
    for (const hex of told.committed) assert.ok(entries.has(hex), "an acknowledged entry is there");
    const frame = randomFrame(RECORD_KINDS.contentPack, 1_500_000);
    await vault.put([frame]);
    assert.equal(await vault.has(frame), true);
  } finally {
    await vault.store.close();
  }
  await checkFiles(join(folder, "vaults"));
}

/** The databases are sound; every part belongs to a record, and every record has its parts. */
async function checkFiles(vaultsFolder: string): Promise<void> {
  for (const name of readdirSync(vaultsFolder)) {
    const folder = join(vaultsFolder, name);
    const client = createClient({ url: `file:${join(folder, "vault.db")}`, concurrency: 1 });
    const wanted = new Set<number>();
    for (const row of (await client.execute("SELECT frame_no, byte_count FROM records")).rows) {
      const partCount = Math.ceil(Number(row[1]) / FRAME_PART_BYTES);
      for (let index = 0; index < partCount; index++) wanted.add(Number(row[0]) * 64 + index);
    }
    assert.equal((await client.execute("SELECT count(*) FROM staging")).rows[0]?.[0], 0);
    assert.equal((await client.execute("SELECT integrity_check FROM pragma_integrity_check")).rows[0]?.[0], "ok");
    client.close();
    for (const file of readdirSync(folder).filter((each) => /^segment-\d+\.db$/.test(each))) {
      const segment = createClient({ url: `file:${join(folder, file)}`, concurrency: 1 });
      for (const row of (await segment.execute("SELECT part_no FROM parts")).rows) assert.ok(wanted.delete(Number(row[0])), "a part belongs to a record");
      assert.equal((await segment.execute("SELECT integrity_check FROM pragma_integrity_check")).rows[0]?.[0], "ok");
      segment.close();
    }
    assert.equal(wanted.size, 0, "every record has its parts");
  }
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-crash-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("store: crashes", { timeout: 300_000 }, () => {
  it("an undisturbed run stores and commits all", { timeout: 60_000 }, () =>
    inFolder(async (folder) => {
      const told = await runWriter(folder, null, 3);
      assert.deepEqual([told.stored.length, told.committed.length, told.refused.length, told.closed], [9, 3, 0, true]);
      await checkLeft(folder, told);
    }),
  );

  // The same folder through all kills: each start also recovers from the one before.
  for (const [call, points] of [
    ["fsync", [9, 28, 39, 9, 10, 11, 12, 14, 16, 19, 22]],
    ["pwrite64", [40, 90, 140, 190]],
  ] as const) {
    it(`killed at a ${call}, it has all that it acknowledged and nothing half`, { skip: SKIP, timeout: 240_000 }, () =>
      inFolder(async (folder) => {
        let killCount = 0;
        for (const point of points) {
          const told = await runWriter(folder, `${call}:signal=SIGKILL:when=${point}`, 3);
          if (!told.closed) killCount++;
          await checkLeft(folder, told);
        }
        assert.ok(killCount >= 3, `only ${killCount} runs were killed`);
      }),
    );
  }

  it("a failed sync is not acknowledged, and the vault goes on after it is opened anew", { skip: SKIP, timeout: 240_000 }, () =>
    inFolder(async (folder) => {
      await runWriter(folder, null, 1);
      let refusedCount = 0;
      for (const point of [10, 11, 12, 14]) {
        const told = await runWriter(folder, `fsync:error=EIO:when=${point}`, 4);
        refusedCount += told.refused.length;
        for (const code of told.refused) assert.ok(["transport", "conflict"].includes(code), code);
        await checkLeft(folder, told);
      }
      assert.ok(refusedCount >= 1, "at least one sync failed under an upload or a commit");
    }),
  );
});

describe("store: disk space", { timeout: 120_000 }, () => {
  const mountable = process.geteuid?.() === 0 ? false : "NOT RUN: needs root to mount a small file system";

  it("a full disk refuses uploads cleanly; once there is room they go on", { skip: mountable, timeout: 60_000 }, async (context) =>
    inFolder(async (folder) => {
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=96m", "tmpfs", folder]).status !== 0) return context.skip("NOT RUN: cannot mount");
      try {
        const ballast = join(folder, "ballast");
        writeFileSync(ballast, Buffer.alloc(48 * 1024 * 1024));
        await using vault = await VaultFixture.create({ folder: join(folder, "store"), reserveBytes: 0 });
        await vault.found();
        const stored: ReturnType<typeof randomFrame>[] = [];
        let refused: unknown = null;
        for (let count = 0; count < 60 && refused === null; count++) {
          const frame = randomFrame(RECORD_KINDS.contentPack, 1_500_000);
          try {
            await vault.put([frame]);
            stored.push(frame);
          } catch (error) {
            refused = error;
          }
        }
        assert.equal((refused as { code?: string }).code, "quota");
        for (const frame of stored) assert.equal(await vault.has(frame), true);
        rmSync(ballast);
        for (let count = 0; count < 5; count++) {
          const frame = randomFrame(RECORD_KINDS.contentPack, 1_500_000);
          await vault.put([frame]);
          assert.equal(await vault.has(frame), true);
        }
        for (const frame of stored) assert.equal(await vault.has(frame), true);
        await vault.store.close();
        await checkFiles(join(folder, "store", "vaults"));
        await vault.open();
      } finally {
        spawnSync("umount", ["-l", folder]);
      }
    }),
  );

  it("the write-ahead logs stay small however much is stored", { timeout: 60_000 }, () =>
    inFolder(async (folder) => {
      await using vault = await VaultFixture.create({ folder: join(folder, "store") });
      for (let count = 0; count < 12; count++) await vault.put([randomFrame(RECORD_KINDS.contentPack, 8_000_000)]);
      const vaultFolder = join(folder, "store", "vaults", bytesToHex(vault.account.vault));
      const walBytes = readdirSync(vaultFolder)
        .filter((name) => name.endsWith("-wal"))
        .map((name) => statSync(join(vaultFolder, name)).size);
      assert.ok(walBytes.length >= 2 && Math.max(...walBytes) < 40 * 1024 * 1024, String(walBytes));
      assert.ok(existsSync(join(vaultFolder, "segment-0001.db")));
    }),
  );
});
