import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { createHmacSha256, createSha256, hkdfExpandSha512, hkdfSha512, hmacSha256, sha256 } from "./hash.ts";
import { fromHex, readWycheproof } from "./testing/vector-files.ts";

const ABC = new TextEncoder().encode("abc");

describe("hash", () => {
  it("sha256 of abc is that of FIPS 180-4", () => {
    const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.equal(bytesToHex(sha256(ABC)), want);
    assert.equal(bytesToHex(sha256(ABC.subarray(0, 1), ABC.subarray(1))), want);
    assert.equal(bytesToHex(createSha256().update(ABC.subarray(0, 2)).update(ABC.subarray(2)).digest()), want);
    assert.equal(bytesToHex(sha256()), createHash("sha256").digest("hex"));
  });

  it("takes bytes over shared memory", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(ABC.length));
    shared.set(ABC);
    assert.deepEqual(sha256(shared), sha256(ABC));
    assert.deepEqual(createSha256().update(shared).digest(), sha256(ABC));
    assert.deepEqual(createHmacSha256(ABC)(shared), hmacSha256(ABC, ABC));
  });

  it("gives plain bytes of their own memory", () => {
    for (const digest of [sha256(ABC), createSha256().digest(), hmacSha256(ABC, ABC), hkdfSha512(ABC, ABC, ABC, 32)]) {
      assert.equal(Object.getPrototypeOf(digest), Uint8Array.prototype);
      assert.equal(digest.buffer.byteLength, 32);
    }
  });

  it("one HMAC function serves many inputs, in parts or whole", () => {
    const hmac = createHmacSha256(ABC);
    const first = hmac(ABC);
    hmac(new Uint8Array(1024));
    assert.deepEqual(hmac(ABC.subarray(0, 1), ABC.subarray(1)), first);
  });

  it("hkdf expands to at most 255 blocks", () => {
    assert.equal(hkdfExpandSha512(new Uint8Array(32), ABC, 255 * 64).length, 255 * 64);
    assert.throws(() => hkdfExpandSha512(new Uint8Array(32), ABC, 255 * 64 + 1), { name: "AssertionFailure" });
  });

  const hmacGroups = readWycheproof("hmac_sha256");
  it("agrees with Wycheproof on HMAC-SHA-256", { skip: hmacGroups === null && "../shared/vectors is absent" }, () => {
    let count = 0;
    for (const group of hmacGroups ?? []) {
      for (const test of group.tests) {
        const mac = bytesToHex(hmacSha256(fromHex(test.key), fromHex(test.msg))).slice(0, group.tagSize / 4);
        assert.equal(mac === test.tag, test.result === "valid", `tcId ${test.tcId}`);
        count++;
      }
    }
    assert.equal(count, 174);
  });

  const hkdfGroups = readWycheproof("hkdf_sha512");
  it("agrees with Wycheproof on HKDF-SHA-512", { skip: hkdfGroups === null && "../shared/vectors is absent" }, () => {
    let count = 0;
    for (const test of (hkdfGroups ?? []).flatMap((group) => group.tests)) {
      const expand = () => bytesToHex(hkdfSha512(fromHex(test.ikm), fromHex(test.salt), fromHex(test.info), test.size));
      if (test.result === "valid") assert.equal(expand(), test.okm, `tcId ${test.tcId}`);
      else assert.throws(expand, { name: "AssertionFailure" }, `tcId ${test.tcId}`);
      count++;
    }
    assert.equal(count, 83);
  });
});
