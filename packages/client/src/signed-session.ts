/** Requests that carry both bonds: the pool's client certificate and the device key's signature. */
import { type Clock, joinBytes, type Net, type NetRequest, type NetResponse, type Random } from "@holdfast/base";
import { contentDigest, type DeviceId, MESSAGE_BYTES_MAX, PROTOCOL_VERSION, parseFault, signRequest } from "@holdfast/protocol";
import { authorityOf } from "./authority.ts";
import { type RetryOptions, withRetry } from "./retry.ts";

export interface SessionOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: string;
  readonly port: number;
  readonly device: DeviceId;
  /** Signs with use `request`. */
  readonly sign: (base: Uint8Array) => Uint8Array;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  readonly retry?: Partial<Pick<RetryOptions, "triesMax" | "delayMsMin" | "delayMsMax" | "onRetry">>;
}

/** One request: parts of a body, and headers beside those that every request has. */
export interface SessionRequest {
  readonly method: NetRequest["method"];
  readonly target: string;
  readonly body?: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Largest answer. */
  readonly bytesMax?: number;
  readonly signal?: AbortSignal;
}

export interface SignedSession {
  /** Sends, with retries by the table; an answer that is not a success is thrown as its fault. */
  send(request: SessionRequest): Promise<NetResponse>;
}

export function createSignedSession(options: SessionOptions): SignedSession {
  const retry: RetryOptions = { clock: options.clock, random: options.random, triesMax: 7, delayMsMin: 250, delayMsMax: 20_000, ...options.retry };
  return {
    send: (request) => withRetry(retry, () => sendOnce(options, request), request.signal),
  };
}

/** Signs afresh at every try: a nonce is good once. */
async function sendOnce(options: SessionOptions, request: SessionRequest): Promise<NetResponse> {
  const authority = authorityOf(options.host, options.port);
  const headers: Record<string, string> = { host: authority, "holdfast-version": String(PROTOCOL_VERSION), ...request.headers };
  const body = request.body ?? [];
  if (request.body !== undefined) {
    headers["content-length"] = String(body.reduce((sum, part) => sum + part.length, 0));
    headers["content-type"] ??= "application/cbor";
    if (headers["holdfast-records"] === undefined) headers["content-digest"] = contentDigest(options.sha256(joinBytes(body)));
  }
  const signature = signRequest(
    { method: request.method, authority, target: request.target, headers },
    options.device,
    Math.floor(options.clock.nowMs()),
    options.random.bytes(16),
    options.sign,
  );
  const answer = await options.net.exchange(
    {
      method: request.method,
      target: request.target,
      headers: { ...headers, ...signature },
      body,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    },
    request.bytesMax ?? MESSAGE_BYTES_MAX,
  );
  if (answer.status < 200 || answer.status > 299) throw parseFault(answer.status, answer.body);
  return answer;
}
