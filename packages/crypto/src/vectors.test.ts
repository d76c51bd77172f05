/** Runs every file in packages/crypto/vectors: each operation turns the input into what `expect` must equal, or throws the fault it names. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, bytesToHex, Fault } from "@holdfast/base";
import { asDeviceId, asVaultId } from "@holdfast/protocol";
import { privateKeyOf, rawPublicKeyOf, signEd25519 } from "./curve-node.ts";
import { hkdfSha512, hmacSha256, sha256 } from "./hash.ts";
import { asX25519PrivateKey, asX25519PublicKey, hpkeOpen, hpkeSeal, x25519PublicKeyOf } from "./hpke.ts";
import { asEpochSecret, asRecoveryEntropy, deriveEpochKeys, epochsSlotKey, type ObjectIdKey, recoverySlotKey, vaultIdOf } from "./key.ts";
import { createObjectIdHasher } from "./object-id.ts";
import { argon2id, argon2idWasm } from "./passphrase.ts";
import { parseRecoveryCode, recoveryCodeOf } from "./recovery-code.ts";
import { asSigningPublicKey, asSigningSeed, sign, signingKeyOf, verify } from "./signature.ts";
import { createSlot, openSlot, parseSlot, type SlotLock, type SlotUnlock } from "./slot.ts";
import { createAes256Gcm } from "./suite/aes-256-gcm.ts";
import { nodeAesGcm } from "./suite/aes-node.ts";
import { webAesGcm } from "./suite/aes-web.ts";
import { asInputKey, type Suite } from "./suite/suite.ts";
import { createCountingRandom, createScriptedRandom } from "./testing/scripted-random.ts";
import { fromHex, readVectors, type Vector } from "./testing/vector-files.ts";

type Result = Record<string, unknown>;
type Operation = (input: Vector["input"]) => Result | Promise<Result>;

/** Both adapters run on every runtime; results that differ fail before they are compared with the vector. */
const SUITES: readonly Suite[] = [createAes256Gcm(nodeAesGcm), createAes256Gcm(webAesGcm)];

const OPERATIONS: Readonly<Record<string, Operation>> = {
  async "aes-256-gcm"({ key, nonce, plaintext, sealed }) {
    return same(
      [nodeAesGcm, webAesGcm].map(async (aes) => {
        const imported = await aes.importKey(fromHex(key));
        if (sealed !== undefined) return { opens: await imported.open(fromHex(nonce), fromHex(sealed), new Uint8Array(64), 0) };
        const byteCount = plaintext.length / 2;
        const out = new Uint8Array(byteCount + 16);
        await imported.seal(fromHex(nonce), [fromHex(plaintext)], out, 0);
        return { ciphertext: bytesToHex(out.subarray(0, byteCount)), tag: bytesToHex(out.subarray(byteCount)) };
      }),
    );
  },
  "hmac-sha-256": ({ key, message }) => ({ mac: bytesToHex(hmacSha256(fromHex(key), fromHex(message))) }),
  "hkdf-sha-512": ({ ikm, salt, info, byteCount }) => ({ okm: bytesToHex(hkdfSha512(fromHex(ikm), fromHex(salt), fromHex(info), byteCount)) }),
  ed25519({ seed, message }) {
    const privateKey = privateKeyOf("ed25519", fromHex(seed));
    return { publicKey: bytesToHex(rawPublicKeyOf(privateKey)), signature: bytesToHex(signEd25519(privateKey, fromHex(message))) };
  },
  argon2id: ({ password, salt, ...cost }) =>
    same([argon2id, argon2idWasm].map(async (hash) => ({ hash: bytesToHex(await hash(fromHex(password), fromHex(salt), cost)) }))),
  async hpke({ ikmE, recipientPrivateKey, recipientPublicKey, info, plaintext }) {
    const privateKey = asX25519PrivateKey(fromHex(recipientPrivateKey));
    assert.equal(bytesToHex(x25519PublicKeyOf(privateKey)), recipientPublicKey);
    const random = createScriptedRandom(fromHex(ikmE));
    const { enc, sealed } = await hpkeSeal(random, asX25519PublicKey(fromHex(recipientPublicKey)), fromHex(info), fromHex(plaintext));
    assert.equal(bytesToHex(await hpkeOpen(privateKey, enc, fromHex(info), sealed)), plaintext);
    return { enc: bytesToHex(enc), ciphertext: bytesToHex(sealed.subarray(0, -16)) };
  },
  "recovery-code"({ entropy }) {
    const words = recoveryCodeOf(asRecoveryEntropy(fromHex(entropy)));
    assert.equal(bytesToHex(parseRecoveryCode(words)), entropy);
    return { words };
  },
  "recovery-code-parse": ({ text }) => ({ entropy: bytesToHex(parseRecoveryCode(text)) }),
  "epoch-keys"({ epochSecret, vaultId, epoch }) {
    const { epoch: _, ...keys } = deriveEpochKeys(asEpochSecret(fromHex(epochSecret)), asVaultId(fromHex(vaultId)), epoch);
    return { ...hexOf(keys), containerPublicKey: bytesToHex(x25519PublicKeyOf(keys.containerSeed)) };
  },
  "vault-id"({ ownerSeed }) {
    const { publicKey } = signingKeyOf(asSigningSeed(fromHex(ownerSeed)));
    return { ownerPublicKey: bytesToHex(publicKey), vaultId: bytesToHex(vaultIdOf(publicKey)) };
  },
  "slot-keys": ({ ownerSeed, entropy, vaultId }) => ({
    epochsSlotKey: bytesToHex(epochsSlotKey(asSigningSeed(fromHex(ownerSeed)), asVaultId(fromHex(vaultId)))),
    recoverySlotKey: bytesToHex(recoverySlotKey(asRecoveryEntropy(fromHex(entropy)), asVaultId(fromHex(vaultId)))),
  }),
  signature({ seed, use, body }) {
    const key = signingKeyOf(asSigningSeed(fromHex(seed)));
    const signature = sign(use, key.seed, fromHex(body));
    assert.ok(verify(use, asSigningPublicKey(key.publicKey), fromHex(body), signature));
    return { signature: bytesToHex(signature) };
  },
  "object-id": ({ objectIdKey, kind, plaintext }) => ({
    objectId: bytesToHex(createObjectIdHasher(fromHex(objectIdKey) as ObjectIdKey)(kind, fromHex(plaintext))),
  }),
  "suite-1-seal": ({ key, salt, context, plaintextBytes }) =>
    same(
      SUITES.map(async (suite) => {
        const plaintext = Uint8Array.from({ length: plaintextBytes }, (_, index) => (index * 7) % 251);
        const sealed = await suite.seal(createScriptedRandom(fromHex(salt)), asInputKey(fromHex(key)), fromHex(context), plaintext);
        assert.deepEqual(await suite.open(asInputKey(fromHex(key)), fromHex(context), sealed), plaintext);
        const sizes = { sealedBytes: sealed.length, sealedSha256: bytesToHex(sha256(sealed)) };
        return plaintextBytes < 10 ? { ...sizes, sealed: bytesToHex(sealed) } : sizes;
      }),
    ),
  "suite-1-open": ({ key, context, sealed }) =>
    same(SUITES.map(async (suite) => ({ plaintext: bytesToHex(await suite.open(asInputKey(fromHex(key)), fromHex(context), fromHex(sealed))) }))),
  async "slot-open"({ body, unlock }) {
    const secrets = await openSlot(parseSlot(fromHex(body)), bytesOf(unlock) as SlotUnlock);
    return { ownerSeed: secrets.ownerSeed && bytesToHex(secrets.ownerSeed), epochs: secrets.epochs.map(({ epoch, secret }) => [epoch, bytesToHex(secret)]) };
  },
  async "slot-create"({ vaultId, created, label, ownerSeed, epochs, lock }) {
    const secrets = {
      ownerSeed: ownerSeed && asSigningSeed(fromHex(ownerSeed)),
      epochs: epochs.map(([epoch, secret]: [number, string]) => ({ epoch, secret: asEpochSecret(fromHex(secret)) })),
    };
    const { memoryKib, passes, ...rest } = bytesOf(lock);
    const full = memoryKib === undefined ? rest : { ...rest, cost: { memoryKib, passes } };
    return hexOf(await createSlot(createCountingRandom(), { vaultId: asVaultId(fromHex(vaultId)), createdMs: created, label, secrets }, full as SlotLock));
  },
};

describe("vectors", () => {
  const vectors = readVectors();
  it("are all there: every operation has one", () => {
    assert.deepEqual([...new Set(vectors.map((vector) => vector.operation))].sort(), Object.keys(OPERATIONS).sort());
  });

  for (const vector of vectors) {
    it(`${vector.name}: ${vector.about}`, async () => {
      const operation = OPERATIONS[vector.operation];
      assert.ok(operation, "no such operation");
      const run = async () => operation(vector.input);
      if ("fault" in vector.expect) await assert.rejects(run, { name: "Fault", code: vector.expect.fault });
      else assert.deepEqual(await run(), vector.expect);
    });
  }
});

/** The one result of several implementations. If they fail, all must, and with the same fault. */
async function same(results: readonly Promise<Result>[]): Promise<Result> {
  const settled = await Promise.allSettled(results);
  const plain = settled.map((one) =>
    one.status === "fulfilled" ? one.value : one.reason instanceof Fault ? [one.reason.code, one.reason.message] : one.reason,
  );
  for (const one of plain) assert.deepEqual(one, plain[0]);
  return (await results[0]) as Result;
}

function hexOf(values: object): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, bytesToHex(bytes as Bytes)]));
}

/** A lock or unlock whose hexadecimal fields have become bytes. */
function bytesOf(lock: Record<string, string>): Record<string, unknown> {
  const isText = (name: string, value: unknown) => typeof value !== "string" || name === "type" || name === "passphrase";
  const values = Object.entries(lock).map(([name, value]) => [
    name,
    isText(name, value) ? value : name === "deviceId" ? asDeviceId(fromHex(value)) : fromHex(value),
  ]);
  return Object.fromEntries(values);
}
