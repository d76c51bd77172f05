/**
 * For tests only: an HTTPS server written out over `node:tls`, so that a test decides about every byte and every end of a
 * connection, in the same way in every runtime.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { type Bytes, joinBytes, utf8, utf8ToText } from "@holdfast/base";

/** A request whose head has come. */
export interface RawExchange {
  readonly method: string;
  readonly target: string;
  /** Lower-case names, values as sent. */
  readonly headers: Readonly<Record<string, string>>;
  /** Which connection it came on, from 0. */
  readonly connection: number;
  readonly socket: TLSSocket;
  body(): Promise<Bytes>;
  /** Sends an answer with its length; `status` may carry headers after it, each behind a line break. */
  answer(body: Uint8Array, status?: string): void;
}

export interface RawServer extends AsyncDisposable {
  readonly port: number;
  readonly exchanges: readonly RawExchange[];
  readonly connectionCount: number;
  readonly openCount: number;
  /** Resolves once no connection is open. */
  allClosed(): Promise<void>;
}

/** Serves on 127.0.0.1. Connections that fail, in the handshake or later, are only counted. */
export async function startRawServer(tls: TlsOptions, handle: (exchange: RawExchange) => Promise<void> | void): Promise<RawServer> {
  const exchanges: RawExchange[] = [];
  const open = new Set<TLSSocket>();
  let connectionCount = 0;
  let onClosed = (): void => {};
  const server = createServer({ ALPNProtocols: ["http/1.1"], ...tls }, (socket) => {
    const connection = connectionCount++;
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      open.delete(socket);
      if (open.size === 0) onClosed();
    });
    serve(socket, connection, async (exchange) => {
      exchanges.push(exchange);
      await handle(exchange);
    }).catch(() => socket.destroy());
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    exchanges,
    get connectionCount() {
      return connectionCount;
    },
    get openCount() {
      return open.size;
    },
    allClosed: () =>
      new Promise((resolve) => {
        onClosed = resolve;
        if (open.size === 0) resolve();
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

async function serve(socket: TLSSocket, connection: number, handle: (exchange: RawExchange) => Promise<void>): Promise<void> {
  const input = (socket as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let held: Bytes = new Uint8Array(0);
  const more = async (): Promise<boolean> => {
    const next = await input.next();
    if (next.done === true) return false;
    held = joinBytes([held, next.value]);
    return true;
  };
  while (true) {
    let end = -1;
    while (end === -1) {
      end = headEnd(held);
      if (end === -1 && !(await more())) return;
    }
    const [first = "", ...lines] = (utf8ToText(held.subarray(0, end)) ?? "").split("\r\n");
    held = held.slice(end + 4);
    const [method = "", target = ""] = first.split(" ");
    const headers: Record<string, string> = {};
    for (const line of lines) headers[line.slice(0, line.indexOf(":")).toLowerCase()] = line.slice(line.indexOf(":") + 1).trim();
    await handle({
      method,
      target,
      headers,
      connection,
      socket,
      async body() {
        const byteCount = Number(headers["content-length"] ?? 0);
        const parts: Bytes[] = [];
        let got = 0;
        while (got < byteCount) {
          if (held.length === 0 && !(await more())) throw new Error("connection ended within a body");
          parts.push(held.slice(0, byteCount - got));
          held = held.slice((parts.at(-1) as Bytes).length);
          got += (parts.at(-1) as Bytes).length;
        }
        return joinBytes(parts);
      },
      answer(body, status = "200 OK") {
        socket.write(joinBytes([utf8(`HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n\r\n`), body]));
      },
    });
  }
}

/** Where the empty line begins, or -1. */
function headEnd(bytes: Uint8Array): number {
  for (let index = 0; index + 3 < bytes.length; index++) {
    if (bytes[index] === 13 && bytes[index + 1] === 10 && bytes[index + 2] === 13 && bytes[index + 3] === 10) return index;
  }
  return -1;
}
