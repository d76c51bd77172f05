/** What every adapter must do when it reads: names, stats, content, links, errors. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { EntryStats, isSameEntry } from "../entry-stats.ts";
import { FolderListing } from "../folder-listing.ts";
import type { Platform } from "../platform.ts";
import { createAsNobody, faultWith, inFolder, namesIn, putFile, raw, SKIP_UNLESS_ROOT, statOf } from "./fixture.ts";

export function readingContract(name: string, create: () => Platform): void {
  const asNobody = createAsNobody();
  const skipNobody = asNobody === null ? "NOT RUN: needs root and koffi to give up root's rights" : false;

  describe(`Platform reading: ${name}`, () => {
    it("listFolder gives names in the order of their bytes, without dot entries, and starts over each time", () =>
      inFolder(create, (fixture) => {
        const names = [
          "b",
          "a",
          "ab",
          "a-very-long-common-prefix-2",
          "a-very-long-common-prefix-1",
          "a-very-long-common-prefix-",
          ".hidden",
          "...",
          "Ä",
          "new\nline",
          "Z",
        ].map(utf8);
        for (const each of names) putFile(fixture, each, utf8("x"));
        const expected = names
          .map((each) => Buffer.from(each))
          .sort(Buffer.compare)
          .map((each) => Uint8Array.from(each));
        assert.deepEqual(namesIn(fixture.platform, fixture.folder), expected);
        assert.deepEqual(namesIn(fixture.platform, fixture.folder), expected);
      }));

    it("listFolder gives nothing for an empty folder", () =>
      inFolder(create, ({ platform, folder }) => {
        platform.makeFolderAt(folder, utf8("empty"), 0o755);
        const empty = platform.openFolderAt(folder, utf8("empty"));
        assert.deepEqual(namesIn(platform, empty), []);
        platform.closeFolder(empty);
      }));

    it("listFolder and statEntries take a folder that is larger than every buffer", () =>
      inFolder(create, ({ platform, folder, path }) => {
        const FILE_COUNT = 3_000;
        for (let index = 0; index < FILE_COUNT; index++) writeFileSync(join(path, `${"n".repeat(100)}-${index}`), "");
        const listing = new FolderListing();
        platform.listFolder(folder, listing);
        assert.equal(listing.count, FILE_COUNT);
        const stats = new EntryStats(1_000);
        let fileCount = 0;
        for (let first = 0; first < listing.count; first += 1_000) {
          platform.statEntries(folder, listing, first, 1_000, stats);
          for (let row = 0; row < 1_000; row++) if (stats.kind(row) === "file") fileCount++;
        }
        assert.equal(fileCount, FILE_COUNT);
        assert.ok(listing.find(utf8(`${"n".repeat(100)}-2999`)) >= 0);
        assert.equal(listing.find(utf8("absent")), -1);
      }));

    it("statEntries writes the errno of an entry that is gone into its row and goes on", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        for (const each of ["a", "b", "c"]) putFile(fixture, utf8(each), utf8(each.repeat(3)));
        const listing = new FolderListing();
        platform.listFolder(folder, listing);
        platform.removeAt(folder, utf8("b"));
        const stats = new EntryStats(3);
        platform.statEntries(folder, listing, 0, 3, stats);
        assert.deepEqual(
          [0, 1, 2].map((row) => stats.errorName(row)),
          [null, "ENOENT", null],
        );
        assert.equal(stats.entry(2).sizeBytes, 3);
        assert.throws(() => stats.entry(1), faultWith("ENOENT"));
      }));

    it("statEntries refuses rows and entries that are not there", () =>
      inFolder(create, ({ platform, folder }) => {
        assert.throws(() => platform.statEntries(folder, new FolderListing(), 0, 1, new EntryStats(1)), { name: "Fault", code: "input" });
      }));

    it("stat agrees by name and by handle", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        putFile(fixture, utf8("file"), utf8("content"), 0o640);
        const file = platform.openFileAt(folder, utf8("file"));
        const stats = new EntryStats(2);
        platform.statAt(folder, utf8("file"), stats, 0);
        platform.stat(file, stats, 1);
        platform.closeFile(file);
        assert.deepEqual(stats.entry(0), stats.entry(1));
        assert.ok(isSameEntry(stats, 0, stats, 1));
        assert.equal(stats.entry(0).kind, "file");
        assert.equal(stats.entry(0).mode, 0o640);
        assert.equal(stats.entry(0).sizeBytes, 7);
      }));

    it("isSameEntry sees a change of content, of times and of the entry behind the name", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const stats = new EntryStats(2);
        putFile(fixture, utf8("file"), utf8("one"));
        platform.statAt(folder, utf8("file"), stats, 0);
        const file = platform.createFileAt(folder, utf8("other"), 0o644);
        platform.writeAt(file, utf8("two"), 0);
        platform.closeFile(file);
        platform.renameAt(folder, utf8("other"), folder, utf8("file"));
        platform.statAt(folder, utf8("file"), stats, 1);
        assert.equal(isSameEntry(stats, 0, stats, 1), false);
        platform.statAt(folder, utf8("file"), stats, 0);
        assert.ok(isSameEntry(stats, 0, stats, 1));
        const again = platform.openFileAt(folder, utf8("file"));
        platform.setMtime(again, 1_000_000_000, 0);
        platform.closeFile(again);
        platform.statAt(folder, utf8("file"), stats, 0);
        assert.equal(isSameEntry(stats, 0, stats, 1), false);
      }));

    it("readSmallFileAt reads a file whole, into shared memory too, and tells its stat", () =>
      inFolder(create, (fixture) => {
        putFile(fixture, utf8("file"), utf8("content"));
        const stats = new EntryStats(1);
        for (const memory of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
          const target = new Uint8Array(memory, 8, 8);
          assert.equal(fixture.platform.readSmallFileAt(fixture.folder, utf8("file"), target, stats, 0), 7);
          assert.deepEqual(Uint8Array.from(target.subarray(0, 7)), utf8("content"));
          assert.equal(stats.entry(0).sizeBytes, 7);
        }
      }));

    it("readSmallFileAt fills the target when the file grew", () =>
      inFolder(create, (fixture) => {
        putFile(fixture, utf8("file"), utf8("longer than it was"));
        const target = new Uint8Array(new ArrayBuffer(5));
        assert.equal(fixture.platform.readSmallFileAt(fixture.folder, utf8("file"), target, new EntryStats(1), 0), 5);
      }));

    it("readAt reads anywhere and gives 0 at the end", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        putFile(fixture, utf8("file"), utf8("0123456789"));
        const file = platform.openFileAt(folder, utf8("file"));
        const target = new Uint8Array(new SharedArrayBuffer(4));
        assert.equal(platform.readAt(file, target, 8), 2);
        assert.deepEqual(Uint8Array.from(target), utf8("89\0\0"));
        assert.equal(platform.readAt(file, target, 10), 0);
        platform.closeFile(file);
      }));

    it("readLinkAt gives the target byte for byte", () =>
      inFolder(create, ({ platform, folder }) => {
        const target = utf8(`../some where/${"long/".repeat(200)}Ä\n`);
        platform.symlinkAt(target, folder, utf8("link"));
        assert.deepEqual(platform.readLinkAt(folder, utf8("link")), target);
        assert.equal(statOf({ platform, folder, path: "" }, utf8("link")).kind, "symlink");
        assert.throws(() => platform.readLinkAt(folder, utf8("absent")), faultWith("ENOENT"));
      }));

    it("names of 255 bytes work, longer ones are refused", () =>
      inFolder(create, (fixture) => {
        putFile(fixture, utf8("n".repeat(255)), utf8("x"));
        assert.equal(statOf(fixture, utf8("n".repeat(255))).sizeBytes, 1);
        assert.throws(() => putFile(fixture, utf8("n".repeat(256)), utf8("x")), faultWith("ENAMETOOLONG"));
        assert.throws(() => statOf(fixture, utf8("n".repeat(5000))), faultWith("ENAMETOOLONG"));
      }));

    it("a name that is no single step is refused everywhere", () =>
      inFolder(create, ({ platform, folder }) => {
        const stats = new EntryStats(1);
        for (const bad of ["", ".", "..", "a/b", "/etc", "../x", "a\0b"].map(utf8)) {
          const calls = [
            () => platform.openFolderAt(folder, bad),
            () => platform.openFileAt(folder, bad),
            () => platform.statAt(folder, bad, stats, 0),
            () => platform.createFileAt(folder, bad, 0o644),
            () => platform.makeFolderAt(folder, bad, 0o755),
            () => platform.symlinkAt(utf8("x"), folder, bad),
            () => platform.removeAt(folder, bad),
            () => platform.setOwnerAt(folder, bad, 0, 0),
            () => platform.renameAt(folder, bad, folder, utf8("x")),
            () => platform.linkAt(folder, utf8("x"), folder, bad),
          ];
          for (const call of calls) assert.throws(call, { name: "Fault", code: "input" }, `${JSON.stringify(bad)} ${call}`);
        }
        assert.deepEqual(namesIn(platform, folder), []);
      }));

    it("a folder and a file that must not be read fault with EACCES", { skip: skipNobody }, () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        putFile(fixture, utf8("secret"), utf8("x"), 0o600);
        platform.makeFolderAt(folder, utf8("closed"), 0o700);
        putFile(fixture, utf8("open"), utf8("y"), 0o644);
        platform.setMode(folder, 0o755);
        asNobody?.(() => {
          assert.throws(() => platform.openFileAt(folder, utf8("secret")), faultWith("EACCES"));
          assert.throws(() => namesIn(platform, platform.openFolderAt(folder, utf8("closed"))), faultWith("EACCES"));
          assert.throws(() => putFile(fixture, utf8("new"), utf8("z")), faultWith("EACCES"));
          // Not the owner, so the access time may not be spared: the file is read all the same.
          const target = new Uint8Array(new ArrayBuffer(2));
          assert.equal(platform.readSmallFileAt(folder, utf8("open"), target, new EntryStats(1), 0), 1);
        });
      }),
    );

    it("owners are known by name and number", { skip: SKIP_UNLESS_ROOT }, () =>
      inFolder(create, ({ platform }) => {
        assert.deepEqual(platform.userName(0), utf8("root"));
        assert.equal(platform.userId(utf8("root")), 0);
        assert.equal(platform.groupId(platform.groupName(0) ?? utf8("")), 0);
        assert.equal(platform.userName(4_000_000_000), null);
        assert.equal(platform.userId(raw("no such user \xff")), null);
      }),
    );

    it("freeBytes is that of the file system, and a path that is not there faults", () =>
      inFolder(create, ({ platform, path }) => {
        mkdirSync(join(path, "inner"));
        assert.ok(platform.freeBytes(utf8(join(path, "inner"))) > 0);
        assert.throws(() => platform.freeBytes(utf8(join(path, "absent"))), faultWith("ENOENT"));
        assert.throws(() => platform.openFolder(utf8(join(path, "absent"))), faultWith("ENOENT"));
      }));
  });
}
