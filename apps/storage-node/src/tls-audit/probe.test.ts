/** Servers that lie, dawdle or hang up, by a scripted socket port; and that a clean word is never given without an answer. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatBytes, hexToBytes } from "@holdfast/base";
import { createFakeClock, createSeededRandom } from "@holdfast/testkit";
import { runCipherAudit } from "./cipher-audit.ts";
import type { Dial, DialRequest } from "./dial.ts";
import { PROBE_CONNECTIONS_MAX } from "./probe.ts";
import type { CipherAuditReport } from "./report.ts";

const ALERT = Uint8Array.of(21, 3, 3, 0, 2, 2, 40);
const SSL2_HELLO = hexToBytes("80140400010002000000030006010080010203040506") as Uint8Array;

/** What a hello offers: its version, TLS 1.3 by its extension, and its suites. */
function readOffer({ bytes }: DialRequest): { version: number; suites: number[] } | "SSL 2" {
  if (bytes[0] !== 22) return "SSL 2";
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const suitesAt = 44 + (bytes[43] as number);
  const suites = Array.from({ length: view.getUint16(suitesAt) / 2 }, (_, index) => view.getUint16(suitesAt + 2 + index * 2));
  return { version: bytes[43] === 32 ? 0x0304 : view.getUint16(9), suites };
}

function choose(version: number, suite: number): Uint8Array {
  const extension = version === 0x0304 ? Uint8Array.of(0, 6, 0, 43, 0, 2, 3, 4) : new Uint8Array(0);
  const body = concatBytes(Uint8Array.of(3, Math.min(version, 0x0303) & 0xff), new Uint8Array(32), Uint8Array.of(0, suite >>> 8, suite, 0), extension);
  return concatBytes(Uint8Array.of(22, 3, 3, 0, body.length + 4, 2, 0, 0, body.length), body);
}

function audit(dial: Dial, signal?: AbortSignal): Promise<CipherAuditReport> {
  return runCipherAudit({
    ports: [{ label: "port", host: "backup.example.org", port: 8443 }],
    dial,
    fetchChain: async () => null,
    clock: createFakeClock(),
    random: createSeededRandom(3),
    ...(signal === undefined ? {} : { signal }),
  });
}

const answering =
  (answer: (offer: ReturnType<typeof readOffer>) => Uint8Array): Dial =>
  async (request) => ({ end: "enough", bytes: answer(readOffer(request)) });

describe("probing a port", () => {
  it("finds SSL 2 where it is answered", async () => {
    const report = await audit(answering((offer) => (offer === "SSL 2" ? SSL2_HELLO : ALERT)));
    assert.deepEqual([report.summary, report.worst], ["port: obsolete protocol (critical) in SSL 2", "critical"]);
  });

  it("takes an older version in the answer for a refusal of the one that was asked for", async () => {
    const report = await audit(answering((offer) => (offer === "SSL 2" ? ALERT : choose(0x0301, offer.suites[0] as number))));
    assert.deepEqual(report.ports[0]?.reachableProtocols, ["TLS 1.0"]);
  });

  it("ends with a server that takes whatever it is offered", async () => {
    let dialCount = 0;
    const report = await audit(
      answering((offer) => {
        dialCount++;
        return offer === "SSL 2" ? ALERT : choose(offer.version, offer.suites.at(-1) as number);
      }),
    );
    assert.ok(dialCount < 1500, String(dialCount));
    assert.ok(report.summary.length < 16_384 && /; and \d+ more$/.test(report.summary));
  });

  it("does not believe a suite that was not offered, nor words of another protocol", async () => {
    assert.match((await audit(answering(() => choose(0x0303, 0xabcd)))).summary, /TLS 1\.2: the server chose a suite that was not offered/);
    assert.match(
      (await audit(answering(() => new TextEncoder().encode("SSH-2.0-OpenSSH\r\n")))).summary,
      /^not audited: port: TLS 1\.\d: the answer is not TLS|^not audited: port: SSL 3/,
    );
  });

  it("never calls a port clean that cannot be reached, is silent, or hangs up on everything", async () => {
    for (const [end, want] of [
      ["unreachable", "not audited: port: cannot be connected to"],
      ["closed", "not audited: port: no version of TLS was answered"],
    ] as const) {
      assert.equal((await audit(async () => ({ end, bytes: new Uint8Array(0) }))).summary, want);
    }
    const silent = await audit(async () => ({ end: "silent", bytes: Uint8Array.of(22) }));
    assert.match(silent.summary, /TLS 1\.3: no answer in 5 s/);
    assert.deepEqual(silent.worst, null);
  });

  it("notices a server that stops answering on the way", async () => {
    let left = 12;
    const report = await audit(async (request) => {
      const offer = readOffer(request);
      if (left-- <= 0) return { end: "closed", bytes: new Uint8Array(0) };
      return { end: "enough", bytes: offer === "SSL 2" || offer.version < 0x0303 ? ALERT : choose(offer.version, offer.suites[0] as number) };
    });
    assert.ok(
      report.failures.some((failure) => failure.endsWith("no longer answered at the end of the audit")),
      report.summary,
    );
  });

  it("opens only a few connections at a time", async () => {
    let [open, openMax] = [0, 0];
    await audit(async (request) => {
      openMax = Math.max(openMax, ++open);
      await new Promise((resolve) => setImmediate(resolve));
      open--;
      const offer = readOffer(request);
      return { end: "enough", bytes: offer === "SSL 2" || offer.version < 0x0303 ? ALERT : choose(offer.version, 0x1301) };
    });
    assert.equal(openMax, PROBE_CONNECTIONS_MAX);
  });

  it("says so when it is stopped, or when a port of its own throws", async () => {
    const stopped = await audit(async () => ({ end: "silent", bytes: new Uint8Array(0) }), AbortSignal.abort());
    assert.match(stopped.summary, /not audited: the audit was stopped before its end/);
    const thrown = await audit(() => Promise.reject(new Error("boom\nbang")));
    assert.equal(thrown.summary, "not audited: the audit itself failed: boom bang");
  });
});
