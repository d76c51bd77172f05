import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Net, NetRequest } from "@holdfast/base";
import { createFaultNet } from "./fault-net.ts";
import { rejectsWith } from "./record-store-contract.ts";

const REQUEST: NetRequest = { method: "GET", target: "/", headers: {}, body: [] };

function createEcho(): { net: Net; seen: () => number } {
  let count = 0;
  const net: Net = {
    async exchange() {
      count++;
      return { status: 200, headers: {}, body: new Uint8Array(10) };
    },
    async [Symbol.asyncDispose]() {},
  };
  return { net, seen: () => count };
}

describe("fault net", () => {
  it("drops the chosen request before the peer sees it", async () => {
    const { net, seen } = createEcho();
    const faulty = createFaultNet(net);
    faulty.failAt(1, "drop");
    await faulty.exchange(REQUEST, 100);
    await rejectsWith(faulty.exchange(REQUEST, 100), "transport");
    await faulty.exchange(REQUEST, 100);
    assert.equal(seen(), 2);
    assert.equal(faulty.requests.length, 3);
  });

  it("loses the answer of a request that the peer carried out", async () => {
    const { net, seen } = createEcho();
    const faulty = createFaultNet(net);
    faulty.failAt(0, "reset");
    await rejectsWith(faulty.exchange(REQUEST, 100), "transport");
    assert.equal(seen(), 1);
  });

  it("stalls until the request is given up", async () => {
    const faulty = createFaultNet(createEcho().net);
    faulty.failAlways("stall");
    const abort = new AbortController();
    const pending = rejectsWith(faulty.exchange({ ...REQUEST, signal: abort.signal }, 100), "transport");
    abort.abort();
    await pending;
    faulty.failAlways(null);
    assert.equal((await faulty.exchange(REQUEST, 100)).status, 200);
  });

  it("cuts an answer and answers in the peer's place", async () => {
    const { net, seen } = createEcho();
    const faulty = createFaultNet(net);
    faulty.failAt(0, "truncate");
    faulty.failAt(1, { status: 503, headers: {}, body: new Uint8Array(0) });
    assert.equal((await faulty.exchange(REQUEST, 100)).body.length, 5);
    assert.equal((await faulty.exchange(REQUEST, 100)).status, 503);
    assert.equal(seen(), 1);
  });
});
