import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import type { DialRequest } from "./dial.ts";
import { dialNode } from "./dial-node.ts";

async function withServer(onSocket: (socket: Socket) => void, work: (request: DialRequest) => Promise<void>): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const never = new AbortController().signal;
  await work({ host: "127.0.0.1", port, bytes: Uint8Array.of(1, 2), bytesMax: 4000, isEnough: () => false, signal: never });
  server.close();
}

describe("dialling", { timeout: 20_000 }, () => {
  it("sends the bytes and ends when enough has come", () =>
    withServer(
      (socket) => socket.on("data", (data) => socket.write(data)),
      async (request) => {
        assert.deepEqual(await dialNode({ ...request, isEnough: (got) => got.length === 2 }), { end: "enough", bytes: Uint8Array.of(1, 2) });
      },
    ));

  it("keeps no more bytes than asked for", () =>
    withServer(
      (socket) => void socket.write(new Uint8Array(100_000)),
      async (request) => {
        const { end, bytes } = await dialNode(request);
        assert.deepEqual([end, bytes.length], ["full", 4000]);
      },
    ));

  it("does not put up with an answer byte by byte", () =>
    withServer(
      (socket) => {
        socket.setNoDelay(true);
        const drip = setInterval(() => socket.write("x"), 1);
        socket.on("close", () => clearInterval(drip));
      },
      async (request) => {
        const { end, bytes } = await dialNode(request);
        assert.ok(end === "full" && bytes.length < 4000, `${end} ${bytes.length}`);
      },
    ));

  it("tells hanging up, silence at the deadline, and no connection apart", async () => {
    let port = 0;
    await withServer(
      (socket) => socket.destroy(),
      async (request) => {
        port = request.port;
        assert.equal((await dialNode(request)).end, "closed");
      },
    );
    await withServer(
      () => undefined,
      async (request) => assert.equal((await dialNode({ ...request, signal: AbortSignal.timeout(100) })).end, "silent"),
    );
    const gone = { host: "127.0.0.1", port, bytes: Uint8Array.of(1), bytesMax: 1, isEnough: () => false };
    assert.equal((await dialNode({ ...gone, signal: new AbortController().signal })).end, "unreachable");
    assert.equal((await dialNode({ ...gone, signal: AbortSignal.abort() })).end, "silent");
  });
});
