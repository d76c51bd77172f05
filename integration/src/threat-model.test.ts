/** Every promise of docs/threat-model.md names a test, and every test it names is there. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ROOT } from "../tools/runtimes.mjs";

const page = readFileSync(join(ROOT, "docs/threat-model.md"), "utf8");
const rows = page.split("\n").filter((line) => /^\| (?!Promise \||---)/.test(line));

describe("the threat model", () => {
  it("has promises for every adversary", () => {
    assert.ok(rows.length >= 30, `${rows.length} promises`);
    for (const section of page.split(/^## /m).slice(1)) assert.match(section, /\| Promise \| Test \|/, section.split("\n")[0]);
  });

  it("names tests that exist", () => {
    const missing: string[] = [];
    for (const row of rows) {
      const cell = row.split(" | ").at(-1) ?? "";
      const groups = [...cell.matchAll(/`([^`]+\.test\.ts)` › ((?:`[^`]+`(?:, )?)+)/g)];
      if (groups.length === 0) missing.push(`no test: ${row}`);
      for (const [, file = "", names = ""] of groups) {
        const source = readFileSync(join(ROOT, file), "utf8");
        for (const [, name = ""] of names.matchAll(/`([^`]+)`/g)) if (!source.includes(name)) missing.push(`${file}: has no "${name}"`);
      }
    }
    assert.deepEqual(missing, []);
  });
});
