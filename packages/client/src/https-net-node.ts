/**
 * Net over `node:https`, the one client API that behaves alike under Node, Deno and Bun: HTTP/1.1 on a keep-alive pool,
 * client certificate, our root only. Foreign errors are translated here and nowhere else.
 *
 * What the runtimes do differently is not left to them: progress, abort, the length of an answer and the end of a body
 * are watched here.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Bytes, Fault, type Net, type NetRequest, type NetResponse } from "@holdfast/base";
import { CONNECTIONS_DEFAULT } from "@holdfast/protocol";
import { type DialTls, dialRuntime, dialTls } from "./dial-policy.ts";

export interface HttpsNetOptions {
  readonly host: string;
  readonly port: number;
  /** PEM of the roots that the peer's chain must end in. */
  readonly rootPem: string;
  /** Accepts any certificate: only to fetch a root that is then compared with its pin (enroll.ts). */
  readonly unverified?: true;
  /** PEM of the client certificate with its chain, and of its key. Absent on the front port. */
  readonly identity?: { readonly certificatePem: string; readonly keyPem: string };
  /** Versions and suites to offer; left out, those of the profile `modern`. */
  readonly tls?: DialTls | undefined;
  /** Told of the protocol version, as in `TLSv1.3`, that each answer came over. */
  readonly onProtocol?: (version: string) => void;
  readonly connectionsMax?: number;
  /** Longest time without any progress on a request, from dialling on; waiting for a free connection does not count. */
  readonly stallMs?: number;
}

/** Bodies go out in writes of this size: one `end` of megabytes would copy them whole into the TLS layer. */
const WRITE_BYTES = 256 * 1024;
const STALL_MS_DEFAULT = 60_000;

/** Codes by which the runtimes say that a certificate was not accepted, ours or theirs. */
const CERTIFICATE_CODES = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ALTNAME|UNKNOWN_CA|HOSTNAME_MISMATCH/;
const CERTIFICATE_MESSAGES = /certificate|self.signed|alert (unknown ca|bad certificate)/i;

/** A pool to one storage node. Close it with `await using`: requests still under way end with `transport`. */
export function createHttpsNet(options: HttpsNetOptions): Net {
  const agent = new Agent({
    keepAlive: true,
    maxSockets: options.connectionsMax ?? CONNECTIONS_DEFAULT,
    maxCachedSessions: 0, // Every connection is a full handshake: a resumed one would not look at the certificate again.
    host: options.host,
    port: options.port,
    servername: isIP(options.host) === 0 ? options.host : "", // Left out, it would follow the host header of a request.
    ...(options.tls ?? dialTls("modern", dialRuntime())),
    ALPNProtocols: ["http/1.1"],
    ...(options.unverified ? { rejectUnauthorized: false } : { ca: options.rootPem, rejectUnauthorized: true }),
    ...(options.identity === undefined ? {} : { cert: options.identity.certificatePem, key: options.identity.keyPem }),
  });
  const underWay = new Set<Exchange>();
  return {
    async exchange(request, bytesMax) {
      const exchange = new Exchange(options, request);
      underWay.add(exchange);
      try {
        return await exchange.run(agent, bytesMax);
      } finally {
        underWay.delete(exchange);
      }
    },
    async [Symbol.asyncDispose]() {
      for (const exchange of underWay) exchange.fail(new Fault("transport", `${peerOf(options)}: the connection pool was closed`));
      agent.destroy();
    },
  };
}

/** One request with its watches. Ends once, whichever of answer, error, stall and abort comes first. */
class Exchange {
  readonly #options: HttpsNetOptions;
  readonly #request: NetRequest;
  #resolve: (answer: NetResponse) => void = () => {};
  #reject: (fault: Fault) => void = () => {};
  #isOver = false;
  #outgoing: ClientRequest | undefined;
  #stall: ReturnType<typeof setTimeout> | undefined;

  constructor(options: HttpsNetOptions, request: NetRequest) {
    this.#options = options;
    this.#request = request;
  }

  async run(agent: Agent, bytesMax: number): Promise<NetResponse> {
    const { signal, method, target, headers, body } = this.#request;
    const { host, port } = this.#options;
    const onAbort = (): void => this.fail(new Fault("transport", `${peerOf(this.#options)}: request given up`, { cause: signal?.reason }));
    signal?.addEventListener("abort", onAbort);
    try {
      return await new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
        if (signal?.aborted) onAbort();
        else this.#send(httpsRequest({ agent, host, port, method, path: target, headers }), body, bytesMax);
      });
    } finally {
      this.#isOver = true;
      signal?.removeEventListener("abort", onAbort);
      clearTimeout(this.#stall);
    }
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reject(translate(error, this.#options));
    this.#outgoing?.destroy();
  }

  #send(outgoing: ClientRequest, body: readonly Uint8Array[], bytesMax: number): void {
    this.#outgoing = outgoing;
    const fail = (error: unknown): void => this.fail(error);
    outgoing.on("socket", () => this.#progress());
    outgoing.on("error", fail);
    let hasAnswer = false;
    // Once an answer has begun, its own stream tells how it ends: Bun closes the request while the answer is still being read.
    outgoing.on("close", () => hasAnswer || this.fail(new Error("connection closed without an answer")));
    outgoing.on("response", (incoming) => {
      hasAnswer = true;
      this.#tellProtocol(incoming);
      this.#collect(incoming, bytesMax).then((answer) => {
        this.#isOver = true;
        this.#resolve(answer);
        if (!outgoing.writableFinished) outgoing.destroy(); // Answered early: the rest of the body is not wanted, and the caller may reuse its memory.
      }, fail);
    });
    this.#write(outgoing, body).catch(fail);
  }

  async #write(outgoing: ClientRequest, parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      for (let offset = 0; offset < part.length; offset += WRITE_BYTES) {
        if (outgoing.destroyed) return;
        if (!outgoing.write(part.subarray(offset, offset + WRITE_BYTES))) await drained(outgoing);
        this.#progress();
      }
    }
    outgoing.end();
  }

  async #collect(incoming: IncomingMessage, bytesMax: number): Promise<NetResponse> {
    const declared = incoming.headers["content-length"];
    if (declared !== undefined && Number(declared) > bytesMax) throw new Fault("limit", `answer: ${declared} bytes, want at most ${bytesMax}`);
    // The declared length is taken at once, bounded above: parts that wait to be joined would need the memory twice.
    let body: Bytes = new Uint8Array(Number(declared ?? 0));
    let byteCount = 0;
    for await (const part of incoming as AsyncIterable<Uint8Array>) {
      this.#progress();
      if (byteCount + part.length > bytesMax) throw new Fault("limit", `answer: more than ${bytesMax} bytes`);
      if (byteCount + part.length > body.length) body = grown(body, Math.min(bytesMax, Math.max(byteCount + part.length, body.length * 2)));
      body.set(part, byteCount);
      byteCount += part.length;
    }
    if (!incoming.complete || (declared !== undefined && byteCount !== Number(declared))) throw new Error("connection closed within the answer");
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(incoming.headers)) if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
    return { status: incoming.statusCode ?? 0, headers, body: byteCount === body.length ? body : body.slice(0, byteCount) };
  }

  /** Asked when the head has come: at its end the answer may have given its socket back. */
  #tellProtocol(incoming: IncomingMessage): void {
    const version = (incoming.socket as Partial<TLSSocket> | null)?.getProtocol?.();
    if (typeof version === "string") this.#options.onProtocol?.(version);
  }

  /** Sets the stall watch back. */
  #progress(): void {
    if (this.#isOver) return;
    const stallMs = this.#options.stallMs ?? STALL_MS_DEFAULT;
    clearTimeout(this.#stall);
    this.#stall = setTimeout(() => this.fail(new Fault("transport", `${peerOf(this.#options)}: no progress for ${stallMs / 1000} s`)), stallMs);
  }
}

function grown(body: Bytes, byteCount: number): Bytes {
  const larger: Bytes = new Uint8Array(byteCount);
  larger.set(body);
  return larger;
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

function peerOf(options: HttpsNetOptions): string {
  return `storage node ${options.host}:${options.port}`;
}

function translate(error: unknown, options: HttpsNetOptions): Fault {
  if (error instanceof Fault) return error;
  const code = String((error as { code?: unknown }).code ?? "");
  const message = (error instanceof Error ? error.message : String(error)).trim(); // OpenSSL ends its texts with a line break.
  if (CERTIFICATE_CODES.test(code) || CERTIFICATE_MESSAGES.test(message)) {
    return new Fault("certificate", `${peerOf(options)}: certificate not accepted: ${message}`, { cause: error });
  }
  // TLS 1.3 lets the client finish before its certificate is judged, and a refusal may be no more than a hang-up.
  const isHangUp = options.identity !== undefined && (code === "ECONNRESET" || /hang up|without an answer/.test(message));
  const hint = isHangUp ? "; it also hangs up on a device that was revoked or whose certificate has expired" : "";
  return new Fault("transport", `${peerOf(options)}: ${message}${hint}`, { cause: error, detail: { errno: code, ...(isHangUp ? { hangUp: true } : {}) } });
}
