/** Answers: messages as CBOR, and the one place where a fault becomes a status and a body. */
import { FAULTS, Fault, isFault } from "@holdfast/base";
import { encodeFault, encodeMessage } from "@holdfast/protocol";
import type { Context } from "hono";
import type { Log } from "./log.ts";

const CBOR = "application/cbor";

export function answerMessage(context: Context, message: object): Response {
  return context.body(encodeMessage(message), 200, { "content-type": CBOR });
}

/** Hono's `onError`: the coded body for a fault; anything else is our own bug, told as `internal` and logged with its stack. */
export function createErrorAnswer(log: Log): (error: Error, context: Context) => Response {
  return (error, context) => {
    if (!isFault(error)) log("error", "request failed on a bug", { method: context.req.method, path: context.req.path, stack: error.stack ?? error.message });
    const fault = isFault(error) ? error : new Fault("internal", "storage node: internal error");
    if (fault.code === "integrity") log("warning", fault.message, { path: context.req.path });
    const headers: Record<string, string> = { "content-type": CBOR };
    const delayMs = fault.detail.delayMs;
    if (typeof delayMs === "number") headers["retry-after"] = String(Math.ceil(delayMs / 1000));
    return new Response(encodeFault(fault), { status: FAULTS[fault.code].status, headers });
  };
}
