import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "@holdfast/base";
import { createFakeClock } from "@holdfast/testkit";
import { ADDRESS_COUNT_MAX, ADDRESS_TRIES, ALL_TRIES, EnrolmentLimit } from "./enrolment-limit.ts";

/** Tries until one is refused, at most `countMax`; how many were let through. */
function failures(limit: EnrolmentLimit, address: string, countMax: number): number {
  for (let count = 0; count < countMax; count++) {
    try {
      limit.take(address);
    } catch (error) {
      assert.ok(isFault(error, "busy"));
      return count;
    }
  }
  return countMax;
}

describe("the limit of enrolments", () => {
  it("lets an address fail so often, and again one try for each while that it waits", () => {
    const clock = createFakeClock();
    const limit = new EnrolmentLimit(clock);
    assert.equal(failures(limit, "192.0.2.1", 1000), ADDRESS_TRIES.triesMax);
    assert.equal(failures(limit, "192.0.2.2", 3), 3, "another address is not concerned");
    clock.advance(ADDRESS_TRIES.refillMs - 1);
    assert.equal(failures(limit, "192.0.2.1", 1000), 0);
    clock.advance(1);
    assert.equal(failures(limit, "192.0.2.1", 1000), 1);
    clock.advance(100 * ADDRESS_TRIES.triesMax * ADDRESS_TRIES.refillMs);
    assert.equal(failures(limit, "192.0.2.1", 1000), ADDRESS_TRIES.triesMax, "never more than at first");
  });

  it("says when to come back", () => {
    const limit = new EnrolmentLimit(createFakeClock());
    failures(limit, "192.0.2.1", 1000);
    assert.throws(
      () => limit.take("192.0.2.1"),
      (error) => isFault(error, "busy") && error.detail?.["delayMs"] === ADDRESS_TRIES.refillMs,
    );
  });

  it("does not count successes", () => {
    const limit = new EnrolmentLimit(createFakeClock());
    for (let count = 0; count < 10 * ALL_TRIES.triesMax; count++) limit.take("192.0.2.1")();
    assert.equal(failures(limit, "192.0.2.1", 1000), ADDRESS_TRIES.triesMax);
  });

  it("holds for all addresses together", () => {
    const clock = createFakeClock();
    const limit = new EnrolmentLimit(clock);
    let count = 0;
    while (count < 10_000 && failures(limit, `198.51.${count >> 8}.${count & 255}`, 1) === 1) count++;
    assert.equal(count, ALL_TRIES.triesMax);
    clock.advance(ALL_TRIES.refillMs);
    assert.equal(failures(limit, "203.0.113.1", 5), 1);
  });

  it("remembers a bounded number of addresses", () => {
    const clock = createFakeClock();
    const limit = new EnrolmentLimit(clock);
    for (let count = 0; count < 3 * ADDRESS_COUNT_MAX; count++) {
      clock.advance(ALL_TRIES.refillMs);
      limit.take(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`);
    }
    assert.equal(limit.addressCount, ADDRESS_COUNT_MAX);
  });

  it("takes all addresses of an IPv6 network, and both forms of an IPv4 address, for one", () => {
    for (const addresses of [
      ["2001:db8::1:0:0:1", "2001:0DB8:0:0:ffff::2"],
      ["192.0.2.1", "::ffff:192.0.2.1"],
    ]) {
      const limit = new EnrolmentLimit(createFakeClock());
      const [first = "", second = ""] = addresses;
      failures(limit, first, 1000);
      assert.equal(failures(limit, second, 1000), 0, second);
    }
  });
});
