import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, isFault, type Net, type NetRequest, type NetResponse } from "@holdfast/base";
import { createFakeClock } from "@holdfast/testkit";
import { CertifiedNet, type CertifiedNetOptions } from "./certified-net.ts";
import type { TlsFiles } from "./tls-files.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GET: NetRequest = { method: "GET", target: "/", headers: {}, body: [] };
const OK: NetResponse = { status: 200, headers: {}, body: new Uint8Array(0) };
const REFUSED: NetResponse = { ...OK, status: 495 };

/** A net over files `1`, which end after 30 days, with a log of what happened and pools whose answers the test gives. */
function setUp(change: Partial<CertifiedNetOptions> = {}) {
  const clock = createFakeClock();
  const startMs = clock.nowMs();
  const filesOf = (name: string, days: number): TlsFiles => {
    return { keyPem: name, chainPem: name, rootPem: "", notBeforeMs: clock.nowMs(), notAfterMs: clock.nowMs() + days * DAY_MS };
  };
  const log: string[] = [];
  const waiting: ((answer: NetResponse | Error) => void)[] = [];
  let isHeld = false;
  const dial = ({ keyPem }: TlsFiles): Net => ({
    async exchange() {
      log.push(`send ${keyPem}`);
      const answer = isHeld ? await new Promise<NetResponse | Error>((resolve) => void waiting.push(resolve)) : OK;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async [Symbol.asyncDispose]() {
      log.push(`close ${keyPem}`);
    },
  });
  const first = filesOf("1", 30);
  const options: CertifiedNetOptions = {
    clock,
    dial,
    passGate: async () => {
      log.push("gate");
      return net.files;
    },
    dueMs: ({ notBeforeMs }) => notBeforeMs + 20 * DAY_MS,
    renew: async () => {
      log.push("renew");
      return filesOf("2", 30);
    },
    onUsed: () => null,
    onUntrusted: async () => null,
    onRefused: async () => null,
    isRefusal: ({ status }) => status === 495,
    isHangUp: () => false,
    isUntrusted: () => false,
    tryAgain: () => new Fault("transport", "again"),
    ...change,
  };
  const net: CertifiedNet = new CertifiedNet(options, first);
  const hold = (held: boolean): void => {
    isHeld = held;
  };
  return { clock, startMs, net, log, waiting, hold, filesOf };
}

describe("the pool behind the certificate gate", () => {
  it("asks the gate again after an hour, once for all who wait", async () => {
    const { net, clock, log } = setUp();
    await net.exchange(GET, 1);
    clock.advance(HOUR_MS - 1);
    await net.exchange(GET, 1);
    clock.advance(1);
    await Promise.all([net.exchange(GET, 1), net.exchange(GET, 1), net.exchange(GET, 1)]);
    assert.deepEqual(log, ["send 1", "send 1", "gate", "send 1", "send 1", "send 1"]);
  });

  it("asks at the end of the certificate, though the hour is not over", async () => {
    const { net, clock, log } = setUp({ dueMs: () => Number.POSITIVE_INFINITY });
    clock.jumpTo(net.files.notAfterMs - 1);
    await net.exchange(GET, 1);
    clock.jumpTo(net.files.notAfterMs);
    await net.exchange(GET, 1);
    assert.deepEqual(log, ["send 1", "gate", "send 1"]);
  });

  it("sends nothing while the gate does not pass, and goes on when it is mended", async () => {
    let isBroken = true;
    const { net, clock, log } = setUp({
      passGate: async () => {
        if (isBroken) throw new Fault("certificate", "gate");
        return net.files;
      },
    });
    clock.advance(HOUR_MS);
    for (let tries = 0; tries < 2; tries++) await assert.rejects(net.exchange(GET, 1), { code: "certificate" });
    assert.deepEqual(log, []);
    isBroken = false;
    await net.exchange(GET, 1);
    assert.deepEqual(log, ["send 1"]);
  });

  it("dials anew when the files were replaced by hand", async () => {
    let found: TlsFiles | null = null;
    const { net, clock, log, filesOf } = setUp({ passGate: async () => found ?? net.files });
    found = filesOf("mended", 30);
    clock.advance(HOUR_MS);
    await net.exchange(GET, 1);
    assert.deepEqual(log, ["close 1", "send mended"]);
  });

  it("renews when it is due, and what is under way on the old pool ends there", async () => {
    const { net, clock, log, waiting, hold } = setUp();
    hold(true);
    const underWay = net.exchange(GET, 1);
    while (waiting.length === 0) await Promise.resolve();
    hold(false);
    clock.advance(20 * DAY_MS);
    await net.exchange(GET, 1);
    assert.deepEqual(log, ["send 1", "gate", "renew", "send 2"], "the old pool is still open");
    waiting[0]?.(OK);
    assert.equal((await underWay).status, 200);
    assert.equal(log.at(-1), "close 1");
    assert.equal(net.files.keyPem, "2");
  });

  it("goes on with the old files when a renewal fails, and tries again after an hour", async () => {
    const { net, clock, log } = setUp({
      renew: async () => {
        log.push("renew");
        return null;
      },
    });
    clock.advance(20 * DAY_MS);
    await net.exchange(GET, 1);
    await net.exchange(GET, 1);
    clock.advance(HOUR_MS);
    await net.exchange(GET, 1);
    assert.deepEqual(log, ["gate", "renew", "send 1", "send 1", "gate", "renew", "send 1"]);
  });

  it("goes back to the files before when the renewed ones are refused, and has the request sent again", async () => {
    let before: TlsFiles | null = null;
    const used: string[] = [];
    const { net, clock, log, waiting, hold } = setUp({
      onRefused: async () => before,
      onUsed: () => {
        used.push(net.files.keyPem);
        return null;
      },
    });
    before = net.files;
    clock.advance(20 * DAY_MS);
    hold(true);
    const refused = net.exchange(GET, 1);
    while (waiting.length === 0) await Promise.resolve();
    waiting[0]?.(REFUSED);
    await assert.rejects(refused, (error) => isFault(error, "transport"));
    hold(false);
    assert.equal((await net.exchange(GET, 1)).status, 200);
    assert.deepEqual(log, ["gate", "renew", "close 1", "send 2", "close 2", "send 1"]);
    assert.deepEqual(used, ["1"]);
  });

  it("passes a refusal on when there is nothing to go back to", async () => {
    const { net, waiting, hold } = setUp();
    hold(true);
    const refused = net.exchange(GET, 1);
    while (waiting.length === 0) await Promise.resolve();
    waiting[0]?.(REFUSED);
    assert.equal((await refused).status, 495);
  });

  it("tries the other root when the storage node does not lead to the one in force, once, and says what was wrong with the first", async () => {
    const other = setUp().filesOf("2", 30);
    const asked: string[] = [];
    const { net, log, waiting, hold } = setUp({
      isUntrusted: (error) => isFault(error, "certificate"),
      onUntrusted: async ({ keyPem }) => {
        asked.push(keyPem);
        return keyPem === "1" ? other : first;
      },
    });
    const first = net.files;
    hold(true);
    const failed = net.exchange(GET, 1);
    for (const [index, name] of ["1", "2"].entries()) {
      while (waiting.length === index) await Promise.resolve();
      waiting[index]?.(new Fault("certificate", `not under root ${name}`));
    }
    await assert.rejects(failed, { code: "certificate", message: "not under root 1" });
    assert.equal(net.files, first, "the one before is in force again");
    const together = [net.exchange(GET, 1), net.exchange(GET, 1)];
    while (waiting.length < 4) await Promise.resolve();
    hold(false);
    for (const answer of waiting.slice(2)) answer(new Fault("certificate", "not under root 1"));
    assert.deepEqual(
      (await Promise.all(together)).map(({ status }) => status),
      [200, 200],
    );
    assert.equal(net.files, other);
    assert.deepEqual(asked.slice(0, 2), ["1", "2"]);
    assert.equal(log.filter((line) => line === "send 2").length, 3);
  });

  it("closes every pool that is still open", async () => {
    const { net, clock, log, waiting, hold } = setUp();
    hold(true);
    const underWay = net.exchange(GET, 1);
    while (waiting.length === 0) await Promise.resolve();
    hold(false);
    clock.advance(20 * DAY_MS);
    await net.exchange(GET, 1);
    await net[Symbol.asyncDispose]();
    assert.deepEqual(log.filter((line) => line.startsWith("close")).toSorted(), ["close 1", "close 2"]);
    waiting[0]?.(new Fault("transport", "closed"));
    await assert.rejects(underWay, { code: "transport" });
  });
});
