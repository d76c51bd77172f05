/**
 * Net over `node:https`, the one client API that behaves alike under Node, Deno and Bun: HTTP/1.1 on a keep-alive pool,
 * client certificate, our root only. Foreign errors are translated here and nowhere else.
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { type Bytes, Fault, type Net, type NetRequest, type NetResponse } from "@holdfast/base";
import { CONNECTIONS_DEFAULT } from "@holdfast/protocol";

export interface HttpsNetOptions {
  readonly host: string;
  readonly port: number;
  /** PEM of the roots that the peer's chain must end in. */
  readonly rootPem: string;
  /** Accepts any certificate: only to fetch a root that is then compared with its pin (enroll.ts). */
  readonly unverified?: true;
  /** PEM of the client certificate with its chain, and of its key. Absent on the front port. */
  readonly identity?: { readonly certificatePem: string; readonly keyPem: string };
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly connectionsMax?: number;
  /** Longest time without any progress on a request. */
  readonly stallMs?: number;
  /** Last word on the peer's certificate, after chain, dates and name: an error refuses. */
  readonly checkPeer?: (certificateDer: Uint8Array) => Error | undefined;
}

/** Bodies go out in writes of this size: one `end` of megabytes would copy them whole into the TLS layer. */
const WRITE_BYTES = 256 * 1024;
const STALL_MS_DEFAULT = 60_000;

/** Codes by which the runtimes say that a certificate was not accepted, ours or theirs. */
const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|ERR_TLS_CERT|ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA)|HOSTNAME_MISMATCH/;

/** A pool to one storage node. Close it with `await using`. */
export function createHttpsNet(options: HttpsNetOptions): Net {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: options.connectionsMax ?? CONNECTIONS_DEFAULT,
    host: options.host,
    port: options.port,
    minVersion: options.minVersion ?? "TLSv1.3",
    ALPNProtocols: ["http/1.1"],
    ...(options.unverified ? { rejectUnauthorized: false } : { ca: options.rootPem, rejectUnauthorized: true }),
    ...(options.identity === undefined ? {} : { cert: options.identity.certificatePem, key: options.identity.keyPem }),
  });
  return {
    exchange: (request, bytesMax) => exchange(agent, options, request, bytesMax),
    [Symbol.asyncDispose]: async () => agent.destroy(),
  };
}

function exchange(agent: Agent, options: HttpsNetOptions, request: NetRequest, bytesMax: number): Promise<NetResponse> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(translate(error, options));
    const outgoing = httpsRequest({
      agent,
      host: options.host,
      port: options.port,
      method: request.method,
      path: request.target,
      headers: request.headers,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    outgoing.setTimeout(options.stallMs ?? STALL_MS_DEFAULT, () =>
      outgoing.destroy(
        new Fault("transport", `storage node ${options.host}:${options.port}: no progress for ${(options.stallMs ?? STALL_MS_DEFAULT) / 1000} s`),
      ),
    );
    outgoing.on("error", fail);
    outgoing.on("response", (incoming) => {
      const refused = checkPeer(options, incoming);
      if (refused !== undefined) {
        outgoing.destroy();
        fail(refused);
        return;
      }
      collect(incoming, bytesMax).then(resolve, fail);
    });
    writeBody(outgoing, request.body).catch((error: unknown) => outgoing.destroy(error as Error));
  });
}

async function writeBody(outgoing: ClientRequest, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) {
    for (let offset = 0; offset < part.length; offset += WRITE_BYTES) {
      if (outgoing.destroyed) return;
      if (!outgoing.write(part.subarray(offset, offset + WRITE_BYTES))) await drained(outgoing);
    }
  }
  outgoing.end();
}

/** Resolves when the request takes more, or is over: an answer may come before the body has gone out. */
function drained(outgoing: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off("drain", done).off("close", done).off("error", done);
      resolve();
    };
    outgoing.on("drain", done).on("close", done).on("error", done);
  });
}

async function collect(incoming: IncomingMessage, bytesMax: number): Promise<NetResponse> {
  const declared = Number(incoming.headers["content-length"] ?? 0);
  if (declared > bytesMax) {
    incoming.destroy();
    throw new Fault("limit", `answer: ${declared} bytes, want at most ${bytesMax}`);
  }
  const parts: Uint8Array[] = [];
  let byteCount = 0;
  for await (const part of incoming as AsyncIterable<Uint8Array>) {
    byteCount += part.length;
    if (byteCount > bytesMax) {
      incoming.destroy();
      throw new Fault("limit", `answer: more than ${bytesMax} bytes`);
    }
    parts.push(part);
  }
  const body: Bytes = new Uint8Array(byteCount);
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.length;
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return { status: incoming.statusCode ?? 0, headers, body };
}

function checkPeer(options: HttpsNetOptions, incoming: IncomingMessage): Fault | undefined {
  if (options.checkPeer === undefined) return undefined;
  const socket = incoming.socket as unknown as { getPeerCertificate(detailed?: boolean): { raw?: Uint8Array } };
  const certificate = socket.getPeerCertificate().raw;
  if (certificate === undefined) return new Fault("certificate", "storage node: shows no certificate");
  const refusal = options.checkPeer(new Uint8Array(certificate));
  return refusal === undefined ? undefined : new Fault("certificate", refusal.message, { cause: refusal });
}

function translate(error: unknown, options: HttpsNetOptions): Fault {
  if (error instanceof Fault) return error;
  const code = String((error as { code?: unknown }).code ?? "");
  const message = error instanceof Error ? error.message : String(error);
  const peer = `storage node ${options.host}:${options.port}`;
  if (CERTIFICATE_CODES.test(code) || /certificate|self.signed|alert (unknown ca|bad certificate)/i.test(message)) {
    return new Fault("certificate", `${peer}: certificate not accepted: ${message}`, { cause: error });
  }
  return new Fault("transport", `${peer}: ${message}`, { cause: error, detail: { errno: code } });
}
