/** Connections that hold a server up: each does a little and then nothing, or drips a byte at a time. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { createSystemRandom } from "@holdfast/base/node";
import { contentDigest, signRequest } from "@holdfast/protocol";
import { testId } from "@holdfast/testkit";
import type { HandMadeDevice } from "./hand-made-device.ts";

export interface SlowOptions {
  readonly port: number;
  readonly device: HandMadeDevice;
  /** Target of a GET whose answer is larger than what sockets buffer. */
  readonly largeTarget: string;
}

export interface SlowConnection extends Disposable {
  /** Resolves when the server has closed the connection, with the bytes it sent; rejects when it is open after `limitMs`. */
  closed(limitMs: number): Promise<number>;
}

const DRIP_MS = 500;
/** Longer than the node waits for a reader. What came until then must not be all. */
const UNREAD_MS = 27_000;

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
    socket.write(signedHead(options, "POST", "/v1/vaults", { "content-length": "16777216", "content-digest": contentDigest(testId("a body")) }));
    return watched(socket, () => socket.write("a"));
  },
  /** Asks for a large answer and does not read it. */
  async answer(options) {
    const socket = await secure(options);
    socket.write(signedHead(options, "GET", options.largeTarget, {}));
    socket.pause();
    const connection = watched(socket);
    setTimeout(() => socket.resume(), UNREAD_MS);
    return connection;
  },
} as const satisfies Record<string, (options: SlowOptions) => Promise<SlowConnection>>;

export type SlowKind = keyof typeof SLOW_KINDS;

function signedHead({ device, port }: SlowOptions, method: string, target: string, more: Record<string, string>): string {
  const authority = `localhost:${port}`;
  const headers: Record<string, string> = { host: authority, "holdfast-version": "1", ...more };
  const signature = signRequest({ method, authority, target, headers }, device.key.deviceId, Date.now(), createSystemRandom().bytes(16), (base) =>
    device.key.sign("request", base),
  );
  const lines = Object.entries({ ...headers, ...signature }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

function secure({ port, device }: SlowOptions): Promise<TLSSocket> {
  const { rootPem, identity } = device;
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "localhost", port, ca: rootPem, cert: identity.cert, key: identity.key, ALPNProtocols: ["http/1.1"] }, () =>
      resolve(socket),
    );
    socket.once("error", reject);
  });
}

function watched(socket: Socket, drip?: () => void): SlowConnection {
  const startedMs = performance.now();
  const timer = drip === undefined ? null : setInterval(drip, DRIP_MS);
  const ended = Promise.withResolvers<void>();
  let byteCount = 0;
  socket.on("error", () => ended.resolve()).on("end", () => ended.resolve());
  socket.on("close", () => ended.resolve());
  socket.on("data", (data: Uint8Array) => {
    byteCount += data.length;
  });
  void ended.promise.then(() => timer !== null && clearInterval(timer));
  return {
    async closed(limitMs) {
      const late = Promise.withResolvers<never>();
      const deadline = setTimeout(() => late.reject(new Error(`still open after ${limitMs} ms`)), Math.max(0, limitMs - (performance.now() - startedMs)));
      await Promise.race([ended.promise, late.promise]).finally(() => clearTimeout(deadline));
      return byteCount;
    },
    [Symbol.dispose]() {
      ended.resolve();
      socket.destroy();
    },
  };
}
