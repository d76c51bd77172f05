/** Bodies of requests: bounded before memory is taken, counted while they are in flight, proven by the digest that is signed. */
import type { IncomingMessage } from "node:http";
import { type Bytes, equalBytes, Fault } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { MESSAGE_BYTES_MAX, parseContentDigest, parseMessage } from "@holdfast/protocol";
import type { BodyBudget } from "./body-budget.ts";
import { createMemoryHint } from "./memory-hint-bun.ts";

const noteMemory = createMemoryHint(8 * 1024 * 1024);

type Schema = Parameters<typeof parseMessage>[0];
type Output<S extends Schema> = ReturnType<typeof parseMessage<S>>;

/** Length that the request declares. A body of unknown length: `input`, since the signature could not cover it. */
export function bodyLength(request: IncomingMessage, bytesMax: number): number {
  const header = request.headers["content-length"];
  if (request.headers["transfer-encoding"] !== undefined || header === undefined || !/^\d{1,15}$/.test(header)) {
    throw new Fault("input", "request: wants a content-length");
  }
  const byteCount = Number(header);
  if (byteCount > bytesMax) throw new Fault("limit", `request: body too long, got ${byteCount} bytes, want at most ${bytesMax}`);
  return byteCount;
}

/** Reads a message, checks its digest and its schema, and hands it to `work`; its memory counts until `work` is done. */
export async function withMessage<S extends Schema, Result>(
  request: IncomingMessage,
  budget: BodyBudget,
  schema: S,
  what: string,
  work: (message: Output<S>) => Promise<Result>,
  bytesMax = MESSAGE_BYTES_MAX,
): Promise<Result> {
  const byteCount = bodyLength(request, bytesMax);
  const digest = parseContentDigest(request.headers["content-digest"] as string | undefined);
  const body = await budget.acquire(byteCount);
  try {
    await fill(body, request);
    if (!equalBytes(sha256(body), digest)) throw new Fault("integrity", "request: body does not have the digest that was signed");
    return await work(parseMessage(schema, body, what) as Output<S>);
  } finally {
    budget.release(body);
  }
}

async function fill(body: Bytes, request: IncomingMessage): Promise<void> {
  let offset = 0;
  for await (const bytes of bodyOf(request)) {
    if (offset + bytes.length > body.length) throw new Fault("format", "request: body is longer than declared");
    body.set(bytes, offset);
    offset += bytes.length;
  }
  if (offset !== body.length) throw new Fault("transport", "request: body ended early");
}

/** The body's bytes as they come. A sender that goes away: `transport`. Leaves the connection open when it is left early. */
export async function* bodyOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    for await (const bytes of request.iterator({ destroyOnReturn: false })) {
      noteMemory((bytes as Uint8Array).length);
      yield bytes as Uint8Array;
    }
  } catch (cause) {
    throw new Fault("transport", "request: its sender went away", { cause });
  }
}
