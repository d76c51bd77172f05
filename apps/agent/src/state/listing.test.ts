import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, it } from "node:test";
import { utf8 } from "@holdfast/base";
import { ListingReader, ListingWriter, ROW } from "./listing.ts";

const IDENTITY = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
const words = Uint32Array.from({ length: 10 }, (_, index) => 0xfffffff0 + index);

describe("listing", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(`${tmpdir()}/holdfast-listing-`);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** A folder with one entry that has `idCount` ids, larger than a window when that is large. */
  function write(idCount: number): string {
    const path = `${folder}/listing`;
    const writer = new ListingWriter(path, 1234.5, 7);
    writer.enter(utf8("folder"), words, 0, IDENTITY, new Uint8Array(0));
    writer.entry(utf8("file"), words, 0, IDENTITY, 0o100644, utf8("encoded"), new Uint8Array(idCount * 32).fill(9));
    writer.ids(new Uint8Array(64).fill(8));
    writer.leave();
    writer.nodes(new Uint8Array(32).fill(7));
    writer.close();
    return path;
  }

  it("gives back what was written, in order", () => {
    for (const idCount of [0, 1, 4_096, 20_000]) {
      using reader = ListingReader.open(write(idCount)) as ListingReader;
      assert.equal(reader.startedMs, 1234.5);
      assert.equal(reader.epoch, 7);
      reader.next();
      assert.equal(reader.type, ROW.enter);
      assert.deepEqual(reader.name, utf8("folder"));
      reader.next();
      assert.equal(reader.type, ROW.entry);
      assert.deepEqual(reader.identity, words);
      assert.equal(reader.modeWord, 0o100644);
      assert.deepEqual(reader.encoded, utf8("encoded"));
      assert.equal(reader.ids.length, idCount * 32);
      reader.next();
      assert.equal(reader.type, ROW.ids);
      assert.equal(reader.ids.length, 64);
      reader.next();
      assert.equal(reader.type, ROW.leave);
      reader.next();
      assert.equal(reader.type, ROW.nodes);
      reader.next();
      assert.equal(reader.type, ROW.end);
    }
  });

  it("skips a folder whole", () => {
    using reader = ListingReader.open(write(3)) as ListingReader;
    reader.next();
    reader.skipFolder();
    assert.equal(reader.type, ROW.leave);
    reader.next();
    assert.equal(reader.type, ROW.nodes);
  });

  it("is no listing when a byte differs, at every place, or when it is cut", () => {
    const path = write(1);
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const damaged = new Uint8Array(whole);
      damaged[at] = (damaged[at] as number) ^ 1;
      writeFileSync(path, damaged);
      assert.equal(ListingReader.open(path), null, `byte ${at}`);
    }
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      assert.equal(ListingReader.open(path), null, `length ${length}`);
    }
  });

  it("is no listing when there is no file", () => {
    assert.equal(ListingReader.open(`${folder}/nothing`), null);
  });
});
