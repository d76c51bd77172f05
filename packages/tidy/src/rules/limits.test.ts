import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createProject } from "../project.ts";
import { short } from "../testing/projects.ts";
import { checkLimits, parseQuantity } from "./limits.ts";

const documentOf = (...rows: string[]) =>
  createProject(
    new Map([
      ["docs/format.md", `| name | value | meaning |\n| --- | --- | --- |\n${rows.join("\n")}\n`],
      ["packages/protocol/src/limits.ts", "export const A_BYTES_MAX = 8 * 1024;\nexport const B_MS = 1000;\n"],
    ]),
  );

describe("documents against limits", () => {
  it("equal numbers in other words are equal", () => {
    assert.deepEqual(checkLimits(documentOf("| `A_BYTES_MAX` | 8 KiB | x |", "| `B_MS` | 1 s | y |"), { A_BYTES_MAX: 8192, B_MS: 1000 }), []);
  });

  it("a wrong number, an unknown name and a missing row are each reported", () => {
    const problems = checkLimits(documentOf("| `A_BYTES_MAX` | 9 KiB | x |", "| `C_MAX` | 1 | z |"), { A_BYTES_MAX: 8192, B_MS: 1000 });
    assert.deepEqual(short(problems), [
      "docs/format.md:3 A_BYTES_MAX: the document says 9 KiB, limits.ts says 8192",
      "docs/format.md:4 C_MAX: not a number that limits.ts exports",
      "packages/protocol/src/limits.ts:2 B_MS: no row in docs/format.md or docs/protocol.md",
    ]);
  });

  it("reads the quantities that the documents use", () => {
    const cells: [string, string, number | null][] = [
      ["X_MAX", "1,024", 1024],
      ["X_MAX", "`16`", 16],
      ["X_MAX", "2^32 - 1", 4294967295],
      ["X_BYTES", "1.5 MiB", 1572864],
      ["X_MS", "2 min", 120000],
      ["X_SECONDS", "2 h", 7200],
      ["X_DAYS", "90 d", 90],
      ["X_MAX", "90 d", null],
      ["X_MAX", "many", null],
    ];
    for (const [name, cell, wanted] of cells) assert.equal(parseQuantity(name, cell), wanted, `${name} ${cell}`);
  });
});
