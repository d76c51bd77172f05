import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, concatBytes, Fault } from "@holdfast/base";
import { asDeviceId } from "@holdfast/protocol";
import { generateX25519PrivateKey, x25519PublicKeyOf } from "./hpke.ts";
import { generateEpochSecret, vaultIdOf } from "./key.ts";
import { passphraseBytes } from "./passphrase.ts";
import { generateSigningKey } from "./signature.ts";
import {
  createSlot,
  generateRecoveryEntropy,
  generateSlotKey,
  openSlot,
  parseRecoveryCode,
  parseSlot,
  recoveryCodeOf,
  type SlotLock,
  type SlotSecrets,
  type SlotUnlock,
} from "./slot.ts";
import { createCountingRandom } from "./testing/scripted-random.ts";

const random = createCountingRandom();
const owner = generateSigningKey(random);
const vaultId = vaultIdOf(owner.publicKey);
const epochs = [0, 1, 300].map((epoch) => ({ epoch, secret: generateEpochSecret(random) }));
const person: SlotSecrets = { ownerSeed: owner.seed, epochs };
const device: SlotSecrets = { ownerSeed: null, epochs };
const slotKey = generateSlotKey(random);
const entropy = generateRecoveryEntropy(random);
const privateKey = generateX25519PrivateKey(random);
const deviceId = asDeviceId(random.bytes(16));

/** Every type whose opening is cheap enough to try thousands of times. */
const CASES: readonly { secrets: SlotSecrets; lock: SlotLock; unlock: SlotUnlock }[] = [
  { secrets: person, lock: { type: "recovery", entropy }, unlock: { type: "recovery", entropy } },
  { secrets: device, lock: { type: "device", deviceId, slotKey }, unlock: { type: "device", slotKey } },
  { secrets: device, lock: { type: "epochs", ownerSeed: owner.seed, generation: 2 }, unlock: { type: "epochs", ownerSeed: owner.seed } },
  { secrets: person, lock: { type: "recipient", publicKey: x25519PublicKeyOf(privateKey) }, unlock: { type: "recipient", privateKey } },
];

describe("slot", () => {
  for (const { secrets, lock, unlock } of CASES) {
    it(`${lock.type}: opens with its key to the secrets that were sealed`, async () => {
      const slot = parseSlot(await create(secrets, lock));
      assert.equal(slot.parameters.type, lock.type);
      assert.equal(slot.label, "my slot");
      assert.deepEqual(await openSlot(slot, unlock), secrets);
    });

    it(`${lock.type}: any flipped bit is a fault, and in what is sealed the one integrity fault`, async () => {
      const body = await create(secrets, lock);
      const sealedStart = body.length - parseSlot(body).sealed.length;
      const step = lock.type === "recipient" ? 23 : 1; // HPKE costs a millisecond each time: a sample that still reaches every byte of a field.
      for (let bit = 0; bit < body.length * 8; bit += step) {
        const flipped = body.slice();
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        const fault = await faultOf(flipped, unlock);
        if (bit >= sealedStart * 8) assert.deepEqual([fault.code, fault.message], ["integrity", "sealed: does not authenticate"], `bit ${bit}`);
      }
    });

    it(`${lock.type}: any truncation is a format fault`, async () => {
      const body = await create(secrets, lock);
      for (let length = 0; length < body.length; length++) assert.equal((await faultOf(body.subarray(0, length), unlock)).code, "format", `${length}`);
      assert.equal((await faultOf(concatBytes(body, Uint8Array.of(0)), unlock)).code, "format");
    });

    it(`${lock.type}: no other type of key is tried on it`, async () => {
      const slot = parseSlot(await create(secrets, lock));
      for (const other of CASES.filter((one) => one.lock.type !== lock.type)) await assert.rejects(openSlot(slot, other.unlock), { code: "input" });
    });
  }

  it("bodies are plain bytes of their own memory", async () => {
    const body = await create(person, { type: "recovery", entropy });
    assert.equal(Object.getPrototypeOf(body), Uint8Array.prototype);
    assert.equal(body.buffer.byteLength, body.length);
  });

  it("two slots of one vault do not share a slot id or a sealing", async () => {
    const first = parseSlot(await create(person, { type: "recovery", entropy }));
    const second = parseSlot(await create(person, { type: "recovery", entropy }));
    assert.notDeepEqual(first.slotId, second.slotId);
    assert.notDeepEqual(first.sealed.subarray(0, 24), second.sealed.subarray(0, 24));
  });

  it("sealed secrets do not open under the head of another slot", async () => {
    const first = parseSlot(await create(person, { type: "recovery", entropy }));
    const second = parseSlot(await create(person, { type: "recovery", entropy }));
    await assert.rejects(openSlot({ ...first, sealed: second.sealed }, { type: "recovery", entropy }), { code: "integrity" });
  });

  it("a passphrase outside our rules is an input fault, a cost out of bounds a limit fault", async () => {
    for (const passphrase of ["", "\n", "\r\n", "\ud800"]) await assert.rejects(create(person, { type: "passphrase", passphrase }), { code: "input" });
    for (const cost of [
      { memoryKib: 65_535, passes: 3 },
      { memoryKib: 1_048_577, passes: 3 },
      { memoryKib: 65_536, passes: 2 },
      { memoryKib: 65_536, passes: 17 },
      { memoryKib: Number.NaN, passes: 3 },
    ]) {
      await assert.rejects(create(person, { type: "passphrase", passphrase: "x", cost }), { code: "limit" });
    }
  });

  it("a passphrase loses one line end, and no more", () => {
    const textOf = (passphrase: string) => new TextDecoder().decode(passphraseBytes(passphrase));
    assert.deepEqual(["a\n", "a\r\n", "a\n\n", "a\r", " a ", "\na", "a\n\r\n"].map(textOf), ["a", "a", "a\n", "a\r", " a ", "\na", "a\n"]);
    assert.equal(textOf("ﬁ Å"), "fi Å");
  });

  it("labels over 256 bytes are an input fault", async () => {
    const fields = { vaultId, createdMs: 1, secrets: person };
    await createSlot(random, { ...fields, label: "é".repeat(128) }, { type: "recovery", entropy });
    for (const label of ["é".repeat(129), "\udc00"])
      await assert.rejects(createSlot(random, { ...fields, label }, { type: "recovery", entropy }), { code: "input" });
  });

  it("a writer asserts that the secrets fit the type", async () => {
    const stranger = generateSigningKey(random).seed;
    const wrong: [SlotSecrets, SlotLock][] = [
      [device, { type: "recovery", entropy }],
      [person, { type: "device", deviceId, slotKey }],
      [person, { type: "epochs", ownerSeed: owner.seed, generation: 1 }],
      [
        { ...person, ownerSeed: stranger },
        { type: "recovery", entropy },
      ],
      [device, { type: "epochs", ownerSeed: stranger, generation: 1 }],
      [
        { ...person, epochs: [...epochs].reverse() },
        { type: "recovery", entropy },
      ],
    ];
    for (const [secrets, lock] of wrong) await assert.rejects(create(secrets, lock), { name: "AssertionFailure" });
  });

  it("too many epochs for a slot are a limit fault", async () => {
    const many = Array.from({ length: 2_000 }, (_, epoch) => ({ epoch, secret: generateEpochSecret(random) }));
    await assert.rejects(create({ ownerSeed: null, epochs: many }, { type: "device", deviceId, slotKey }), { code: "limit" });
    assert.throws(() => parseSlot(new Uint8Array(65_537)), { code: "limit" });
  });

  it("a recovery code survives the paper", async () => {
    const code = recoveryCodeOf(entropy);
    assert.equal(code.split(" ").length, 24);
    const typed = parseRecoveryCode(`\t${code.toUpperCase().replaceAll(" ", "  ")}\n`);
    assert.deepEqual((await openSlot(parseSlot(await create(person, { type: "recovery", entropy })), { type: "recovery", entropy: typed })).epochs, epochs);
  });

  it("a mistyped recovery code names the place and never a word", () => {
    const words = recoveryCodeOf(entropy).split(" ");
    const typed = words.with(4, "secretword").with(9, "otherword").join(" ");
    assert.throws(() => parseRecoveryCode(typed), {
      code: "input",
      message: "recovery code: not in the word list: word 5, 10 of 24",
      detail: { unknownWords: ["5", "10"] },
    });
    assert.throws(() => parseRecoveryCode("abandon ".repeat(5_000)), { code: "input" });
  });
});

async function create(secrets: SlotSecrets, lock: SlotLock): Promise<Bytes> {
  return (await createSlot(random, { vaultId, createdMs: 1_790_000_000_000, label: "my slot", secrets }, lock)).body;
}

/** The fault of parsing and opening `body`: fails when it opens, or with anything but a fault. */
async function faultOf(body: Uint8Array, unlock: SlotUnlock): Promise<Fault> {
  try {
    await openSlot(parseSlot(body), unlock);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "opened" });
}
