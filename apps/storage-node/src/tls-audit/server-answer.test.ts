/** The reader of answers: what real servers send, and bytes that nobody should send. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, concatBytes, hexToBytes, isFault } from "@holdfast/base";
import { createSystemRandom } from "@holdfast/base/node";
import { createSeededRandom } from "@holdfast/testkit";
import { encodeClientHello, encodeSsl2ClientHello } from "./client-hello.ts";
import { dialNode } from "./dial-node.ts";
import { ANSWER_BYTES_MAX, CHAIN_CERTIFICATES_MAX, FLIGHT_BYTES_MAX, readCertificates, readServerAnswer, readSsl2Answer } from "./server-answer.ts";
import { ALL_SUITES, SKIP_OPENSSL, WeakBench } from "./testing/weak-server.ts";

const READERS = [readServerAnswer, readCertificates, readSsl2Answer];
const RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";

const bytesOf = (...hex: string[]): Bytes => hexToBytes(hex.join("").replaceAll(" ", "")) as Bytes;
const record = (body: Uint8Array, type = 22): Bytes => concatBytes(Uint8Array.of(type, 3, 3, body.length >>> 8, body.length), body);
const message = (type: number, body: Uint8Array): Bytes => concatBytes(Uint8Array.of(type, body.length >>> 16, body.length >>> 8, body.length), body);
const hello = (random = "11".repeat(32), tail = ""): Bytes => message(2, bytesOf("0303", random, "00", "c02f", "00", tail));
const certificates = (...list: Uint8Array[]): Bytes => {
  const all = concatBytes(...list.map((der) => concatBytes(Uint8Array.of(0, der.length >>> 8, der.length), der)));
  return message(11, concatBytes(Uint8Array.of(0, all.length >>> 8, all.length), all));
};
const SSL2_HELLO = bytesOf("8017 04 00 01 0002 0002 0006 0004", "beef", "010080 0700c0", "01020304");

describe("an answer is read as", () => {
  it("the version and suite that a ServerHello chooses", () => {
    assert.deepEqual(readServerAnswer(record(hello())), { kind: "hello", wireVersion: 0x0303, suite: 0xc02f, isRetry: false });
    assert.deepEqual(readServerAnswer(record(hello(RETRY, "0006 002b 0002 0304"))), { kind: "hello", wireVersion: 0x0304, suite: 0xc02f, isRetry: true });
  });

  it("the same when the message lies in many records, or after a warning", () => {
    const body = hello();
    const pieces = concatBytes(...Array.from({ length: body.length }, (_, index) => record(body.subarray(index, index + 1))));
    for (const bytes of [pieces, concatBytes(record(Uint8Array.of(1, 112), 21), record(body))]) assert.equal(readServerAnswer(bytes)?.kind, "hello");
  });

  it("a refusal", () => {
    assert.deepEqual(readServerAnswer(record(Uint8Array.of(2, 70), 21)), { kind: "alert", level: 2, description: 70 });
    assert.deepEqual(readCertificates(record(Uint8Array.of(2, 40), 21)), []);
  });

  it("certificates in the clear, at most ten", () => {
    const der = bytesOf("3000");
    assert.deepEqual(readCertificates(record(concatBytes(hello(), certificates(der, der)))), [der, der]);
    assert.deepEqual(readCertificates(record(concatBytes(hello(), message(12, der)))), []);
    const many = (count: number): Uint8Array => record(concatBytes(hello(), certificates(...Array.from({ length: count }, () => der))));
    assert.equal(readCertificates(many(CHAIN_CERTIFICATES_MAX))?.length, CHAIN_CERTIFICATES_MAX);
    assert.throws(() => readCertificates(many(CHAIN_CERTIFICATES_MAX + 1)), { code: "format" });
  });

  it("a ServerHello of SSL 2 with its suites", () => {
    assert.deepEqual(readSsl2Answer(SSL2_HELLO), { suites: [0x010080, 0x0700c0] });
  });
});

describe("an answer is refused", () => {
  const tooLong = message(2, new Uint8Array(0)).with(1, 0xff);
  const cases: readonly (readonly [string, Uint8Array])[] = [
    ["another protocol", new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n")],
    ["a record of no length", bytesOf("16 0303 0000")],
    ["a record over its bound", bytesOf("16 0303 4001")],
    ["another message first", record(message(11, bytesOf("000000")))],
    ["a message that announces 16 MB", record(tooLong)],
    ["compression", record(message(2, bytesOf("0303", "11".repeat(32), "00", "c02f", "01")))],
    ["an unknown version", record(message(2, bytesOf("0309", "11".repeat(32), "00", "c02f", "00")))],
    ["a session id over 32 bytes", record(message(2, bytesOf("0303", "11".repeat(32), "21", "22".repeat(33), "c02f", "00")))],
    ["bytes after the extensions", record(hello("11".repeat(32), "0000 00"))],
    ["an alert of an unknown level", record(Uint8Array.of(7, 40), 21)],
    ["more bytes than an answer may have", new Uint8Array(ANSWER_BYTES_MAX + 1).fill(22)],
  ];
  for (const [name, bytes] of cases) it(name, () => assert.throws(() => readServerAnswer(bytes), { name: "Fault", code: "format" }));

  it("SSL 2: suites that are no whole ones, and lengths that do not add up", () => {
    for (const at of [6, 8, 10, 12]) assert.throws(() => readSsl2Answer(SSL2_HELLO.with(at, (SSL2_HELLO[at] as number) + 1)), { code: "format" }, String(at));
  });
});

describe("a hostile answer causes a fault or a result, and nothing else", () => {
  const check = (bytes: Uint8Array): void => {
    for (const read of READERS) {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(isFault(error, "format"), `${read.name}: ${error}`);
      }
    }
  };

  async function realAnswers(): Promise<Uint8Array[]> {
    using bench = new WeakBench();
    using server = await bench.openssl(bench.selfSigned("-newkey", "rsa:2048", "-days", "2"), "-cipher", ALL_SUITES);
    const random = createSystemRandom();
    const hellos = [
      ...[0x0301, 0x0303, 0x0304].map((wireVersion) => encodeClientHello({ wireVersion, suites: [0x002f, 0xc02f, 0x1301], serverName: "localhost", random })),
      encodeClientHello({ wireVersion: 0x0303, suites: [0x0003], random }),
      encodeSsl2ClientHello(random),
    ];
    const answers: Uint8Array[] = [];
    for (const bytes of hellos) {
      const signal = AbortSignal.timeout(1000);
      const answer = await dialNode({ host: "127.0.0.1", port: server.port, bytes, bytesMax: FLIGHT_BYTES_MAX, isEnough: (got) => got.length > 700, signal });
      answers.push(answer.bytes);
    }
    assert.deepEqual(
      answers.slice(0, 4).map((answer) => readServerAnswer(answer)?.kind),
      ["hello", "hello", "hello", "alert"],
    );
    assert.equal(readCertificates(answers[1] as Uint8Array)?.length, 1);
    return answers;
  }

  it("cut at every byte: no answer before it is whole", () => {
    for (const whole of [record(hello()), record(hello(RETRY, "0006 002b 0002 0304"))]) {
      for (let length = 0; length < whole.length; length++) assert.equal(readServerAnswer(whole.subarray(0, length)), null, `${length} bytes`);
    }
    for (let length = 0; length < SSL2_HELLO.length; length++) assert.equal(readSsl2Answer(SSL2_HELLO.subarray(0, length)), null, `${length} bytes`);
    const flight = record(concatBytes(hello(), certificates(new Uint8Array(300))));
    for (let length = 0; length < flight.length; length++) assert.equal(readCertificates(flight.subarray(0, length)), null, `${length} bytes`);
  });

  it("real answers of openssl, cut at every byte and changed at random 2,000 times", { skip: SKIP_OPENSSL, timeout: 60_000 }, async () => {
    const seed = 20_260_101;
    const random = createSeededRandom(seed);
    const answers = [...(await realAnswers()), SSL2_HELLO, record(hello(RETRY, "0006 002b 0002 0304"))].filter((answer) => answer.length > 0);
    for (const answer of answers) for (let length = 0; length <= answer.length; length++) check(answer.subarray(0, length));
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.from(random.pick(answers));
      for (let change = random.below(8); change >= 0; change--) bytes[random.below(Math.min(bytes.length, 200))] = random.below(256);
      check(bytes.subarray(0, random.below(4) === 0 ? random.below(bytes.length + 1) : bytes.length));
      check(random.bytes(random.below(100)));
    }
  });
});
