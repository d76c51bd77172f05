/** Connections that hold a server up: each does a little and then nothing, or drips a byte at a time. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { TlsIdentity } from "../../../apps/storage-node/src/testing/test-client.ts";

export interface SlowOptions {
  readonly port: number;
  readonly rootPem: string;
  readonly identity: TlsIdentity;
}

export interface SlowConnection extends Disposable {
  /** Resolves when the server has closed the connection, with the time since it was made; rejects after `limitMs`. */
  closed(limitMs: number): Promise<number>;
}

const DRIP_MS = 500;

/** The five kinds. Every one of them is one that a server without deadlines keeps for ever. */
export const SLOW_KINDS = {
  /** Connects and says nothing. */
  async silent(options) {
    return watched(connectTcp(options.port, "127.0.0.1"));
  },
  /** Sends the beginning of a handshake and no more. */
  async handshake(options) {
    const socket = connectTcp(options.port, "127.0.0.1");
    socket.write(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03));
    return watched(socket);
  },
  /** Sends headers, a byte at a time. */
  async headers(options) {
    const socket = await secure(options);
    const text = "GET /v1/account HTTP/1.1\r\nhost: localhost\r\nx-padding: ";
    socket.write(text);
    return watched(socket, () => socket.write("a"));
  },
  /** Declares a body of 16 MiB and sends it a byte at a time. */
  async body(options) {
    const socket = await secure(options);
    socket.write("POST /v1/vaults HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cbor\r\ncontent-length: 16777216\r\n\r\n");
    return watched(socket, () => socket.write("a"));
  },
  /** Keeps a connection open between requests for ever, having asked once. */
  async idle(options) {
    const socket = await secure(options);
    socket.write("GET /v1/account HTTP/1.1\r\nhost: localhost\r\n\r\n");
    return watched(socket);
  },
} as const satisfies Record<string, (options: SlowOptions) => Promise<SlowConnection>>;

export type SlowKind = keyof typeof SLOW_KINDS;

function secure(options: SlowOptions): Promise<TLSSocket> {
  const { port, rootPem, identity } = options;
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "localhost", port, ca: rootPem, cert: identity.cert, key: identity.key, ALPNProtocols: ["http/1.1"] }, () => resolve(socket));
    socket.once("error", reject);
  });
}

function watched(socket: Socket, drip?: () => void): SlowConnection {
  const startedMs = performance.now();
  const timer = drip === undefined ? null : setInterval(drip, DRIP_MS);
  let endedMs: number | null = null;
  const waiting: (() => void)[] = [];
  const end = (): void => {
    if (timer !== null) clearInterval(timer);
    endedMs ??= performance.now() - startedMs;
    for (const resolve of waiting.splice(0)) resolve();
  };
  socket.on("error", end).on("end", end).on("close", end);
  socket.resume();
  return {
    closed: (limitMs) =>
      new Promise((resolve, reject) => {
        if (endedMs !== null) return resolve(endedMs);
        const deadline = setTimeout(() => reject(new Error(`still open after ${limitMs} ms`)), Math.max(0, limitMs - (performance.now() - startedMs)));
        waiting.push(() => {
          clearTimeout(deadline);
          resolve(endedMs as number);
        });
      }),
    [Symbol.dispose]() {
      end();
      socket.destroy();
    },
  };
}
