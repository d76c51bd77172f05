/** Walks ../vectors: one structure and at most one fault a file. The prefix of a file's name says what its input is. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type Bytes, bytesToHex, hexToBytes, isFault } from "@holdfast/base";
import { testVerifier } from "@holdfast/testkit";
import { type Canonical, decodeCanonical, encodeCanonical } from "./codec.ts";
import { parseFrame } from "./frame.ts";
import { asAccountId, asRecordId, asVaultId } from "./id.ts";
import { applyEntry, emptyJournal, type JournalState, verifyReceipt } from "./journal-state.ts";

interface Vector {
  readonly about: string;
  readonly origin: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly expect: Readonly<Record<string, unknown>>;
}

const FOLDER = new URL("../vectors/", import.meta.url);
const bytes = (text: unknown): Bytes => hexToBytes(text as string) as Bytes;

/** What the input comes to, in the words of `expect`. */
const RUNNERS: Readonly<Record<string, (input: Vector["input"]) => object>> = {
  cbor(input) {
    assert.equal(bytesToHex(encodeCanonical(decodeCanonical(bytes(input.cbor)) as Canonical)), input.cbor);
    return { allowed: true };
  },
  frame(input) {
    const frame = bytes(input.frame);
    const { kind, suite, epoch, body } = parseFrame(frame);
    return { kind, suite, epoch, body: bytesToHex(body), id: bytesToHex(testVerifier.sha256(frame)) };
  },
  journal(input) {
    const entries = input.entries as readonly string[];
    let state = emptyJournal(asVaultId(bytes(input.vault)), asAccountId(bytes(input.account)));
    for (const [index, entry] of entries.entries()) {
      try {
        ({ state } = applyEntry(state, bytes(entry), testVerifier));
      } catch (error) {
        assert.equal(index, entries.length - 1, "only the last entry of a vector is at fault");
        throw error;
      }
    }
    return describeJournal(state);
  },
  receipt(input) {
    const previous = input.previous === null ? null : asRecordId(bytes(input.previous));
    const want = { vault: asVaultId(bytes(input.vault)), seq: input.seq as number, entry: asRecordId(bytes(input.entry)), previous };
    const { receipt, parsed } = verifyReceipt(bytes(input.receipt), bytes(input.nodeKey), want, testVerifier);
    return { id: bytesToHex(receipt), receivedMs: parsed.payload.receivedMs };
  },
};

describe("vectors", () => {
  const names = readdirSync(FOLDER).filter((name) => name !== "rfc8949-appendix-a.json"); // codec.test.ts has that one.

  it("are all there", () => {
    assert.ok(names.length >= 90, `only ${names.length}`);
    for (const prefix of Object.keys(RUNNERS))
      assert.ok(
        names.some((name) => name.startsWith(`${prefix}-`)),
        prefix,
      );
  });

  for (const name of names) {
    const { about, origin, input, expect } = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Vector;
    it(`${name}: ${about}`, () => {
      const run = RUNNERS[name.slice(0, name.indexOf("-"))];
      assert.ok(run !== undefined && origin.length > 0, "the prefix is known and the origin given");
      if (expect.fault === undefined) assert.deepEqual(run(input), expect);
      else
        assert.throws(
          () => run(input),
          (error) => isFault(error) && error.code === expect.fault,
        );
    });
  }
});

function describeJournal(state: JournalState): object {
  const { head, epoch, config, epochsSlot, devices, slots, snapshots, policies } = state;
  return {
    seq: head?.seq,
    head: head && bytesToHex(head.entry),
    epoch,
    config: config && bytesToHex(config),
    epochsSlot: epochsSlot && bytesToHex(epochsSlot),
    devices: [...devices.values()].map(({ id, roles, revokedSeq, badSince }) => ({ id: bytesToHex(id), roles: [...roles], revokedSeq, badSince })),
    slots: [...slots.keys()],
    snapshots: [...snapshots.values()].map(({ entry, record, complete, offload, holdCount }) => ({
      entry: bytesToHex(entry),
      record: bytesToHex(record),
      complete,
      offload,
      holdCount,
    })),
    policies: policies.length,
  };
}
