/** What every adapter must do when it restores, and what it must say where it cannot. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { losses, type Platform, type Xattr } from "../platform.ts";
import { faultWith, inFolder, namesIn, putFile, raw, SKIP_UNLESS_ROOT, statOf } from "./fixture.ts";

const MIB = 1024 * 1024;

/** `user::rw-, user:1000:r--, group::r--, mask::r--, other::---` in the kernel's form (linux/posix_acl_xattr.h). */
const ACL: Uint8Array<ArrayBuffer> = Uint8Array.from([
  2, 0, 0, 0, 0x01, 0, 6, 0, 255, 255, 255, 255, 0x02, 0, 4, 0, 0xe8, 3, 0, 0, 0x04, 0, 4, 0, 255, 255, 255, 255, 0x10, 0, 4, 0, 255, 255, 255, 255, 0x20, 0, 0,
  0, 255, 255, 255, 255,
]);

export function restoringContract(name: string, create: () => Platform): void {
  describe(`Platform restoring: ${name}`, () => {
    it("what is lost is said in sentences", () =>
      inFolder(create, ({ platform }) => {
        for (const loss of losses(platform.capabilities)) assert.match(loss, /^[A-Z].*\.$/);
        assert.equal(platform.name === "native", losses(platform.capabilities).length === 0);
      }));

    it("a file is written at offsets, in shared memory too, and its mode is exact whatever the umask", () =>
      inFolder(create, (fixture) => {
        const { platform, folder, path } = fixture;
        for (const mode of [0o600, 0o644, 0o664, 0o777, 0o400]) {
          const file = platform.createFileAt(folder, utf8(`file-${mode}`), mode);
          const bytes = new Uint8Array(new SharedArrayBuffer(5));
          bytes.set(utf8("tail!"));
          platform.writeAt(file, bytes, 5);
          platform.writeAt(file, utf8("head-"), 0);
          platform.writeAt(file, new Uint8Array(new ArrayBuffer(0)), 3);
          platform.sync(file);
          platform.closeFile(file);
          assert.equal(statOf(fixture, utf8(`file-${mode}`)).mode, mode);
          assert.equal(readFileSync(join(path, `file-${mode}`), "utf8"), "head-tail!");
          platform.makeFolderAt(folder, utf8(`folder-${mode}`), mode);
          assert.equal(statOf(fixture, utf8(`folder-${mode}`)).mode, mode);
        }
        platform.sync(folder);
      }));

    it("creation never sets setuid: that comes after the owner", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const file = platform.createFileAt(folder, utf8("program"), 0o4755);
        assert.equal(statOf(fixture, utf8("program")).mode, 0o755);
        platform.setMode(file, 0o4755);
        platform.closeFile(file);
        assert.equal(statOf(fixture, utf8("program")).mode, 0o4755);
        platform.makeFolderAt(folder, utf8("shared"), 0o1777);
        const shared = platform.openFolderAt(folder, utf8("shared"));
        platform.setMode(shared, 0o3777);
        platform.closeFolder(shared);
        assert.equal(statOf(fixture, utf8("shared")).mode, 0o3777);
      }));

    it("nothing that exists is replaced, rename aside", () =>
      inFolder(create, (fixture) => {
        const { platform, folder, path } = fixture;
        putFile(fixture, utf8("there"), utf8("old"));
        assert.throws(() => platform.createFileAt(folder, utf8("there"), 0o644), faultWith("EEXIST"));
        assert.throws(() => platform.makeFolderAt(folder, utf8("there"), 0o755), faultWith("EEXIST"));
        assert.throws(() => platform.symlinkAt(utf8("x"), folder, utf8("there")), faultWith("EEXIST"));
        assert.throws(() => platform.linkAt(folder, utf8("there"), folder, utf8("there")), faultWith("EEXIST"));
        putFile(fixture, utf8("new"), utf8("new"));
        platform.renameAt(folder, utf8("new"), folder, utf8("there"));
        assert.equal(readFileSync(join(path, "there"), "utf8"), "new");
        assert.throws(() => platform.removeFolderAt(folder, utf8("there")), faultWith("ENOTDIR"));
        platform.removeAt(folder, utf8("there"));
        platform.makeFolderAt(folder, utf8("sub"), 0o755);
        assert.throws(() => platform.removeAt(folder, utf8("sub")), faultWith("EISDIR", "EPERM"));
        platform.removeFolderAt(folder, utf8("sub"));
        assert.deepEqual(namesIn(platform, folder), []);
      }));

    it("hard links share one entry, also those to a link", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        putFile(fixture, utf8("first"), utf8("x"));
        platform.linkAt(folder, utf8("first"), folder, utf8("second"));
        assert.equal(statOf(fixture, utf8("first")).linkCount, 2);
        assert.equal(statOf(fixture, utf8("first")).inode, statOf(fixture, utf8("second")).inode);
        platform.symlinkAt(utf8("first"), folder, utf8("link"));
        platform.linkAt(folder, utf8("link"), folder, utf8("link-too"));
        assert.equal(statOf(fixture, utf8("link-too")).kind, "symlink");
      }));

    it("holes stay holes, and data extents find what lies between them", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const file = platform.createFileAt(folder, utf8("sparse"), 0o644);
        platform.truncate(file, 64 * MIB);
        platform.writeAt(file, new Uint8Array(MIB).fill(7), 8 * MIB);
        platform.writeAt(file, new Uint8Array(MIB).fill(8), 32 * MIB);
        platform.sync(file);
        const stat = statOf(fixture, utf8("sparse"));
        assert.equal(stat.sizeBytes, 64 * MIB);
        assert.ok(stat.blocks512 * 512 < 4 * MIB, `allocated ${stat.blocks512} blocks`);
        const extents = [...platform.dataExtents(file, 64 * MIB)];
        const expected =
          platform.capabilities.holes === null
            ? [
                { offset: 8 * MIB, byteCount: MIB },
                { offset: 32 * MIB, byteCount: MIB },
              ]
            : [{ offset: 0, byteCount: 64 * MIB }];
        assert.deepEqual(extents, expected);
        assert.deepEqual([...platform.dataExtents(file, 0)], []);
        platform.closeFile(file);
      }));

    it("names that are not UTF-8, and targets, go both ways or are refused", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const names = [raw("caf\xe9"), raw("\xff\xfe\x01"), raw("\xc3\x28\n")];
        if (platform.capabilities.rawNames === null) {
          for (const each of names) putFile(fixture, each, utf8("x"));
          assert.deepEqual(namesIn(platform, folder), [names[0], names[2], names[1]]);
          for (const each of names) assert.equal(statOf(fixture, each).kind, "file");
          platform.symlinkAt(raw("t\xe9"), folder, utf8("link"));
          assert.deepEqual(platform.readLinkAt(folder, utf8("link")), raw("t\xe9"));
        } else {
          for (const each of names) assert.throws(() => putFile(fixture, each, utf8("x")), faultWith("EILSEQ"));
          assert.throws(() => platform.symlinkAt(raw("t\xe9"), folder, utf8("link")), faultWith("EILSEQ"));
          assert.deepEqual(namesIn(platform, folder), []);
        }
      }));

    it("modification times are kept as exactly as promised, after and before 1970, on files, folders and links", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const isExact = platform.capabilities.exactNs === null;
        putFile(fixture, utf8("file"), utf8("x"));
        platform.makeFolderAt(folder, utf8("sub"), 0o755);
        platform.symlinkAt(utf8("nowhere"), folder, utf8("link"));
        const times: readonly (readonly [number, number])[] = isExact
          ? [
              [1_700_000_000, 123_456_789],
              [0, 1],
              [-1, 999_999_999],
              [-86_400 * 365, 5],
              [4_294_967_296, 7],
            ]
          : [
              [1_700_000_000, 123_000_000],
              [0, 1_000_000],
            ];
        for (const [sec, ns] of times) {
          const file = platform.openFileAt(folder, utf8("file"));
          const sub = platform.openFolderAt(folder, utf8("sub"));
          platform.setMtime(file, sec, ns);
          platform.setMtime(sub, sec, ns);
          platform.setMtimeAt(folder, utf8("link"), sec, ns);
          platform.closeFile(file);
          platform.closeFolder(sub);
          for (const each of ["file", "sub", "link"].map(utf8)) {
            const stat = statOf(fixture, each);
            if (isExact) assert.deepEqual([stat.mtimeSec, stat.mtimeNs], [sec, ns]);
            else assert.ok(Math.abs((stat.mtimeSec - sec) * 1e9 + stat.mtimeNs - ns) <= 1_000_000, `got ${stat.mtimeSec} s ${stat.mtimeNs} ns`);
          }
        }
        assert.throws(() => platform.setMtime(folder, 0, 1_000_000_000), { name: "Fault", code: "input" });
      }));

    it("owners are set on files, folders and links, and clear setuid before the mode sets it", { skip: SKIP_UNLESS_ROOT }, () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const file = platform.createFileAt(folder, utf8("file"), 0o755);
        platform.setOwner(file, 1234, 4_000_000_000);
        platform.setMode(file, 0o6755);
        platform.closeFile(file);
        platform.symlinkAt(utf8("nowhere"), folder, utf8("link"));
        platform.setOwnerAt(folder, utf8("link"), 1235, 1236);
        platform.makeFolderAt(folder, utf8("sub"), 0o755);
        const sub = platform.openFolderAt(folder, utf8("sub"));
        platform.setOwner(sub, 1237, 1238);
        platform.closeFolder(sub);
        const got = ["file", "link", "sub"].map((each) => statOf(fixture, utf8(each))).map(({ uid, gid }) => [uid, gid]);
        assert.deepEqual(got, [
          [1234, 4_000_000_000],
          [1235, 1236],
          [1237, 1238],
        ]);
        assert.equal(statOf(fixture, utf8("file")).mode, 0o6755);
        platform.setModeAt(folder, utf8("sub"), 0o700);
        assert.equal(statOf(fixture, utf8("sub")).mode, 0o700);
        assert.throws(() => platform.setModeAt(folder, utf8("link"), 0o700), faultWith("ENOTSUP"));
      }),
    );

    it("pipes, sockets and devices are made or refused", { skip: SKIP_UNLESS_ROOT }, () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        const specials = [
          { kind: "fifo", mode: 0o622, rdevMajor: 0, rdevMinor: 0 },
          { kind: "socket", mode: 0o777, rdevMajor: 0, rdevMinor: 0 },
          { kind: "char-device", mode: 0o666, rdevMajor: 1, rdevMinor: 3 },
          { kind: "block-device", mode: 0o660, rdevMajor: 259, rdevMinor: 70_000 },
        ] as const;
        for (const special of specials) {
          const make = (): void => platform.makeSpecialAt(folder, utf8(special.kind), special);
          if (platform.capabilities.specialFiles !== null) {
            assert.throws(make, faultWith("ENOTSUP"));
            continue;
          }
          make();
          const { kind, mode, rdevMajor, rdevMinor } = statOf(fixture, utf8(special.kind));
          assert.deepEqual({ kind, mode, rdevMajor, rdevMinor }, special);
        }
      }),
    );

    it("extended attributes and access-control lists go both ways, or are refused", () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        putFile(fixture, utf8("file"), utf8("x"));
        const file = platform.openFileAt(folder, utf8("file"));
        const xattrs: Xattr[] = [
          { name: utf8("user.empty"), value: utf8("") },
          { name: utf8("user.zeros"), value: Uint8Array.from([0, 255, 0]) },
        ];
        if (SKIP_UNLESS_ROOT === false) xattrs.unshift({ name: utf8("trusted.note"), value: utf8("root") });
        if (platform.capabilities.xattr !== null) {
          assert.throws(() => platform.setXattr(file, { name: utf8("user.a"), value: utf8("b") }), faultWith("ENOTSUP"));
          assert.deepEqual(platform.xattrs(file), []);
          platform.closeFile(file);
          return;
        }
        assert.deepEqual(platform.xattrs(file), []);
        for (const xattr of xattrs) platform.setXattr(file, xattr);
        assert.deepEqual(platform.xattrs(file), xattrs);
        assert.deepEqual(platform.xattrsAt(folder, utf8("file")), xattrs);
        const acl: Xattr = { name: utf8("system.posix_acl_access"), value: ACL };
        platform.setXattrAt(folder, utf8("file"), acl);
        assert.deepEqual(platform.xattrsAt(folder, utf8("file")), [acl, ...xattrs]);
        assert.equal(statOf(fixture, utf8("file")).mode & 0o070, 0o040);
        platform.closeFile(file);
        platform.setXattr(folder, { name: utf8("system.posix_acl_default"), value: ACL });
        assert.equal(platform.xattrs(folder).length, 1);
        assert.throws(() => platform.setXattr(folder, { name: utf8("user.big"), value: new Uint8Array(65_537) }), faultWith("E2BIG"));
        assert.throws(() => platform.setXattr(folder, { name: utf8("unknown"), value: utf8("") }), faultWith("ENOTSUP"));
      }));

    it("attributes of a link are its own, not those of what it points to", { skip: SKIP_UNLESS_ROOT }, () =>
      inFolder(create, (fixture) => {
        const { platform, folder } = fixture;
        if (platform.capabilities.xattr !== null) return;
        putFile(fixture, utf8("file"), utf8("x"));
        platform.symlinkAt(utf8("file"), folder, utf8("link"));
        platform.setXattrAt(folder, utf8("file"), { name: utf8("user.of"), value: utf8("file") });
        platform.setXattrAt(folder, utf8("link"), { name: utf8("trusted.of"), value: utf8("link") });
        assert.deepEqual(platform.xattrsAt(folder, utf8("link")), [{ name: utf8("trusted.of"), value: utf8("link") }]);
      }),
    );
  });
}
