import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { koffiOrNull } from "./contract/fixture.ts";
import { bindLinux, type Koffi, type Linux, openFlags } from "./linux-calls.ts";
import { createNativeMemory } from "./native-memory.ts";
import { createNativeXattrs } from "./native-xattrs.ts";
import type { FileHandle } from "./platform.ts";

const koffi = koffiOrNull();
const skip = koffi === null ? "NOT RUN: needs Linux and koffi" : false;

/** A kernel that answers the new calls with `errno`, as old ones and sandboxes do. */
function withoutAtCalls(linux: Linux, errno: number): Linux {
  let isRefused = false;
  return {
    ...linux,
    calls: {
      ...linux.calls,
      syscall: () => {
        isRefused = true;
        return -1;
      },
    },
    lastErrno: () => {
      const answer = isRefused ? errno : linux.lastErrno();
      isRefused = false;
      return answer;
    },
  };
}

describe("Native extended attributes", () => {
  for (const [why, errno] of [
    ["an old kernel", 38],
    ["a sandbox", 1],
  ] as const) {
    it(`are read by path on ${why} without listxattrat`, { skip }, () => {
      const linux = bindLinux(koffi as Koffi, process.arch);
      const memory = createNativeMemory(linux);
      const xattrs = createNativeXattrs(withoutAtCalls(linux, errno), memory);
      const path = mkdtempSync(join(tmpdir(), "xattrs-"));
      const flags = openFlags(process.arch);
      const folder = linux.calls.openat(-100, memory.text(utf8(path), "path"), flags.folder | flags.readOnly, 0);
      try {
        writeFileSync(join(path, "file"), "x");
        assert.deepEqual(xattrs.listAt(folder, utf8("file")), []);
        xattrs.setAt(folder, utf8("file"), { name: utf8("user.b"), value: utf8("2") });
        xattrs.setAt(folder, utf8("file"), { name: utf8("user.a"), value: utf8("1") });
        const expected = [
          { name: utf8("user.a"), value: utf8("1") },
          { name: utf8("user.b"), value: utf8("2") },
        ];
        assert.deepEqual(xattrs.listAt(folder, utf8("file")), expected);
        assert.throws(() => xattrs.listAt(folder, utf8("absent")), { name: "Fault", code: "missing" });
      } finally {
        linux.calls.close(folder);
        rmSync(path, { recursive: true });
      }
    });
  }

  it("a file system that keeps none gives none", { skip }, () => {
    const linux = bindLinux(koffi as Koffi, process.arch);
    const memory = createNativeMemory(linux);
    const refusing: Linux = { ...linux, calls: { ...linux.calls, flistxattr: () => -1 }, lastErrno: () => 95 };
    assert.deepEqual(createNativeXattrs(refusing, memory).list(3 as FileHandle), []);
    const failing: Linux = { ...refusing, lastErrno: () => 5 };
    assert.throws(() => createNativeXattrs(failing, memory).list(3 as FileHandle), { name: "Fault", code: "transport" });
  });
});
