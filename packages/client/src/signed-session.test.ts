import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, type Net, type NetRequest, type NetResponse, utf8 } from "@holdfast/base";
import { contentDigest, encodeFault, encodeMessage, MESSAGE_BYTES_MAX, parseRequestSignature } from "@holdfast/protocol";
import { createFakeClock, createFaultNet, createSeededRandom, type FaultNet, testKey, testVerifier } from "@holdfast/testkit";
import { createSignedSession, type SessionOptions, type SignedSession } from "./signed-session.ts";

const KEY = testKey(7);
const NOW_MS = 1_760_000_000_123;
const OK: NetResponse = { status: 200, headers: {}, body: encodeMessage({}) };

function createSession(change: Partial<SessionOptions> = {}): { session: SignedSession; net: FaultNet; limits: number[] } {
  const limits: number[] = [];
  const inner: Net = {
    async exchange(_request, bytesMax) {
      limits.push(bytesMax);
      return OK;
    },
    async [Symbol.asyncDispose]() {},
  };
  const net = createFaultNet(inner);
  const session = createSignedSession({
    net,
    clock: createFakeClock(NOW_MS, true),
    random: createSeededRandom(1),
    host: "node.example",
    port: 8443,
    device: KEY.deviceId,
    sign: (base) => KEY.sign("request", base),
    sha256: (bytes) => testVerifier.sha256(bytes),
    ...change,
  });
  return { session, net, limits };
}

/** Headers that the signature of `request` covers, after it was verified. */
function covered(request: NetRequest): readonly string[] {
  const signature = parseRequestSignature({ ...request, authority: request.headers.host ?? "" });
  assert.ok(testVerifier.verify("request", KEY.publicKey, signature.base, signature.signature));
  assert.deepEqual(signature.device, KEY.deviceId);
  assert.equal(signature.createdMs, NOW_MS);
  return [...(/^hf=\(([^)]*)\)/.exec(request.headers["signature-input"] ?? "")?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(([, name]) => name as string);
}

const ALWAYS = ["@method", "@authority", "@path", "@query", "holdfast-version"];

describe("signed session: requests", () => {
  it("covers a request without a body", async () => {
    const { session, net } = createSession();
    await session.send({ method: "GET", target: "/v1/account?x=1" });
    const [request] = net.requests as [NetRequest];
    assert.deepEqual(covered(request), ALWAYS);
    assert.equal(request.headers.host, "node.example:8443");
    assert.equal(request.headers["holdfast-version"], "1");
    assert.equal(request.headers["content-length"], undefined);
    assert.equal(request.target, "/v1/account?x=1");
  });

  it("covers length and digest of a body in parts, range and lease", async () => {
    const { session, net } = createSession();
    await session.send({ method: "POST", target: "/x", body: [utf8("ab"), utf8("c")], headers: { range: "bytes=0-1", "holdfast-lease": "00" } });
    const [request] = net.requests as [NetRequest];
    assert.deepEqual(covered(request), [...ALWAYS, "content-length", "content-digest", "range", "holdfast-lease"]);
    assert.equal(request.headers["content-length"], "3");
    assert.equal(request.headers["content-type"], "application/cbor");
    assert.equal(request.headers["content-digest"], contentDigest(testVerifier.sha256(utf8("abc"))));
  });

  it("covers an empty body", async () => {
    const { session, net } = createSession();
    await session.send({ method: "POST", target: "/x", body: [] });
    const [request] = net.requests as [NetRequest];
    assert.deepEqual(covered(request), [...ALWAYS, "content-length", "content-digest"]);
    assert.equal(request.headers["content-digest"], contentDigest(testVerifier.sha256(new Uint8Array(0))));
  });

  it("does not hash a body that the digest of its record ids stands for", async () => {
    let hashCount = 0;
    const { session, net } = createSession({
      sha256(bytes) {
        hashCount++;
        return testVerifier.sha256(bytes);
      },
    });
    const body = [utf8("abc")];
    await session.send({ method: "POST", target: "/x", body, headers: { "holdfast-records": "sha-256=:x:", "content-type": "application/cbor-seq" } });
    const [request] = net.requests as [NetRequest];
    assert.equal(hashCount, 0);
    assert.deepEqual(covered(request), [...ALWAYS, "content-length", "holdfast-records"]);
    assert.equal(request.headers["content-type"], "application/cbor-seq");
    assert.equal(request.body, body, "the parts go through uncopied");
  });

  it("writes an IPv6 address in brackets", async () => {
    const { session, net } = createSession({ host: "::1" });
    await session.send({ method: "GET", target: "/" });
    const [request] = net.requests as [NetRequest];
    assert.equal(request.headers.host, "[::1]:8443");
    covered(request);
  });

  it("bounds the answer, by the request's own limit if it has one", async () => {
    const { session, limits } = createSession();
    await session.send({ method: "GET", target: "/" });
    await session.send({ method: "GET", target: "/", bytesMax: 77 });
    assert.deepEqual(limits, [MESSAGE_BYTES_MAX, 77]);
  });

  it("passes its signal on", async () => {
    const { session, net } = createSession();
    const controller = new AbortController();
    const reason = new Error("stopped");
    net.failAlways("stall");
    const running = assert.rejects(session.send({ method: "GET", target: "/", signal: controller.signal }), reason);
    controller.abort(reason);
    await running;
    assert.equal(net.requests.length, 1);
  });
});

describe("signed session: failures", () => {
  it("signs every try afresh", async () => {
    const { session, net } = createSession();
    net.failAt(0, "drop");
    net.failAt(1, "reset");
    assert.equal((await session.send({ method: "POST", target: "/x", body: [utf8("abc")] })).status, 200);
    assert.equal(net.requests.length, 3);
    const nonces = net.requests.map((request) => /nonce="([^"]+)"/.exec(request.headers["signature-input"] ?? "")?.[1]);
    assert.equal(new Set(nonces).size, 3);
    assert.equal(new Set(net.requests.map(({ headers }) => headers.signature)).size, 3);
    for (const { headers } of net.requests) assert.equal(headers["content-length"], "3");
  });

  it("throws the fault that an answer carries, with its detail, and does not repeat what it need not", async () => {
    const { session, net } = createSession();
    const fault = new Fault("conflict", "journal: someone was first", { detail: { seq: 4, head: "00ff" } });
    net.failAt(0, { status: 409, headers: {}, body: encodeFault(fault) });
    await assert.rejects(session.send({ method: "GET", target: "/" }), {
      name: "Fault",
      code: "conflict",
      message: "journal: someone was first",
      detail: { seq: 4, head: "00ff" },
    });
    assert.equal(net.requests.length, 1);
  });

  it("waits as a busy node asks", async () => {
    const delays: number[] = [];
    const { session, net } = createSession({ retry: { onRetry: (_fault, delayMs) => void delays.push(delayMs) } });
    net.failAt(0, { status: 429, headers: {}, body: encodeFault(new Fault("busy", "node: busy", { detail: { delayMs: 5_000 } })) });
    await session.send({ method: "GET", target: "/" });
    assert.equal(net.requests.length, 2);
    assert.ok((delays[0] as number) >= 5_000 && (delays[0] as number) <= 7_500, `${delays[0]}`);
  });

  it("takes answers that are no faults of ours for transport, within bounds", async () => {
    const bodies = [
      new Uint8Array(0),
      utf8("<html>502 Bad Gateway</html>"),
      encodeMessage({ code: "of-a-newer-node", message: "", retry: "never", detail: {} }),
    ];
    for (const body of bodies) {
      const { session, net } = createSession({ retry: { triesMax: 3 } });
      net.failAlways({ status: 502, headers: {}, body });
      await assert.rejects(session.send({ method: "GET", target: "/" }), { name: "Fault", code: "transport", message: /status 502/ });
      assert.equal(net.requests.length, 3);
    }
  });

  it("takes no redirect for a success", async () => {
    for (const status of [199, 300, 302]) {
      const { session, net } = createSession({ retry: { triesMax: 1 } });
      net.failAlways({ ...OK, status });
      await assert.rejects(session.send({ method: "GET", target: "/" }), { code: "transport" });
    }
  });
});
