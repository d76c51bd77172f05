import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { createOwners, parseOwnerTable } from "./owners.ts";

describe("Owners", () => {
  it("reads names and numbers, the first line of each counting, and skips what is no such line", () => {
    const table = parseOwnerTable(
      utf8("root:x:0:0:root:/root:/bin/sh\n\n# note\ntoor:x:0:0::\nbad:x:12a:\nwww:x:33\nroot:x:9:\n+::::\nbig:x:4294967295:\nlast:x:7:"),
    );
    assert.deepEqual(
      [...table.nameById],
      [
        [0, utf8("root")],
        [33, utf8("www")],
        [9, utf8("root")],
        [7, utf8("last")],
      ],
    );
    assert.deepEqual(
      [...table.idByName],
      [
        ["root", 0],
        ["toor", 0],
        ["www", 33],
        ["last", 7],
      ],
    );
  });

  it("keeps names that are not UTF-8", () => {
    const table = parseOwnerTable(Uint8Array.from([0xff, 0x3a, 0x78, 0x3a, 0x35, 0x3a]));
    assert.deepEqual(table.nameById.get(5), Uint8Array.of(0xff));
  });

  it("a missing file lists nobody", () => {
    const owners = createOwners("/nonexistent/passwd", "/nonexistent/group");
    assert.equal(owners.userName(0), null);
    assert.equal(owners.groupId(utf8("root")), null);
  });
});
