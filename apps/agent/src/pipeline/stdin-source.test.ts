import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatBytes, Fault } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import type { ObjectId } from "@holdfast/protocol";
import { createSeededRandom } from "@holdfast/testkit";
import { createGear, type Entry } from "@holdfast/vault";
import type { ByteInput } from "../platform/index.ts";
import type { ObjectStore } from "./object-store.ts";
import type { SharedRun } from "./shared-memory.ts";
import { storeStdin } from "./stdin-source.ts";
import type { Walker } from "./walker.ts";

const NOW_MS = 1_700_000_000_250;
const gear = createGear(new Uint8Array(32).fill(3));

/** What reaches the walker and the store when `input` is stored. */
function store(input: ByteInput, name = "dump.sql"): { entry: Entry; ids: Uint8Array; chunks: Uint8Array[] } {
  const chunks: Uint8Array[] = [];
  const put = (_: number, plaintext: Uint8Array): ObjectId => {
    chunks.push(plaintext.slice());
    return sha256(plaintext) as Uint8Array as ObjectId;
  };
  const emit = (_: number, plaintext: Uint8Array): ObjectId => sha256(plaintext) as Uint8Array as ObjectId;
  let stored: { entry: Entry; ids: Uint8Array } | null = null;
  const single = (entry: Entry, ids: Uint8Array): void => {
    stored = { entry, ids };
  };
  const walker = { gear, assembler: { emit }, single } as unknown as Walker;
  storeStdin(input, name, NOW_MS, walker, { put } as unknown as ObjectStore, { count: () => {} } as unknown as SharedRun);
  assert.ok(stored !== null);
  return { ...(stored as { entry: Entry; ids: Uint8Array }), chunks };
}

/** Gives `bytes` in pieces of at most `pieceBytes`. */
function piecewise(bytes: Uint8Array, pieceBytes: number): ByteInput {
  let position = 0;
  return {
    read(target) {
      const piece = bytes.subarray(position, position + Math.min(pieceBytes, target.length));
      target.set(piece);
      position += piece.length;
      return piece.length;
    },
  };
}

describe("standard input as a source", () => {
  it("keeps every byte, cut at the same places however the bytes come", () => {
    const bytes = createSeededRandom(11).bytes(9_000_000);
    const whole = store(piecewise(bytes, bytes.length));
    assert.deepEqual(concatBytes(...whole.chunks), bytes);
    assert.ok(whole.chunks.length > 1);
    assert.equal(whole.entry.sizeBytes, bytes.length);
    assert.deepEqual(whole.entry.modified, { seconds: 1_700_000_000, nanoseconds: 250_000_000 });
    assert.deepEqual(whole.ids, concatBytes(...whole.chunks.map((chunk) => sha256(chunk))));
    for (const pieceBytes of [4_095, 65_536]) {
      const pieces = store(piecewise(bytes, pieceBytes));
      assert.deepEqual(pieces.ids, whole.ids);
      assert.deepEqual(pieces.entry, whole.entry);
    }
  });

  it("keeps an empty stream as an empty file", () => {
    const { entry, ids, chunks } = store(piecewise(new Uint8Array(0), 1));
    assert.equal(entry.sizeBytes, 0);
    assert.equal(entry.content, null);
    assert.equal(ids.length, 0);
    assert.equal(chunks.length, 0);
  });

  it("stores no entry when the stream breaks", () => {
    const bytes = new Uint8Array(5_000);
    let reads = 0;
    const breaking: ByteInput = {
      read(target) {
        if (reads++ > 0) throw new Fault("transport", "platform: read of standard input failed, got EIO");
        target.set(bytes);
        return bytes.length;
      },
    };
    assert.throws(() => store(breaking), { name: "Fault", code: "transport" });
  });

  it("refuses a name that is a path", () => {
    for (const name of ["", "a/b", "..", "x".repeat(256)])
      assert.throws(() => store(piecewise(new Uint8Array(1), 1), name), { name: "Fault", code: "input" }, name);
  });
});
