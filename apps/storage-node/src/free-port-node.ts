/** A free port's number, for a listener that opens later. */
import { createServer } from "node:net";
import { Fault } from "@holdfast/base";

/** A TCP port of `host` that nobody listens on now. None, or no such address: `transport`. */
export function findFreePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (cause) => reject(new Fault("transport", `port: cannot listen on ${host}`, { cause })));
    server.listen(0, host, () => {
      const address = server.address();
      const port = address === null || typeof address === "string" ? 0 : address.port;
      server.close(() => resolve(port));
    });
  });
}
