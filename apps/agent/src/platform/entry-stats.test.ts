import assert from "node:assert/strict";
import { lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EntryStats, isSameEntry, type RawStat, STAT_ROW_WORDS } from "./entry-stats.ts";

const STAT: RawStat = {
  mode: 0o104755n,
  uid: 4_294_967_294n,
  gid: 7n,
  size: 9_007_199_254_740_991n,
  mtimeNs: -1n,
  ctimeNs: 1_700_000_000_123_456_789n,
  dev: 0x0000_1234_0005_6789n,
  ino: 18_446_744_073_709_551_615n,
  nlink: 3n,
  rdev: (259n << 8n) | 0x70n | (0x111n << 20n),
  blocks: 4_294_967_297n,
};

describe("Entry stats", () => {
  it("keeps every field exactly, at its edges too", () => {
    const stats = new EntryStats(3);
    stats.set(1, STAT);
    assert.deepEqual(stats.entry(1), {
      kind: "file",
      mode: 0o4755,
      uid: 4_294_967_294,
      gid: 7,
      sizeBytes: 9_007_199_254_740_991,
      mtimeSec: -1,
      mtimeNs: 999_999_999,
      ctimeSec: 1_700_000_000,
      ctimeNs: 123_456_789,
      inode: 18_446_744_073_709_551_615n,
      linkCount: 3,
      devMajor: 0x1567,
      devMinor: 0x2340_0089,
      rdevMajor: 259,
      rdevMinor: 0x11170,
      blocks512: 4_294_967_297,
    });
    assert.equal(
      stats.words.subarray(0, STAT_ROW_WORDS).every((word) => word === 0),
      true,
    );
    assert.equal(
      stats.words.subarray(2 * STAT_ROW_WORDS).every((word) => word === 0),
      true,
    );
  });

  it("tells every kind", () => {
    const stats = new EntryStats(1);
    const kinds = [
      [0o100000n, "file"],
      [0o040000n, "folder"],
      [0o120000n, "symlink"],
      [0o010000n, "fifo"],
      [0o020000n, "char-device"],
      [0o060000n, "block-device"],
      [0o140000n, "socket"],
    ] as const;
    for (const [format, kind] of kinds) {
      stats.set(0, { ...STAT, mode: format | 0o7777n });
      assert.equal(stats.kind(0), kind);
      assert.equal(stats.mode(0), 0o7777);
    }
    stats.set(0, { ...STAT, mode: 0n });
    assert.throws(() => stats.kind(0), { name: "Fault" });
  });

  it("agrees with the runtime on a real file", () => {
    const folder = mkdtempSync(join(tmpdir(), "stats-"));
    try {
      writeFileSync(join(folder, "file"), "12345");
      const expected = lstatSync(join(folder, "file"), { bigint: true });
      const stats = new EntryStats(1);
      stats.set(0, expected);
      const entry = stats.entry(0);
      assert.equal(entry.inode, expected.ino);
      assert.equal(entry.sizeBytes, 5);
      assert.equal(BigInt(entry.mtimeSec) * 1_000_000_000n + BigInt(entry.mtimeNs), expected.mtimeNs);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("an unreadable row throws its errno and forgets what the row held", () => {
    const stats = new EntryStats(1);
    stats.set(0, STAT);
    stats.setErrno(0, 13);
    assert.equal(stats.errorName(0), "EACCES");
    assert.throws(() => stats.entry(0), { name: "Fault", code: "denied" });
    assert.equal(stats.sizeBytes(0), 0);
    assert.equal(isSameEntry(stats, 0, stats, 0), false);
    stats.set(0, STAT);
    assert.equal(stats.errorName(0), null);
  });

  it("isSameEntry goes by kind, size, both times and inode, and by nothing else", () => {
    const stats = new EntryStats(2);
    stats.set(0, STAT);
    const decides: Partial<RawStat>[] = [
      { mode: 0o120755n },
      { size: 1n },
      { size: STAT.size - 2n ** 32n },
      { mtimeNs: 0n },
      { mtimeNs: -2n },
      { ctimeNs: 1_700_000_000_123_456_788n },
      { ctimeNs: 1_700_000_001_123_456_789n },
      { ino: 1n },
      { ino: STAT.ino - 2n ** 32n },
    ];
    for (const change of decides) {
      stats.set(1, { ...STAT, ...change });
      assert.equal(isSameEntry(stats, 0, stats, 1), false, Object.keys(change).join());
    }
    for (const change of [{ mode: 0o100600n }, { uid: 1n }, { nlink: 1n }, { dev: 1n }, { blocks: 1n }]) {
      stats.set(1, { ...STAT, ...change });
      assert.equal(isSameEntry(stats, 0, stats, 1), true, Object.keys(change).join());
    }
  });
});
