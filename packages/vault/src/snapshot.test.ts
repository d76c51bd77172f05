import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, utf8 } from "@holdfast/base";
import { damages } from "@holdfast/testkit";
import { checkConfig, encodeConfig } from "./config.ts";
import { encodeSnapshot, lineOf, parseSnapshot, type Snapshot } from "./snapshot.ts";
import { numberedId, SAMPLE_ID_KEY } from "./testing/samples.ts";

const SOURCE = { host: "host", paths: [utf8("/b"), utf8("/a")], setName: "work" };
const SNAPSHOT: Snapshot = {
  ...SOURCE,
  started: { seconds: -5, nanoseconds: 0 },
  ended: { seconds: 1_700_000_000, nanoseconds: 999_999_999 },
  root: numberedId(1),
  line: lineOf(SAMPLE_ID_KEY, SOURCE),
  totals: { files: 1, folders: 2, others: 3, plainBytes: 2 ** 53 - 1 },
  tags: ["a", "b"],
  agentVersion: "0.1.0",
  runtime: "Bun 1",
  failures: [{ path: utf8("/x"), reason: "denied" }],
  failureCount: 7,
  losses: ["acl"],
  isPartial: true,
};

describe("snapshots", () => {
  it("are read back equal", () => {
    const least: Snapshot = { ...SNAPSHOT, setName: null, tags: [], failures: [], failureCount: 0, losses: [], isPartial: false };
    for (const snapshot of [SNAPSHOT, least]) assert.deepEqual(parseSnapshot(encodeSnapshot(snapshot)), snapshot);
  });

  it("that no reader takes are not written", () => {
    const bad: Partial<Snapshot>[] = [{ tags: ["b", "a"] }, { host: "h".repeat(257) }, { ended: { seconds: 0, nanoseconds: 1_000_000_000 } }];
    for (const changes of bad) assert.throws(() => encodeSnapshot({ ...SNAPSHOT, ...changes }), { name: "Fault" });
    assert.throws(() => encodeSnapshot({ ...SNAPSHOT, failureCount: 0 }), { name: "AssertionFailure" });
  });

  it("with any damage are refused or are another snapshot that re-encodes to the same bytes", () => {
    const plaintext = encodeSnapshot(SNAPSHOT);
    let acceptedCount = 0;
    for (const { name, bytes } of damages(plaintext)) {
      let snapshot: Snapshot;
      try {
        snapshot = parseSnapshot(bytes);
      } catch (error) {
        assert.equal((error as Error).name, "Fault", name);
        continue;
      }
      acceptedCount++;
      assert.equal(bytesToHex(encodeSnapshot(snapshot)), bytesToHex(bytes), name);
    }
    assert.ok(acceptedCount > 0);
  });

  it("of one source are in one line whatever the order of its paths", () => {
    const line = bytesToHex(lineOf(SAMPLE_ID_KEY, SOURCE));
    assert.equal(bytesToHex(lineOf(SAMPLE_ID_KEY, { ...SOURCE, paths: SOURCE.paths.toReversed() })), line);
    for (const changes of [{ host: "other" }, { setName: null }, { paths: [utf8("/a")] }])
      assert.notEqual(bytesToHex(lineOf(SAMPLE_ID_KEY, { ...SOURCE, ...changes })), line);
  });

  it("the config with any damage is refused", () => {
    checkConfig(encodeConfig());
    for (const { name, bytes } of damages(encodeConfig())) assert.throws(() => checkConfig(bytes), { name: "Fault" }, name);
  });
});
