/** A Net that fails where the test says: the N-th request is dropped, cut off, stalled or answered by something else. */
import { Fault, type Net, type NetRequest, type NetResponse } from "@holdfast/base";

/**
 * - `drop`: the request never reaches the peer; `transport`.
 * - `reset`: the peer gets the request and acts on it, its answer is lost; `transport`. Writes must bear this.
 * - `stall`: nothing comes until the request's signal aborts; then `transport`.
 * - `truncate`: the answer's body ends at half.
 * - an answer: given in place of the peer's, which never sees the request.
 */
export type NetFault = "drop" | "reset" | "stall" | "truncate" | NetResponse;

export interface FaultNet extends Net {
  /** Every request so far, failed ones included. */
  readonly requests: readonly NetRequest[];
  /** Makes the `index`-th request from now on (0 is the next) fail with `fault`, once. */
  failAt(index: number, fault: NetFault): void;
  /** Makes every request fail until it is called with `null`. */
  failAlways(fault: NetFault | null): void;
}

export function createFaultNet(inner: Net): FaultNet {
  const requests: NetRequest[] = [];
  const planned = new Map<number, NetFault>();
  let always: NetFault | null = null;
  return {
    requests,
    failAt(index, fault) {
      planned.set(requests.length + index, fault);
    },
    failAlways(fault) {
      always = fault;
    },
    async exchange(request, bytesMax) {
      const fault = planned.get(requests.length) ?? always;
      planned.delete(requests.length);
      requests.push(request);
      if (fault === null) return inner.exchange(request, bytesMax);
      if (typeof fault === "object") return fault;
      if (fault === "drop") throw new Fault("transport", "net: connection refused (injected)");
      if (fault === "stall") return stalled(request.signal);
      const response = await inner.exchange(request, bytesMax);
      if (fault === "reset") throw new Fault("transport", "net: connection reset before the answer (injected)");
      return { ...response, body: response.body.slice(0, Math.floor(response.body.length / 2)) };
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

function stalled(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(new Fault("transport", "net: stalled until it was given up (injected)", { cause: signal?.reason }));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
