/**
 * A TCP proxy that does what networks do: cuts at a byte, resets, stalls, slices. It sees TLS only, so nothing it does
 * may pass for data. Faults are for the direction agent → node unless they say otherwise.
 */
import { connect, createServer, type Socket } from "node:net";
import { Fault } from "@holdfast/base";

export interface NetworkFault {
  /** Closes both sides after so many bytes of a connection. */
  readonly cutAtByte?: number;
  /** As `cutAtByte`, by a reset. */
  readonly resetAtByte?: number;
  /** Passes nothing more on after so many bytes, and closes nothing. */
  readonly stallAtByte?: number;
  /** Passes pieces of at most so many bytes on, each in a write of its own. */
  readonly sliceBytes?: number;
  /** Connections that the fault hits; those after it pass whole. Default: every one. */
  readonly connectionCount?: number;
  /** Which way: "up" from the agent, "down" to it. Default: up. */
  readonly direction?: "up" | "down";
}

export class FaultProxy implements AsyncDisposable {
  readonly port: number;
  /** What happens to connections made from now on; `null`: nothing. */
  fault: NetworkFault | null = null;
  connectionCount = 0;
  faultCount = 0;
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port;
    this.#close = close;
  }

  /** Listens on any free port of loopback, and passes on to `targetPort`. */
  static async start(targetPort: number): Promise<FaultProxy> {
    const sockets = new Set<Socket>();
    let proxy: FaultProxy | null = null;
    const server = createServer((agentSide) => {
      const nodeSide = connect(targetPort, "127.0.0.1");
      for (const socket of [agentSide, nodeSide]) {
        sockets.add(socket);
        socket.setNoDelay(true);
        socket.on("error", () => undefined); // Told by "close".
        socket.on("close", () => sockets.delete(socket));
      }
      if (proxy !== null) proxy.#pass(agentSide, nodeSide);
    });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Fault("internal", "proxy: has no port");
    proxy = new FaultProxy(address.port, async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    return proxy;
  }

  #pass(agentSide: Socket, nodeSide: Socket): void {
    const { fault } = this;
    const hit = fault !== null && (fault.connectionCount === undefined || this.connectionCount < fault.connectionCount);
    this.connectionCount++;
    const applied = hit ? fault : {};
    const up = (applied.direction ?? "up") === "up";
    this.#pump(agentSide, nodeSide, up ? applied : {});
    this.#pump(nodeSide, agentSide, up ? {} : applied);
  }

  #pump(from: Socket, to: Socket, fault: NetworkFault): void {
    let byteCount = 0;
    let stalled = false;
    const end = fault.cutAtByte ?? fault.resetAtByte ?? fault.stallAtByte ?? Number.POSITIVE_INFINITY;
    from.on("data", (data: Uint8Array) => {
      if (stalled) return;
      const passed = data.subarray(0, Math.max(0, end - byteCount));
      byteCount += data.length;
      const slice = fault.sliceBytes ?? (passed.length || 1);
      let open = true;
      for (let offset = 0; offset < passed.length; offset += slice) open = to.write(passed.subarray(offset, offset + slice));
      if (byteCount >= end) {
        this.faultCount++;
        if (fault.stallAtByte !== undefined) stalled = true;
        else for (const socket of [from, to]) fault.resetAtByte === undefined ? socket.destroy() : socket.resetAndDestroy();
      } else if (!open) {
        from.pause();
        to.once("drain", () => from.resume());
      }
    });
    from.on("end", () => to.end());
    from.on("close", () => to.destroy());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
