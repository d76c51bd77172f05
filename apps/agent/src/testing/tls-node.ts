/** A storage node's ports for tests: real TLS with a client certificate, a few routes, and the certificate that each request came with. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import { type Bytes, concatBytes, utf8, utf8ToText } from "@holdfast/base";

export interface TlsRequest {
  readonly method: string;
  readonly target: string;
  readonly body: Bytes;
  /** SHA-256 of the client certificate, as `AA:BB:…`; empty without one. */
  readonly certificate: string;
}

export interface TlsAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface TlsPort extends AsyncDisposable {
  readonly port: number;
  readonly requests: readonly TlsRequest[];
  /** TCP connections, also those whose handshake failed. */
  readonly connectionCount: number;
}

/** Serves on 127.0.0.1, at a free port or `portWanted`. `null` for an answer hangs up. */
export async function startTlsPort(tls: TlsOptions, answer: (request: TlsRequest) => Promise<TlsAnswer | null>, portWanted = 0): Promise<TlsPort> {
  const requests: TlsRequest[] = [];
  const open = new Set<TLSSocket>();
  let connectionCount = 0;
  const server: Server = createServer({ ALPNProtocols: ["http/1.1"], ...tls }, (socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
    serve(socket, async (request) => {
      requests.push(request);
      return answer(request);
    }).catch(() => socket.destroy());
  });
  server.on("connection", () => connectionCount++);
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  server.listen(portWanted, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    get connectionCount() {
      return connectionCount;
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

async function serve(socket: TLSSocket, answer: (request: TlsRequest) => Promise<TlsAnswer | null>): Promise<void> {
  let pending: Bytes = new Uint8Array(0);
  for await (const part of socket as AsyncIterable<Uint8Array>) {
    pending = concatBytes(pending, part);
    for (let found = takeRequest(pending, socket); found !== null; found = takeRequest(pending, socket)) {
      pending = found.rest;
      const given = await answer(found.request);
      if (given === null) return void socket.destroy();
      socket.write(utf8(`HTTP/1.1 ${given.status} x\r\ncontent-length: ${given.body.length}\r\ndate: Mon, 01 Jun 2026 00:00:00 GMT\r\n\r\n`));
      socket.write(given.body);
    }
  }
}

function takeRequest(bytes: Bytes, socket: TLSSocket): { readonly request: TlsRequest; readonly rest: Bytes } | null {
  const text = utf8ToText(bytes.map((byte) => (byte < 0x80 ? byte : 0x3f))) ?? "";
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [method = "", target = ""] = text.split(" ", 2);
  const bodyBytes = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end))?.[1] ?? 0);
  const bodyStart = end + 4;
  if (bytes.length < bodyStart + bodyBytes) return null;
  const certificate = socket.getPeerCertificate()?.fingerprint256 ?? "";
  return { request: { method, target, body: bytes.slice(bodyStart, bodyStart + bodyBytes), certificate }, rest: bytes.slice(bodyStart + bodyBytes) };
}
