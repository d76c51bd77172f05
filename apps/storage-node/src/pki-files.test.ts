import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Disk, utf8, utf8ToText } from "@holdfast/base";
import { createFaultDisk, PowerLoss } from "@holdfast/testkit";
import { replacePki, settlePki } from "./pki-files.ts";

const OLD = { "pki/a.pem": "old a", "pki/b.pem": "old b", "pki/gone.pem": "old gone", "admin/c.pem": "old c" };
const CHANGE = { "pki/a.pem": "new a", "pki/b.pem": "new b", "pki/gone.pem": null, "admin/c.pem": "new c", "pki/fresh.pem": "new fresh" };
const NEW = { "pki/a.pem": "new a", "pki/b.pem": "new b", "admin/c.pem": "new c", "pki/fresh.pem": "new fresh" };

function oldDisk(): ReturnType<typeof createFaultDisk> {
  const disk = createFaultDisk();
  for (const folder of ["/data", "/data/pki", "/data/admin"]) disk.makeFolder(folder, 0o700);
  for (const [path, text] of Object.entries(OLD)) disk.writeFile(`/data/${path}`, utf8(text), 0o600);
  disk.writeFile("/data/node.json", utf8("{}"), 0o600); // Makes the folders durable.
  disk.writeFile("/note", utf8(""), 0o600);
  return disk;
}

/** Every file of both folders. */
function filesOf(disk: Disk): Record<string, string> {
  const files: Record<string, string> = {};
  for (const folder of ["pki", "admin"]) {
    for (const name of disk.list(`/data/${folder}`) ?? []) {
      files[`${folder}/${name}`] =
        disk.stat(`/data/${folder}/${name}`)?.kind === "file" ? (utf8ToText(disk.readFile(`/data/${folder}/${name}`, 100) ?? utf8("")) ?? "") : "a folder";
    }
  }
  return files;
}

describe("certificate files replaced as one", () => {
  it("are all new, and nothing is left over", () => {
    const disk = oldDisk();
    replacePki(disk, "/data", CHANGE);
    assert.deepEqual(filesOf(disk), NEW);
    settlePki(disk, "/data");
    assert.deepEqual(filesOf(disk), NEW);
  });

  it("are all old or all new wherever the power is lost, also a second time while that is made good", () => {
    const seen = new Set<string>();
    const whole = oldDisk();
    const callsBefore = whole.callCount;
    replacePki(whole, "/data", CHANGE);
    const callCount = whole.callCount - callsBefore;
    let losses = 0;
    for (let tries = 0; tries < 2 * callCount; tries++) {
      const disk = oldDisk();
      disk.failAt(tries >> 1, tries % 2 === 0 ? "power-before" : "power-after");
      try {
        replacePki(disk, "/data", CHANGE);
      } catch (error) {
        assert.ok(error instanceof PowerLoss, String(error));
        losses++;
      }
      for (const crashed of disk.crashStates()) {
        for (const state of [crashed, ...settledHalfway(crashed)]) {
          settlePki(state, "/data");
          const files = JSON.stringify(filesOf(state));
          assert.ok(
            [OLD, NEW].some((wanted) => sorted(wanted) === sorted(JSON.parse(files))),
            `power lost after call ${tries}: ${files}`,
          );
          seen.add(files);
        }
      }
    }
    assert.ok(losses >= 8, `power was lost at ${losses} places`);
    assert.equal(seen.size, 2, "both ends were reached");
  });
});

/** States in which making good was cut short in turn. */
function settledHalfway(disk: ReturnType<typeof createFaultDisk>): ReturnType<typeof createFaultDisk>[] {
  return [...disk.crashStates()].flatMap((state) => {
    state.failAt(4, "power-after");
    try {
      settlePki(state, "/data");
    } catch (error) {
      assert.ok(error instanceof PowerLoss, String(error));
    }
    return [...state.crashStates()];
  });
}

function sorted(files: Record<string, string>): string {
  return JSON.stringify(Object.entries(files).sort());
}
