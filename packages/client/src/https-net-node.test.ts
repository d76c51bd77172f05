import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { describe, it } from "node:test";
import type { TlsOptions } from "node:tls";
import { type Bytes, Fault, type FaultCode, type Net, type NetRequest, utf8, utf8ToText } from "@holdfast/base";
import { createSeededRandom } from "@holdfast/testkit";
import { dialRuntime, dialTls } from "./dial-policy.ts";
import { createHttpsNet, type HttpsNetOptions } from "./https-net-node.ts";
import { createTestPki } from "./testing/certificates.ts";
import { type RawExchange, startRawServer } from "./testing/raw-server.ts";
import { startSlowWire } from "./testing/slow-wire.ts";

const BYTES_MAX = 1_000_000;
const MIB = 1024 * 1024;
const pki = await createTestPki();
const serverTls = await pki.server();
const otherPki = await createTestPki();

function get(target = "/"): NetRequest {
  return { method: "GET", target, headers: {}, body: [] };
}

function post(...parts: readonly Uint8Array[]): NetRequest {
  const byteCount = parts.reduce((sum, part) => sum + part.length, 0);
  return { method: "POST", target: "/", headers: { "content-length": String(byteCount) }, body: parts };
}

function connect(server: { readonly port: number }, change: Partial<HttpsNetOptions> = {}): Net {
  return createHttpsNet({ host: "localhost", port: server.port, rootPem: pki.rootPem, ...change });
}

function answerOk(exchange: RawExchange): void {
  exchange.answer(utf8("ok"));
}

async function rejects(promise: Promise<unknown>, code: FaultCode, message?: RegExp): Promise<Fault> {
  const error = await promise.then(
    () => assert.fail(`resolved, want a fault ${code}`),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof Fault, String(error));
  assert.equal(error.code, code, error.message);
  if (message !== undefined) assert.match(error.message, message);
  return error;
}

/** One GET to a server with `tls`: what it fails with, and how many requests the server saw. */
async function refusedBy(tls: TlsOptions, code: FaultCode, change: Partial<HttpsNetOptions> = {}): Promise<Fault> {
  await using server = await startRawServer(tls, answerOk);
  await using net = connect(server, change);
  const fault = await rejects(net.exchange(get(), BYTES_MAX), code);
  assert.equal(server.exchanges.length, 0, "nothing was sent");
  return fault;
}

describe("https net: who is at the other end", () => {
  it("sends to a server under our root, by name and by address", async () => {
    await using server = await startRawServer(serverTls, answerOk);
    for (const host of ["localhost", "127.0.0.1"]) {
      await using net = connect(server, { host });
      const answer = await net.exchange(get("/a?b=c"), BYTES_MAX);
      assert.equal(answer.status, 200);
      assert.equal(utf8ToText(answer.body), "ok");
    }
    assert.deepEqual(
      server.exchanges.map(({ method, target }) => `${method} ${target}`),
      ["GET /a?b=c", "GET /a?b=c"],
    );
  });

  it("refuses a server under another root", async () => {
    await refusedBy(serverTls, "certificate", { rootPem: otherPki.rootPem });
  });

  it("refuses a server under another root of which nothing but the platform's store is known", async () => {
    await refusedBy(await otherPki.server(), "certificate");
  });

  it("refuses a certificate for another name, and for another address", async () => {
    await refusedBy(await pki.server(["other.example"]), "certificate");
    await refusedBy(await pki.server(["127.0.0.2"]), "certificate", { host: "127.0.0.1" });
  });

  it("does not let the host header choose the name that is checked", async () => {
    await using server = await startRawServer(await pki.server(["other.example"]), answerOk);
    for (const host of ["localhost", "127.0.0.1"]) {
      await using net = connect(server, { host });
      await rejects(net.exchange({ ...get(), headers: { host: "other.example" } }, BYTES_MAX), "certificate");
    }
    assert.equal(server.exchanges.length, 0);
  });

  it("refuses an expired server certificate", async () => {
    await refusedBy(await pki.server(["localhost"], 95), "certificate");
  });

  it("refuses a server that speaks TLS 1.2 only, unless told otherwise", async () => {
    const tls: TlsOptions = { ...serverTls, maxVersion: "TLSv1.2" };
    await refusedBy(tls, "transport");
    await using server = await startRawServer(tls, answerOk);
    await using net = connect(server, { tls: dialTls("intermediate", dialRuntime()) });
    assert.equal((await net.exchange(get(), BYTES_MAX)).status, 200);
  });

  it("accepts any certificate when told to, for the root that is pinned", async () => {
    await using server = await startRawServer(await otherPki.server(["other.example"], 95), answerOk);
    await using net = connect(server, { unverified: true, rootPem: "" });
    assert.equal((await net.exchange(get(), BYTES_MAX)).status, 200);
  });
});

describe("https net: client certificate", () => {
  const demanding: TlsOptions = { ...serverTls, ca: pki.rootPem, requestCert: true, rejectUnauthorized: true };

  it("shows its certificate to a server that demands one", async () => {
    await using server = await startRawServer(demanding, answerOk);
    await using net = connect(server, { identity: await pki.client() });
    assert.equal((await net.exchange(get(), BYTES_MAX)).status, 200);
    assert.equal(server.exchanges[0]?.socket.authorized, true);
  });

  it("fails as certificate without one", async () => {
    await refusedBy(demanding, "certificate");
  });
});

describe("https net: requests on the wire", () => {
  it("has content-length as given and never transfer-encoding", async () => {
    await using server = await startRawServer(serverTls, async (exchange) => {
      await exchange.body();
      exchange.answer(utf8("ok"));
    });
    await using net = connect(server);
    await net.exchange(get(), BYTES_MAX);
    await net.exchange(post(), BYTES_MAX);
    await net.exchange(post(utf8("abc"), utf8("de")), BYTES_MAX);
    await net.exchange({ ...get(), method: "DELETE" }, BYTES_MAX);
    assert.deepEqual(
      server.exchanges.map(({ headers }) => [headers["content-length"], headers["transfer-encoding"]]),
      [
        [undefined, undefined],
        ["0", undefined],
        ["5", undefined],
        [undefined, undefined],
      ],
    );
  });

  it("sends the host header and all others as given", async () => {
    await using server = await startRawServer(serverTls, answerOk);
    await using net = connect(server);
    await net.exchange({ ...get(), headers: { host: "localhost:1234", "holdfast-version": "1", range: "bytes=0-1" } }, BYTES_MAX);
    const headers = server.exchanges[0]?.headers ?? {};
    assert.deepEqual([headers.host, headers["holdfast-version"], headers.range], ["localhost:1234", "1", "bytes=0-1"]);
  });

  it("sends a body of megabytes in parts over shared and over own memory, unchanged", async () => {
    let received: Bytes | undefined;
    await using server = await startRawServer(serverTls, async (exchange) => {
      received = await exchange.body();
      exchange.answer(received);
    });
    await using net = connect(server);
    const bytes = createSeededRandom(1).bytes(3 * MIB + 5);
    const shared = new Uint8Array(new SharedArrayBuffer(4 * MIB), 100, 2 * MIB + 3);
    shared.set(bytes.subarray(0, shared.length));
    const own = bytes.subarray(shared.length);
    const answer = await net.exchange(post(shared, own), 4 * MIB);
    assert.ok(equal(received, bytes), "the server has what was sent");
    assert.ok(equal(answer.body, bytes), "and we have what it answered");
  });

  it("gives headers of the answer in lower case, and bodies over memory of their own", async () => {
    await using server = await startRawServer(serverTls, (exchange) => exchange.answer(utf8("no"), "404 Not Found\r\nRetry-After: 7"));
    await using net = connect(server);
    const answer = await net.exchange(get(), BYTES_MAX);
    assert.equal(answer.status, 404);
    assert.equal(answer.headers["retry-after"], "7");
    assert.equal(answer.body.constructor, Uint8Array);
  });

  it("takes an answer of exactly the allowed length", async () => {
    await using server = await startRawServer(serverTls, (exchange) => exchange.answer(new Uint8Array(1000)));
    await using net = connect(server);
    assert.equal((await net.exchange(get(), 1000)).body.length, 1000);
  });
});

describe("https net: connections", () => {
  it("uses a connection again, and no more than it may at a time", async () => {
    await using server = await startRawServer(serverTls, async (exchange) => {
      await exchange.body();
      exchange.answer(utf8("ok"));
    });
    await using net = connect(server, { connectionsMax: 2 });
    for (let count = 0; count < 5; count++) await net.exchange(post(utf8("abc")), BYTES_MAX);
    assert.equal(server.connectionCount, 1);
    await Promise.all(Array.from({ length: 8 }, () => net.exchange(post(new Uint8Array(100_000)), BYTES_MAX)));
    assert.equal(server.exchanges.length, 13);
    assert.ok(server.connectionCount <= 2, `${server.connectionCount} connections`);
  });

  it("closes its connections when it is closed, and ends what is under way", async () => {
    const arrived = createSignal();
    await using server = await startRawServer(serverTls, () => arrived.fire());
    const net = connect(server);
    const waiting = rejects(net.exchange(get(), BYTES_MAX), "transport", /closed/);
    await arrived.fired;
    await net[Symbol.asyncDispose]();
    await waiting;
    await server.allClosed();
  });

  it("closes idle connections when it is closed", async () => {
    await using server = await startRawServer(serverTls, answerOk);
    const net = connect(server);
    await net.exchange(get(), BYTES_MAX);
    assert.equal(server.openCount, 1);
    await net[Symbol.asyncDispose]();
    await server.allClosed();
  });

  it("dials again after the server has closed an idle connection", async () => {
    await using server = await startRawServer(serverTls, answerOk);
    await using net = connect(server);
    await net.exchange(get(), BYTES_MAX);
    server.exchanges[0]?.socket.end();
    await server.allClosed();
    assert.equal((await net.exchange(get(), BYTES_MAX)).status, 200);
    assert.equal(server.connectionCount, 2);
  });
});

describe("https net: failures on the way", () => {
  it("fails as transport when nothing listens", async () => {
    const port = await closedPort();
    await using net = connect({ port });
    const fault = await rejects(net.exchange(get(), BYTES_MAX), "transport");
    assert.equal(fault.detail.errno, "ECONNREFUSED");
    assert.match(fault.message, new RegExp(`localhost:${port}`));
  });

  it("fails as transport when the peer speaks no TLS", async () => {
    const plain = createTcpServer((socket) => socket.on("error", () => {}).end("SSH-2.0-something\r\n")).listen(0, "127.0.0.1");
    await once(plain, "listening");
    await using net = connect(plain.address() as AddressInfo);
    await rejects(net.exchange(get(), BYTES_MAX), "transport");
    plain.close();
  });

  it("fails as transport when the connection ends before the answer", async () => {
    await using server = await startRawServer(serverTls, ({ socket }) => void socket.destroy());
    await using net = connect(server);
    await rejects(net.exchange(get(), BYTES_MAX), "transport");
  });

  it("fails as transport when the connection ends within the answer, in order or not", async () => {
    for (const end of ["end", "destroy"] as const) {
      await using server = await startRawServer(serverTls, ({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", () => socket[end]());
      });
      await using net = connect(server);
      await rejects(net.exchange(get(), BYTES_MAX), "transport");
    }
  });

  it("fails as transport when a chunked answer lacks its end", async () => {
    await using server = await startRawServer(serverTls, ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", () => socket.end());
    });
    await using net = connect(server);
    await rejects(net.exchange(get(), BYTES_MAX), "transport");
  });

  it("fails as transport when the answer is not HTTP", async () => {
    await using server = await startRawServer(serverTls, ({ socket }) => void socket.end("220 mail.example ESMTP\r\n"));
    await using net = connect(server);
    await rejects(net.exchange(get(), BYTES_MAX), "transport");
  });

  it("fails as limit when the answer says that it is too long, and when it only is", async () => {
    const text = "x".repeat(1001);
    for (const rest of [`content-length: 1001\r\n\r\n${text}`, `content-length: 1001\r\n\r\n`, `transfer-encoding: chunked\r\n\r\n3e9\r\n${text}\r\n`]) {
      await using server = await startRawServer(serverTls, ({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${rest}`));
      await using net = connect(server, { stallMs: 5_000 });
      await rejects(net.exchange(get(), 1000), "limit");
      await server.allClosed();
    }
  });
});

describe("https net: time", () => {
  it("gives up on a server that stalls: before the handshake, before the answer, within it", async () => {
    const silent = createTcpServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
    await once(silent, "listening");
    await using toSilent = connect(silent.address() as AddressInfo, { stallMs: 150 });
    await rejects(toSilent.exchange(get(), BYTES_MAX), "transport", /no progress for 0.15 s/);
    silent.close();
    for (const begin of ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"]) {
      await using server = await startRawServer(serverTls, ({ socket }) => void (begin !== "" && socket.write(begin)));
      await using net = connect(server, { stallMs: 150 });
      await rejects(net.exchange(get(), BYTES_MAX), "transport", /no progress for 0.15 s/);
      await server.allClosed();
    }
  });

  it("gives up on a server that stops reading the body", async () => {
    await using server = await startRawServer(serverTls, () => new Promise(() => {}));
    await using net = connect(server, { stallMs: 300 });
    await rejects(net.exchange(post(new Uint8Array(32 * MIB)), BYTES_MAX), "transport", /no progress/);
  });

  it("does not give up on a slow answer that goes on", async () => {
    await using server = await startRawServer(serverTls, async ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n");
      for (let count = 0; count < 14; count++) {
        await pause(100);
        socket.write("x");
      }
    });
    await using net = connect(server, { stallMs: 1_000 });
    assert.equal((await net.exchange(get(), BYTES_MAX)).body.length, 14);
  });

  it("does not give up on a slow upload that goes on", async () => {
    await using server = await startRawServer(serverTls, async (exchange) => exchange.answer(utf8(String((await exchange.body()).length))));
    // Half a MiB every 60 ms, so that it takes twice as long as a stall may; the rest at once, since what is in the system's buffers tells of no progress.
    let pauseCount = 0;
    await using wire = await startSlowWire(server.port, async (byteCount) => {
      for (; pauseCount < Math.min(byteCount, 16 * MIB) / (MIB / 2); pauseCount++) await pause(60);
    });
    await using net = connect(wire, { stallMs: 900 });
    const answer = await net.exchange(post(new Uint8Array(24 * MIB)), BYTES_MAX);
    assert.equal(utf8ToText(answer.body), String(24 * MIB));
    assert.equal(pauseCount, 32);
  });

  it("does not count waiting for a free connection as a stall", async () => {
    await using server = await startRawServer(serverTls, async (exchange) => {
      await pause(100);
      exchange.answer(utf8("ok"));
    });
    await using net = connect(server, { connectionsMax: 1, stallMs: 1_000 });
    const answers = await Promise.all(Array.from({ length: 14 }, () => net.exchange(get(), BYTES_MAX)));
    assert.equal(answers.length, 14);
  });

  it("stops when its signal says so: before, while waiting, within the answer", async () => {
    const arrived = createSignal();
    await using server = await startRawServer(serverTls, ({ socket, target }) => {
      if (target === "/within") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
      arrived.fire();
    });
    await using net = connect(server);
    const reason = new Error("stopped by the user");
    const before = await rejects(net.exchange({ ...get(), signal: AbortSignal.abort(reason) }, BYTES_MAX), "transport", /given up/);
    assert.equal(before.cause, reason);
    assert.equal(server.connectionCount, 0);
    for (const target of ["/waiting", "/within"]) {
      arrived.reset();
      const controller = new AbortController();
      const running = rejects(net.exchange({ ...get(target), signal: controller.signal }, BYTES_MAX), "transport", /given up/);
      await arrived.fired;
      controller.abort(reason);
      assert.equal((await running).cause, reason);
      await server.allClosed();
    }
  });
});

describe("https net: an answer before the body has gone out", () => {
  it("is given at once, and the rest of the body stays here", async () => {
    const given = createSignal();
    await using server = await startRawServer(serverTls, async (exchange) => {
      exchange.answer(utf8("busy"), "429 Too Many Requests");
      await given.fired;
      await exchange.body();
    });
    await using wire = await startSlowWire(server.port, (byteCount) => (byteCount > MIB ? given.fired : Promise.resolve()));
    await using net = connect(wire, { stallMs: 5_000 });
    const answer = await net.exchange(post(new Uint8Array(32 * MIB)), BYTES_MAX);
    assert.equal(answer.status, 429);
    assert.equal(utf8ToText(answer.body), "busy");
    given.fire();
    await wire.ended;
    assert.ok(wire.byteCount < 16 * MIB, `${wire.byteCount} bytes were sent`);
  });

  it("does not break the next request", async () => {
    await using server = await startRawServer(serverTls, async (exchange) => {
      exchange.answer(utf8(exchange.method), "200 OK");
      if (exchange.method === "POST") await exchange.body();
    });
    await using net = connect(server, { connectionsMax: 1 });
    for (let round = 0; round < 3; round++) {
      assert.equal(utf8ToText((await net.exchange(post(new Uint8Array(8 * MIB)), BYTES_MAX)).body), "POST");
      assert.equal(utf8ToText((await net.exchange(get(), BYTES_MAX)).body), "GET");
    }
  });
});

function equal(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left !== undefined && left.length === right.length && left.every((byte, index) => byte === right[index]);
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

/** Something to wait for, again after `reset`. */
function createSignal(): { fire(): void; reset(): void; readonly fired: Promise<void> } {
  let fire = (): void => {};
  let fired = new Promise<void>((resolve) => {
    fire = resolve;
  });
  return {
    fire: () => fire(),
    reset() {
      fired = new Promise<void>((resolve) => {
        fire = resolve;
      });
    },
    get fired() {
      return fired;
    },
  };
}

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
