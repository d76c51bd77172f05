/**
 * A node port of its own process whose handler does not read until it is told to: for measuring memory from outside.
 * Standard input: one JSON line with the TLS material. Standard output: one JSON line with the port.
 * `POST /` answers with the byte count, but reads only after `GET /go`; `GET /rss` answers with the resident bytes.
 */
import { text as readAll } from "node:stream/consumers";
import { createSystemClock } from "@holdfast/base/node";
import { GUARD_LIMITS } from "../guard.ts";
import { createTlsServer, type TlsMaterial } from "../tls-server.ts";

const systemClock = createSystemClock();

const go = Promise.withResolvers<void>();
const material = JSON.parse(await readAll(process.stdin)) as TlsMaterial;
const server = createTlsServer({
  profile: { minVersion: "TLSv1.3", maxVersion: "TLSv1.3" },
  material,
  demandClientCertificate: true,
  clock: systemClock,
  limits: GUARD_LIMITS,
  handler: async (request, response) => {
    if (request.url === "/go") {
      go.resolve();
      response.end();
    } else if (request.url === "/rss") {
      response.end(String(process.memoryUsage.rss()));
    } else {
      await go.promise;
      let byteCount = 0;
      for await (const data of request) byteCount += (data as Uint8Array).length;
      response.end(String(byteCount));
    }
  },
});
process.stdout.write(`${JSON.stringify({ port: await server.listen("127.0.0.1", 0) })}\n`);
