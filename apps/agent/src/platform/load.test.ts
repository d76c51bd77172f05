import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@holdfast/base";
import { isKnownArch } from "./linux-calls.ts";
import { loadOptionsFromEnvironment, loadPlatform } from "./load.ts";
import { createNativePlatform } from "./native.ts";
import { losses } from "./platform.ts";
import { errnoOf, errnoToName, errnoToNumber, platformFault } from "./platform-fault.ts";

describe("Choosing a platform", () => {
  it("the environment can turn the native adapter off", () => {
    assert.deepEqual(loadOptionsFromEnvironment({}), { preferNative: true });
    assert.deepEqual(loadOptionsFromEnvironment({ HOLDFAST_NATIVE: "0" }), { preferNative: false });
    const { platform, fallbackReason } = loadPlatform({ preferNative: false });
    assert.equal(platform.name, "fs");
    assert.match(fallbackReason ?? "", /turned off/);
    assert.ok(losses(platform.capabilities).length >= 6);
  });

  it("a reason is given exactly when the native adapter is not in use", () => {
    const { platform, fallbackReason } = loadPlatform({ preferNative: true });
    assert.equal(platform.name === "native", fallbackReason === null);
  });

  it("a library without the functions is an error, so that the fallback is taken", () => {
    const empty = {
      load: () => {
        throw new Error("not found");
      },
      address: () => 0n,
      errno: () => 0,
    };
    assert.throws(() => createNativePlatform(empty as never, "x64"), /no C library/);
    assert.throws(() => createNativePlatform(empty as never, "mips"), /no call numbers/);
    assert.equal(isKnownArch("toString"), false);
  });
});

describe("Platform faults", () => {
  it("errno names and numbers go both ways", () => {
    for (const name of ["ENOENT", "EACCES", "EAGAIN", "ENOTSUP", "ELOOP", "ENOSPC"]) assert.equal(errnoToName(errnoToNumber(name)), name);
    assert.equal(errnoToName(99_999), "E99999");
  });

  it("carry the errno, and the code that tells whether to try again", () => {
    const codes = {
      ENOENT: "missing",
      EACCES: "denied",
      EEXIST: "conflict",
      ELOOP: "conflict",
      ENOSPC: "transport",
      EIO: "transport",
      EMFILE: "busy",
      ENOTSUP: "input",
    };
    for (const [errno, code] of Object.entries(codes)) {
      const fault = platformFault("open", errno);
      assert.equal(fault.code, code);
      assert.equal(errnoOf(fault), errno);
    }
    assert.equal(errnoOf(new Fault("input", "other")), null);
    assert.equal(errnoOf(new Error("ENOENT")), null);
  });
});
