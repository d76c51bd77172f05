import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createKeyPair } from "./key.ts";
import { lockPrivateKey, unlockPrivateKey } from "./key-file-node.ts";
import { encodePem, parseOnePem } from "./pem.ts";
import { countingRandom } from "./testing/authority.ts";

const PASSPHRASE = "korrekt häst 🐎";
const { privateKeyPem } = await createKeyPair();
const locked = await lockPrivateKey(countingRandom(), privateKeyPem, PASSPHRASE);

describe("a locked private key", () => {
  it("opens with its passphrase to the same key", async () => {
    assert.equal(await unlockPrivateKey(locked, PASSPHRASE), privateKeyPem);
  });

  it("holds nothing of the key in the clear", () => {
    const clear = privateKeyPem.split("\n").slice(1, -2);
    for (const line of clear) assert.ok(!locked.includes(line));
    assert.match(locked, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  });

  it("does not open with another passphrase", async () => {
    await assert.rejects(unlockPrivateKey(locked, "korrekt hast"), { name: "Fault", code: "denied" });
  });

  it("is refused in another form: changed parameters, cut short, unlocked, garbage", async () => {
    const der = parseOnePem("ENCRYPTED PRIVATE KEY", locked, 16_384);
    const moreWork = Uint8Array.from(der);
    const at = moreWork.findIndex((byte, index) => byte === 0x02 && moreWork[index + 1] === 0x02 && moreWork[index + 2] === 0x40);
    assert.ok(at > 0);
    moreWork[at + 2] = 0x7f; // A file must not choose how much memory its reader takes.
    for (const bytes of [moreWork, der.slice(0, 60), der.slice(0, -16), Uint8Array.of(0x30, 0)]) {
      await assert.rejects(unlockPrivateKey(encodePem("ENCRYPTED PRIVATE KEY", bytes), PASSPHRASE), { name: "Fault", code: "format" });
    }
    for (const pem of [privateKeyPem, "", "garbage"]) {
      await assert.rejects(unlockPrivateKey(pem, PASSPHRASE), { name: "Fault", code: "format" });
    }
  });

  it("is not made with a short passphrase", async () => {
    await assert.rejects(lockPrivateKey(countingRandom(), privateKeyPem, "1234567"), { name: "Fault", code: "input" });
  });
});
