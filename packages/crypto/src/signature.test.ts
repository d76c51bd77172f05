import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import {
  asSigningPublicKey,
  asSigningSeed,
  createRawVerifier,
  createSigner,
  createVerifier,
  generateSigningKey,
  type SignatureUse,
  sign,
  verify,
} from "./signature.ts";
import { createCountingRandom } from "./testing/scripted-random.ts";
import { fromHex, readWycheproof } from "./testing/vector-files.ts";

const USES: readonly SignatureUse[] = ["request", "journal", "owner", "receipt", "index", "container"];
const BODY = Uint8Array.of(1, 2, 3);

describe("signature", () => {
  const key = generateSigningKey(createCountingRandom());
  const signature = sign("journal", key.seed, BODY);

  it("verifies under its own use and no other", () => {
    for (const use of USES) assert.equal(verify(use, key.publicKey, BODY, signature), use === "journal", use);
  });

  it("a prepared signer and verifier do the same as single calls", () => {
    const signer = createSigner(key.seed);
    assert.deepEqual(signer.publicKey, key.publicKey);
    assert.deepEqual(signer.sign("journal", BODY), signature);
    assert.ok(createVerifier(key.publicKey).verify("journal", BODY, signature));
  });

  it("any flipped bit of signature or body is refused", () => {
    const verifier = createVerifier(key.publicKey);
    for (let bit = 0; bit < signature.length * 8; bit++) assert.ok(!verifier.verify("journal", BODY, flip(signature, bit)), `bit ${bit} of the signature`);
    for (let bit = 0; bit < BODY.length * 8; bit++) assert.ok(!verifier.verify("journal", flip(BODY, bit), signature), `bit ${bit} of the body`);
  });

  it("any flipped bit of the public key is refused, point or not, and nothing throws", () => {
    for (let bit = 0; bit < 256; bit++) assert.ok(!createRawVerifier(flip(key.publicKey, bit))(BODY, signature), `bit ${bit}`);
  });

  it("a signature of another length is refused", () => {
    for (const length of [0, 1, 63, 65, 128]) assert.ok(!verify("journal", key.publicKey, BODY, new Uint8Array(length)));
  });

  it("keys of another length are a format fault", () => {
    for (const length of [0, 31, 33]) {
      assert.throws(() => asSigningPublicKey(new Uint8Array(length).fill(9)), { code: "format" });
      assert.throws(() => asSigningSeed(new Uint8Array(length)), { code: "format" });
    }
  });

  it("public keys of small order or in non-canonical form are a format fault", () => {
    const p = "ff".repeat(30);
    const bad = [
      "00".repeat(32),
      `01${"00".repeat(31)}`,
      `01${"00".repeat(30)}80`,
      `ec${p}7f`,
      `ed${p}7f`,
      `ee${p}ff`,
      `ff${p}7f`,
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ];
    for (const hex of bad) {
      assert.throws(() => asSigningPublicKey(fromHex(hex)), { code: "format" }, hex);
      // R = identity, S = 0 verifies for every message under the identity in a library that lets it.
      assert.ok(!createRawVerifier(fromHex(hex))(BODY, fromHex(`01${"00".repeat(63)}`)), hex);
    }
    assert.equal(bytesToHex(asSigningPublicKey(fromHex(`ec${p}7e`))), `ec${p}7e`);
  });

  const groups = readWycheproof("ed25519");
  it("agrees with Wycheproof on Ed25519", { skip: groups === null && "../shared/vectors is absent" }, () => {
    let count = 0;
    for (const group of groups ?? []) {
      const verifyRaw = createRawVerifier(fromHex(group.publicKey.pk));
      for (const test of group.tests) {
        assert.equal(verifyRaw(fromHex(test.msg), fromHex(test.sig)), test.result === "valid", `tcId ${test.tcId} ${test.comment}`);
        count++;
      }
    }
    assert.equal(count, 151);
  });
});

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
  return flipped;
}
