import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { type Socket, connect as tcpConnect } from "node:net";
import { after, before, describe, it } from "node:test";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { bytesToHex } from "@holdfast/base";
import { createSystemClock } from "@holdfast/base/node";
import { GUARD_LIMITS, type GuardLimits } from "./guard.ts";
import type { RefusedHandshake } from "./refused-handshakes.ts";
import { createTestAuthority, type TestAuthority, type TestLeaf } from "./testing/certificates.ts";
import { createTlsServer, peerOf, type TlsMaterial, type TlsServer } from "./tls-server.ts";

const systemClock = createSystemClock();

const MODERN = { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" } as const;
const SHORT: GuardLimits = { ...GUARD_LIMITS, handshakeMsMax: 300, headersMsMax: 300, idleMsMax: 300, progressMsMax: 300, progressBytesMin: 1024 };

let authority: TestAuthority;
let serverLeaf: TestLeaf;
let clientLeaf: TestLeaf;

before(() => {
  authority = createTestAuthority("test root");
  serverLeaf = authority.issue("node", "serverAuth");
  clientLeaf = authority.issue("agent", "clientAuth");
});
after(() => authority[Symbol.dispose]());

function material(): TlsMaterial {
  return { certificateChain: serverLeaf.cert, privateKey: serverLeaf.key, authorities: authority.root };
}

async function startServer(
  limits: GuardLimits,
  onRequest?: Parameters<typeof createTlsServer>[0]["handler"],
  onRefused: (refused: RefusedHandshake) => void = () => undefined,
): Promise<{ server: TlsServer; port: number } & AsyncDisposable> {
  const handler: Parameters<typeof createTlsServer>[0]["handler"] = (request, response) => {
    let byteCount = 0;
    request.on("data", (data: Uint8Array) => {
      byteCount += data.length;
    });
    request.on("end", () => response.end(`${byteCount} ${peerOf(request.socket)?.spkiSha256Hex}`));
  };
  const server = createTlsServer({
    profile: MODERN,
    material: material(),
    demandClientCertificate: true,
    clock: systemClock,
    limits,
    onRefused,
    handler: onRequest ?? handler,
  });
  const port = await server.listen("127.0.0.1", 0);
  return { server, port, [Symbol.asyncDispose]: () => server.close(100) };
}

function send(port: number, leaf: TestLeaf | null, options: RequestOptions = {}, body = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const identity = leaf === null ? {} : { cert: leaf.cert, key: leaf.key };
    const outgoing = httpsRequest({ host: "127.0.0.1", port, ca: authority.root, agent: false, ...identity, ...options }, (response) => {
      let text = "";
      response.on("data", (data) => {
        text += String(data);
      });
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Opens a verified TLS connection and sends `text` on it. */
function openTls(port: number, text: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: "127.0.0.1", port, ca: authority.root, cert: clientLeaf.cert, key: clientLeaf.key, ALPNProtocols: ["http/1.1"] }, () => {
      if (text !== "") socket.write(text);
      resolve(socket);
    });
    socket.on("error", reject);
  });
}

/** Serial of the certificate that a fresh handshake shows. */
async function serialOf(port: number): Promise<string> {
  const socket = (await openTls(port, "")) as TLSSocket;
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}

/** Resolves to all that arrives until the other side closes. A connection left open fails by the test's own limit. */
function untilClosed(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (data) => {
      text += String(data);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

describe("TLS port: client certificates", () => {
  it("a valid client certificate is named by the hash of its public key", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const spki = new X509Certificate(clientLeaf.cert).publicKey.export({ type: "spki", format: "der" });
    const expected = bytesToHex(createHash("sha256").update(spki).digest());
    assert.equal(await send(running.port, clientLeaf, { method: "POST" }, "four"), `4 ${expected}`);
  });

  it("a handshake without a client certificate is refused", async () => {
    await using running = await startServer(GUARD_LIMITS);
    await assert.rejects(send(running.port, null));
  });

  it("a certificate of another root is refused", async () => {
    await using running = await startServer(GUARD_LIMITS);
    using stranger = createTestAuthority("other root");
    await assert.rejects(send(running.port, stranger.issue("agent", "clientAuth")));
  });

  it("a certificate of another root with the same name is refused", async () => {
    await using running = await startServer(GUARD_LIMITS);
    using stranger = createTestAuthority("test root");
    await assert.rejects(send(running.port, stranger.issue("agent", "clientAuth")));
  });

  it("an expired certificate is refused", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const expired = authority.issue("agent", "clientAuth", { notBefore: "20240101000000Z", notAfter: "20240201000000Z" });
    await assert.rejects(send(running.port, expired));
  });

  it("a server certificate is refused as a client's", async () => {
    await using running = await startServer(GUARD_LIMITS);
    await assert.rejects(send(running.port, serverLeaf));
  });

  it("a certificate of a revoked device gets its handshake: the session check answers it", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const lost = authority.issue("lost agent", "clientAuth");
    authority.revoke(lost);
    running.server.reload(material());
    assert.match(await send(running.port, lost), /^0 /);
  });

  it("every answer asks for strict transport for a year or more", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const socket = await openTls(running.port, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    const maxAge = /strict-transport-security: max-age=(\d+)/i.exec(await untilClosed(socket))?.[1];
    assert.ok(Number(maxAge) >= 31_536_000, maxAge);
  });

  it("a refused handshake is told with the peer's address and the reason", async () => {
    const told: RefusedHandshake[] = [];
    await using running = await startServer(GUARD_LIMITS, undefined, (refused) => told.push(refused));
    await assert.rejects(send(running.port, null));
    await assert.rejects(send(running.port, clientLeaf, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }));
    await assert.rejects(send(running.port, serverLeaf));
    await untilClosed(tcpConnect(running.port, "127.0.0.1").end("GET / HTTP/1.1\r\n\r\n"));
    assert.deepEqual(
      told.map(({ address, offered, reason }) => `${address} ${offered} ${reason}`),
      [
        "127.0.0.1 unknown ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE",
        "127.0.0.1 none of TLSv1.3 to TLSv1.3 ERR_SSL_UNSUPPORTED_PROTOCOL",
        "127.0.0.1 unknown INVALID_PURPOSE",
        "127.0.0.1 unknown ERR_SSL_HTTP_REQUEST",
      ],
    );
  });

  it("a reload keeps a request that is under way, and shows the new certificate to the next", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const slow = await openTls(running.port, "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 20000\r\n\r\n");
    const answer = untilClosed(slow);
    slow.write("x".repeat(10_000));
    const renewed = authority.issue("node", "serverAuth");
    running.server.reload({ ...material(), certificateChain: renewed.cert, privateKey: renewed.key });
    assert.equal(await serialOf(running.port), new X509Certificate(renewed.cert).serialNumber);
    slow.write("x".repeat(10_000));
    assert.match(await answer, /\r\n\r\n.*20000 /s);
  });

  it("TLS 1.2 is refused under a profile of TLS 1.3 only", async () => {
    await using running = await startServer(GUARD_LIMITS);
    await assert.rejects(send(running.port, clientLeaf, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }));
  });

  it("no session ticket is handed out, so a revoked certificate cannot resume", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const socket = await openTls(running.port, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let ticketCount = 0;
    socket.on("session", () => ticketCount++);
    assert.match(await untilClosed(socket), /^HTTP\/1\.1 200/);
    assert.equal(ticketCount, 0);
  });
});

describe("TLS port: hostile connections are closed", { timeout: 10_000 }, () => {
  it("silent after the TCP handshake", async () => {
    await using running = await startServer(SHORT);
    assert.equal(await untilClosed(tcpConnect(running.port, "127.0.0.1")), "");
  });

  it("idle after the TLS handshake", async () => {
    await using running = await startServer(SHORT);
    assert.equal(await untilClosed(await openTls(running.port, "")), "");
  });

  it("headers that never end", async () => {
    await using running = await startServer(SHORT);
    assert.equal(await untilClosed(await openTls(running.port, "GET / HTTP/1.1\r\nhost: a\r\nx: ")), "");
  });

  it("a body that never ends", async () => {
    await using running = await startServer(SHORT);
    assert.equal(await untilClosed(await openTls(running.port, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nabc")), "");
  });

  it("a body that trickles", async () => {
    await using running = await startServer(SHORT);
    const socket = await openTls(running.port, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n");
    const trickle = setInterval(() => socket.write("x"), 20);
    assert.equal(await untilClosed(socket), "");
    clearInterval(trickle);
  });

  it("idle after an answer", async () => {
    await using running = await startServer(SHORT);
    assert.match(await untilClosed(await openTls(running.port, "GET / HTTP/1.1\r\nhost: a\r\n\r\n")), /^HTTP\/1\.1 200/);
  });

  it("partial headers after an answer", async () => {
    await using running = await startServer({ ...SHORT, idleMsMax: 60_000 });
    const socket = await openTls(running.port, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    socket.once("data", () => socket.write("GET / HTTP/1.1\r\nhost: "));
    assert.match(await untilClosed(socket), /^HTTP\/1\.1 200/);
  });

  it("an answer that nobody reads", async () => {
    const closed = Promise.withResolvers<void>();
    await using running = await startServer(SHORT, (request, response) => {
      request.socket.once("close", () => closed.resolve());
      response.end(Buffer.alloc(64 << 20));
    });
    const socket = await openTls(running.port, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    socket.on("error", () => undefined);
    socket.pause();
    await closed.promise;
    socket.destroy();
  });

  it("more requests sent ahead than allowed", async () => {
    await using running = await startServer(GUARD_LIMITS, (_request, response) => void setTimeout(() => response.end(), 2000));
    const text = "GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(10);
    assert.doesNotMatch(await untilClosed(await openTls(running.port, text)), /200/);
  });

  it("headers of more than 16 KiB", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const answer = await untilClosed(await openTls(running.port, `GET / HTTP/1.1\r\nhost: a\r\nx: ${"x".repeat(17_000)}\r\n\r\n`));
    assert.doesNotMatch(answer, /200/);
  });

  it("a body under both content-length and chunked encoding", async () => {
    await using running = await startServer(GUARD_LIMITS);
    const answer = await untilClosed(
      await openTls(running.port, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    );
    assert.doesNotMatch(answer, /200/);
  });

  it("a connection above the limit of one peer", async () => {
    await using running = await startServer({ ...GUARD_LIMITS, connectionCountPerPeerMax: 2 });
    const first = await openTls(running.port, "");
    const second = await openTls(running.port, "");
    await assert.rejects(openTls(running.port, ""));
    first.destroy();
    second.destroy();
  });
});

describe("TLS port: slow but honest", { timeout: 10_000 }, () => {
  it("a body that keeps arriving outlives the deadline", async () => {
    await using running = await startServer(SHORT);
    const socket = await openTls(running.port, "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 20000\r\n\r\n");
    let sentBytes = 0;
    const drip = setInterval(() => {
      socket.write("x".repeat(2000));
      sentBytes += 2000;
      if (sentBytes === 20_000) clearInterval(drip);
    }, 80);
    assert.match(await untilClosed(socket), /\r\n\r\n.*20000 /s);
  });

  it("a handler slower than every deadline still answers", async () => {
    await using running = await startServer(SHORT, (_request, response) => void setTimeout(() => response.end("late"), 800));
    assert.equal(await send(running.port, clientLeaf, { method: "POST" }, "body"), "late");
  });

  it("an answer before the end of the body leaves the connection usable", async () => {
    await using running = await startServer(GUARD_LIMITS, (request, response) => {
      if (request.method === "POST") response.end("refused");
      else response.end("second");
    });
    const socket = await openTls(running.port, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3000000\r\n\r\n");
    socket.write(Buffer.alloc(3_000_000));
    socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    assert.match(await untilClosed(socket), /refused.*second/s);
  });

  it("close lets a running request finish", async () => {
    const started = Promise.withResolvers<void>();
    const running = await startServer(GUARD_LIMITS, (_request, response) => {
      started.resolve();
      setTimeout(() => response.end("finished"), 300);
    });
    const answer = send(running.port, clientLeaf);
    await started.promise;
    const closing = running.server.close(5000);
    assert.equal(await answer, "finished");
    await closing;
    await assert.rejects(send(running.port, clientLeaf));
  });
});
