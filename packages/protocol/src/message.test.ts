import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FAULTS, Fault, type FaultCode, isFault, utf8 } from "@holdfast/base";
import { encodeMessage } from "./codec.ts";
import { HAVE_IDS_MAX, JOURNAL_ENTRY_BYTES_MAX, LABEL_BYTES_MAX, NEEDS_IDS_MAX, PAGE_ITEMS_MAX } from "./limits.ts";
import {
  accountAnswer,
  changesAnswer,
  commitAnswer,
  commitRequest,
  createVaultRequest,
  encodeFault,
  enrollAnswer,
  enrollRequest,
  faultAnswer,
  haveAnswer,
  haveRequest,
  journalAnswer,
  leaseAnswer,
  leaseRequest,
  parseFault,
  parseMessage,
  recordsAnswer,
} from "./message.ts";

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(length & 255);
const change = { op: "added", kind: 5, id: bytes(32), bytes: 10, tier: "hot" };
const item = { entry: bytes(5), receipt: bytes(6) };
const account = { account: bytes(16), accountName: "a", edition: "ese", vault: null, usedBytes: 5_000_000_000, quotaBytes: null, nowMs: 1_760_000_000_000 };
const enrolled = { certificate: "pem", root: "pem", account: bytes(16), accountName: "a", edition: "se", vault: bytes(16) };

/** One good message for each schema, and its fields changed so that each is refused. */
const MESSAGES = [
  {
    name: "enroll request",
    schema: enrollRequest,
    good: { secret: bytes(16), csr: "pem", deviceKey: bytes(32), label: "l" },
    bad: [
      { secret: bytes(15) },
      { csr: "x".repeat(8_193) },
      { deviceKey: "text" },
      { label: "x".repeat(LABEL_BYTES_MAX + 1) },
      { label: "ü".repeat(LABEL_BYTES_MAX / 2 + 1) },
    ],
  },
  {
    name: "enroll answer",
    schema: enrollAnswer,
    good: enrolled,
    bad: [{ certificate: "x".repeat(32_769) }, { root: "x".repeat(16_385) }, { edition: "gold" }, { vault: bytes(15) }],
  },
  { name: "create vault request", schema: createVaultRequest, good: { vault: bytes(16) }, bad: [{ vault: bytes(17) }, { vault: null }] },
  { name: "account answer", schema: accountAnswer, good: account, bad: [{ usedBytes: -1 }, { usedBytes: 1.5 }, { quotaBytes: "1" }, { nowMs: null }] },
  { name: "lease request", schema: leaseRequest, good: { lease: bytes(16) }, bad: [{ lease: null }, { lease: bytes(0) }] },
  { name: "lease answer", schema: leaseAnswer, good: { lease: bytes(16), expiresAtMs: 1 }, bad: [{ expiresAtMs: Number.NaN }] },
  { name: "records answer", schema: recordsAnswer, good: { stored: 1, present: 0 }, bad: [{ stored: -1 }, { present: "0" }] },
  { name: "have request", schema: haveRequest, good: { ids: bytes(64) }, bad: [{ ids: bytes(HAVE_IDS_MAX * 32 + 1) }, { ids: [bytes(32)] }] },
  { name: "have answer", schema: haveAnswer, good: { missing: bytes(0) }, bad: [{ missing: null }] },
  {
    name: "changes answer",
    schema: changesAnswer,
    good: { cursor: "c", more: false, items: [change] },
    bad: [
      { cursor: "x".repeat(129) },
      { more: 1 },
      { items: Array.from({ length: PAGE_ITEMS_MAX + 1 }, () => change) },
      { items: [{ ...change, op: "lost" }] },
      { items: [{ ...change, id: bytes(31) }] },
      { items: [{ ...change, extra: 1 }] },
      { items: [{ ...change, tier: "warm" }] },
    ],
  },
  {
    name: "commit request",
    schema: commitRequest,
    good: { entry: bytes(9), additions: bytes(32), drops: bytes(0) },
    bad: [{ entry: bytes(JOURNAL_ENTRY_BYTES_MAX + 1) }, { additions: bytes(NEEDS_IDS_MAX * 32 + 1) }, { drops: "" }],
  },
  { name: "commit answer", schema: commitAnswer, good: { receipt: bytes(9) }, bad: [{ receipt: bytes(JOURNAL_ENTRY_BYTES_MAX + 1) }] },
  {
    name: "journal answer",
    schema: journalAnswer,
    good: { more: true, items: [item, item] },
    bad: [{ items: [{ ...item, receipt: undefined }] }, { items: Array.from({ length: PAGE_ITEMS_MAX + 1 }, () => item) }],
  },
  {
    name: "fault",
    schema: faultAnswer,
    good: { code: "busy", message: "m", retry: "after-delay", detail: { a: 1, b: "b", c: true, d: ["x"] } },
    bad: [{ code: 5 }, { message: "x".repeat(1_025) }, { detail: null }, { detail: { a: { b: 1 } } }, { detail: { a: [1] } }],
  },
] as const;

describe("messages", () => {
  for (const { name, schema, good, bad } of MESSAGES) {
    it(`${name}: comes back as it went, and is refused with a field missing, unknown or out of bounds`, () => {
      const refuses = (message: object, what: string): void =>
        assert.throws(
          () => parseMessage(schema, encodeMessage(message), name),
          (error) => isFault(error, "format") && error.message.startsWith(name),
          what,
        );
      assert.deepEqual(parseMessage(schema, encodeMessage(good), name), good);
      refuses({ ...good, surprise: 1 }, "unknown field");
      for (const field of Object.keys(good)) if (!(schema === leaseRequest && field === "lease")) refuses({ ...good, [field]: undefined }, `without ${field}`);
      for (const fields of bad) refuses({ ...good, ...fields }, Object.keys(fields)[0] as string);
      for (const whole of [[], [good], { 0: good }]) refuses(whole, "not the message");
    });
  }

  it("copy byte strings out of the body", () => {
    const body = encodeMessage({ receipt: bytes(9) });
    const { receipt } = parseMessage(commitAnswer, body, "commit answer");
    body.fill(0);
    assert.deepEqual(receipt, bytes(9));
  });

  it("never repeat a value that they refuse", () => {
    assert.throws(
      () => parseMessage(leaseRequest, encodeMessage({ lease: "a secret text" }), "lease"),
      (error) => isFault(error, "format") && error.message.includes("lease") && !error.message.includes("secret text"),
    );
  });

  it("refuse a body over its limit or that is no CBOR", () => {
    assert.throws(
      () => parseMessage(leaseRequest, utf8("{}"), "lease"),
      (error) => isFault(error, "format"),
    );
    assert.throws(
      () => parseMessage(leaseRequest, new Uint8Array(16 * 1024 * 1024 + 1), "lease"),
      (error) => isFault(error, "limit"),
    );
  });
});

describe("faults on the wire", () => {
  it("keep code, message and detail, for every code", () => {
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      const fault = new Fault(code, "thing: is wrong", { detail: { seq: 3, ids: ["a", "b"], level: "account", isFull: true, seconds: 1.5 } });
      const back = parseFault(FAULTS[code].status, encodeFault(fault));
      assert.equal(back.code, code);
      assert.equal(back.message, fault.message);
      assert.deepEqual(back.detail, fault.detail);
      assert.equal(back.retry, FAULTS[code].retry);
    }
  });

  it("cut a message that is too long", () => {
    assert.equal(parseFault(500, encodeFault(new Fault("internal", "x".repeat(5_000)))).message.length, 1_000);
  });

  it("become transport, with the status, when the body is no fault that we know", () => {
    const bodies = [
      new Uint8Array(0),
      utf8("<html>502</html>"),
      encodeMessage({ code: "new-code", message: "m", retry: "never", detail: {} }),
      encodeMessage({ code: "toString", message: "m", retry: "never", detail: {} }),
      encodeMessage({ code: "busy" }),
    ];
    for (const body of bodies) {
      const fault = parseFault(502, body);
      assert.equal(fault.code, "transport");
      assert.match(fault.message, /502/);
    }
  });
});
