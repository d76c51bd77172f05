import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { bytesToHex, utf8 } from "@holdfast/base";
import type { RecordId } from "@holdfast/protocol";
import { loadPlatform } from "../platform/index.ts";
import { VaultBuilder } from "../testing/vault-builder.ts";
import { ByteWriter } from "./byte-stream.ts";
import { checkTasks } from "./dispatcher.ts";
import { writeMetadata } from "./metadata.ts";
import { loadObjectIndex, type ObjectPlace } from "./object-index.ts";
import { createRestoreWorker, type RestoreWorker } from "./restore-worker.ts";
import { prepareTarget } from "./target.ts";
import { type RestoreJob, TASKS, writeObject } from "./tasks.ts";

interface Fixture {
  readonly path: string;
  readonly worker: RestoreWorker;
  /** Frame of the one pack, and where its one object lies. */
  readonly frame: Uint8Array;
  readonly place: ObjectPlace;
}

const CONTENT = utf8("the content");
const PLAIN = { mode: 0o644, uid: 0, gid: 0, setsOwner: false, mtimeSec: 1, mtimeNs: 0, xattrs: [] };

async function withWorker(use: (fixture: Fixture) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), "worker-"));
  try {
    const vault = await VaultBuilder.create();
    const objectId = vault.put(1, CONTENT);
    await vault.commit([]);
    const index = await loadObjectIndex(vault.session(), 0, assert.ifError);
    const { platform } = loadPlatform({ preferNative: true });
    const { target } = prepareTarget(platform, utf8(path), null);
    using worker = await createRestoreWorker({
      role: "restore",
      vault: vault.journal.owner.vaultId,
      keys: vault.keys,
      target,
      preferNative: true,
      verify: true,
    });
    const frame = vault.node.records.get(bytesToHex(vault.contentPacks[0] as RecordId)) as Uint8Array;
    await use({ path, worker, frame, place: index.place(index.find(objectId), objectId) });
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

function job(tasks: Uint8Array, pack: Partial<RestoreJob> = {}): RestoreJob {
  // A job gives its buffers away.
  const runs = (pack.runs ?? []).map(({ offset, bytes }) => ({ offset, bytes: bytes.slice() }));
  return { type: "job", job: 1, fault: null, tasks, ...pack, frame: pack.frame?.slice() ?? null, runs };
}

function fileTask(name: string, place: ObjectPlace, replaces = 0): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(TASKS.file);
  writer.bytes(utf8(name));
  writer.u8(replaces);
  writeMetadata(writer, PLAIN);
  writeObject(writer, place);
  return writer.take();
}

describe("RestoreWorker", () => {
  it("writes a file from a whole pack or from a part of it", () =>
    withWorker(async ({ path, worker, frame, place }) => {
      const whole = await worker.run(job(fileTask("whole", place), { frame }));
      assert.deepEqual([whole.files, whole.bytes, whole.failures, whole.diskFull], [1, CONTENT.length, [], false]);
      const part = await worker.run(job(fileTask("part", place), { runs: [{ offset: 0, bytes: frame.slice(0, 40_000) }] }));
      assert.deepEqual(part.failures, []);
      assert.equal(statSync(join(path, "part")).size, CONTENT.length);
    }));

  it("makes no file when the pack lacks what it should hold, or is cut", () =>
    withWorker(async ({ path, worker, frame, place }) => {
      const wrong = { ...place, objectId: place.objectId.map((byte) => byte ^ 1) as typeof place.objectId };
      const outside = { ...place, offset: 5_000_000 };
      const packs: Partial<RestoreJob>[] = [{ frame }, { runs: [{ offset: 0, bytes: frame.slice(0, 40_000) }] }];
      for (const pack of packs) {
        for (const each of [wrong, outside]) assert.equal((await worker.run(job(fileTask("file", each), pack))).failures.length, 1);
      }
      for (const pack of [
        { frame: frame.slice(0, -1) },
        { runs: [{ offset: 0, bytes: frame.slice(0, 100) }] },
        { runs: [] },
        { fault: { code: "missing", message: "gone" } },
      ]) {
        const done = await worker.run(job(fileTask("file", place), pack));
        assert.deepEqual([done.files, done.failures.length], [0, 1]);
      }
      assert.deepEqual(readdirSync(path), []);
    }));

  it("leaves what has the name alone, unless it is to be replaced", () =>
    withWorker(async ({ path, worker, frame, place }) => {
      writeFileSync(join(path, "file"), "mine");
      const kept = await worker.run(job(fileTask("file", place), { frame }));
      assert.deepEqual([kept.failures.length, statSync(join(path, "file")).size], [1, 4]);
      const replaced = await worker.run(job(fileTask("file", place, 1), { frame }));
      assert.deepEqual([replaced.failures.length, statSync(join(path, "file")).size], [0, CONTENT.length]);
      assert.deepEqual(readdirSync(path), ["file"]);
    }));

  it("says when a file does not read back as its objects", () =>
    withWorker(async ({ path, worker, place }) => {
      writeFileSync(join(path, "file"), CONTENT);
      const check = (position: number) => worker.run(job(checkTasks(new Uint8Array(0), utf8("file"), 7, [{ position, place }])));
      assert.deepEqual((await check(0)).failures, []);
      assert.deepEqual(
        (await check(1)).failures.map(({ file, path: named }) => [file, named]),
        [[7, null]],
      );
      writeFileSync(join(path, "file"), "the c0ntent");
      assert.equal((await check(0)).failures.length, 1);
    }));
});
