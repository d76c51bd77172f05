import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { asX25519PrivateKey, asX25519PublicKey, generateX25519PrivateKey, hpkeOpen, hpkeSeal, x25519PublicKeyOf } from "./hpke.ts";
import { createCountingRandom } from "./testing/scripted-random.ts";
import { fromHex } from "./testing/vector-files.ts";

const INFO = Uint8Array.of(1, 2, 3);
const PLAINTEXT = new Uint8Array(32).fill(9);

describe("hpke", () => {
  const random = createCountingRandom();
  const privateKey = generateX25519PrivateKey(random);
  const publicKey = x25519PublicKeyOf(privateKey);

  it("opens what it sealed, and fresh randomness gives another encapsulation", async () => {
    const first = await hpkeSeal(random, publicKey, INFO, PLAINTEXT);
    const second = await hpkeSeal(random, publicKey, INFO, PLAINTEXT);
    assert.deepEqual([first.enc.length, first.sealed.length], [32, 48]);
    assert.notDeepEqual(first.enc, second.enc);
    assert.deepEqual(await hpkeOpen(privateKey, first.enc, INFO, first.sealed), PLAINTEXT);
  });

  it("anything changed is the one integrity fault", async () => {
    const { enc, sealed } = await hpkeSeal(random, publicKey, INFO, PLAINTEXT);
    const other = generateX25519PrivateKey(random);
    const flipped = sealed.slice();
    flipped[0] = (flipped[0] as number) ^ 1;
    const wrong = [
      () => hpkeOpen(other, enc, INFO, sealed),
      () => hpkeOpen(privateKey, enc, Uint8Array.of(1, 2), sealed),
      () => hpkeOpen(privateKey, enc, INFO, flipped),
      () => hpkeOpen(privateKey, enc, INFO, sealed.subarray(1)),
      () => hpkeOpen(privateKey, enc, INFO, new Uint8Array(0)),
      () => hpkeOpen(privateKey, enc.subarray(1), INFO, sealed),
      () => hpkeOpen(privateKey, new Uint8Array(32), INFO, sealed), // Small order: the shared secret would be zero.
    ];
    for (const open of wrong) await assert.rejects(open, { code: "integrity", message: "sealed: does not authenticate" });
  });

  it("a recipient key of small order is an input fault", async () => {
    await assert.rejects(hpkeSeal(random, asX25519PublicKey(new Uint8Array(32)), INFO, PLAINTEXT), { code: "input" });
  });

  it("the public half is that of RFC 7748 §6.1", () => {
    const alice = asX25519PrivateKey(fromHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    assert.equal(bytesToHex(x25519PublicKeyOf(alice)), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  });

  it("keys of another length are a format fault", () => {
    for (const length of [0, 31, 33]) {
      assert.throws(() => asX25519PrivateKey(new Uint8Array(length)), { code: "format" });
      assert.throws(() => asX25519PublicKey(new Uint8Array(length)), { code: "format" });
    }
  });
});
