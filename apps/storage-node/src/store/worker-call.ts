/** Calls to a worker and their answers: numbered messages, faults kept whole, buffers handed over instead of copied. */
import { Fault, type FaultCode, type FaultDetail, isFault } from "@holdfast/base";

/** The side of a message channel that is used here; a worker and its parent port both have it. */
export interface CallPort {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: never) => void): unknown;
}

/** Methods by name; each takes and gives values that can be cloned. */
export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>;

export interface CallMessage {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

type ReplyMessage =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly code: FaultCode; readonly message: string; readonly detail: FaultDetail };

/** Calls under way at one worker; more are refused with `busy`. */
const CALL_COUNT_MAX = 4096;

export interface Caller<Calls extends Methods> {
  call<Name extends keyof Calls & string>(
    method: Name,
    args: Parameters<Calls[Name]>,
    transfer?: readonly ArrayBuffer[],
  ): Promise<Awaited<ReturnType<Calls[Name]>>>;
  /** Fails every call under way and all that come: the worker is gone. */
  fail(error: Error): void;
}

/** The calling side. */
export function createCaller<Calls extends Methods>(port: CallPort): Caller<Calls> {
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: unknown) => void }>();
  let nextId = 1;
  let failure: Error | null = null;
  port.on("message", (reply: ReplyMessage) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if (reply.ok) call?.resolve(reply.value as never);
    else call?.reject(new Fault(reply.code, reply.message, { detail: reply.detail }));
  });
  return {
    call(method, args, transfer = []) {
      if (failure !== null) return Promise.reject(failure);
      if (waiting.size >= CALL_COUNT_MAX) return Promise.reject(new Fault("busy", "storage node: too many requests at once", { detail: { delayMs: 1000 } }));
      const id = nextId++;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        port.postMessage({ id, method, args } satisfies CallMessage, transfer);
      });
    },
    fail(error) {
      failure = error;
      for (const call of waiting.values()) call.reject(error);
      waiting.clear();
    },
  };
}

/** Answers a call with a value. */
export function reply(port: CallPort, id: number, value: unknown, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage({ id, ok: true, value } satisfies ReplyMessage, transfer);
}

/** Answers a call with a fault; whatever is none is our own bug and becomes `internal`. */
export function replyFault(port: CallPort, id: number, error: unknown): void {
  if (!isFault(error)) process.stderr.write(`store: ${error instanceof Error ? error.stack : String(error)}\n`);
  const fault = isFault(error) ? error : new Fault("internal", "storage node: internal error");
  port.postMessage({ id, ok: false, code: fault.code, message: fault.message, detail: fault.detail } satisfies ReplyMessage);
}
