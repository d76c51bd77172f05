/** For tests only: a TCP relay that takes the bytes of the dialling side at the pace a test sets. TLS servers of some runtimes read ahead without bound. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";

export interface SlowWire extends AsyncDisposable {
  readonly port: number;
  /** Bytes taken from the dialling side, TLS records and all. */
  readonly byteCount: number;
  /** Resolves once the dialling side has ended its first connection. */
  readonly ended: Promise<void>;
}

/** Relays to `port` on 127.0.0.1; `pace` is awaited after each piece and told how much has come. */
export async function startSlowWire(port: number, pace: (byteCount: number) => Promise<void>): Promise<SlowWire> {
  let byteCount = 0;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.on("error", () => near.destroy());
    near.on("close", () => far.destroy());
    far.on("error", () => near.destroy());
    far.pipe(near);
    relay(near, far).then(end, end);
  });
  const relay = async (near: AsyncIterable<Uint8Array>, far: { write(part: Uint8Array): unknown }): Promise<void> => {
    for await (const part of near) {
      byteCount += part.length;
      far.write(part);
      await pace(byteCount);
    }
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get byteCount() {
      return byteCount;
    },
    ended,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
