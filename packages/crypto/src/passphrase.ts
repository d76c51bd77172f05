/** Keys from passphrases (docs/format.md §5): Argon2id (RFC 9106), version 0x13, one lane, native where the runtime has it, else hash-wasm. */
import { type Bytes, Fault, utf8 } from "@holdfast/base";
import {
  ARGON2_MEMORY_KIB_DEFAULT,
  ARGON2_MEMORY_KIB_MAX,
  ARGON2_MEMORY_KIB_MIN,
  ARGON2_PASSES_DEFAULT,
  ARGON2_PASSES_MAX,
  ARGON2_PASSES_MIN,
} from "@holdfast/protocol/limits";
import { argon2idNative } from "./argon2-node.ts";
import { asInputKey, INPUT_KEY_BYTES, type InputKey } from "./suite/suite.ts";

export interface Argon2Cost {
  readonly memoryKib: number;
  readonly passes: number;
}

export const ARGON2_COST_DEFAULT: Argon2Cost = { memoryKib: ARGON2_MEMORY_KIB_DEFAULT, passes: ARGON2_PASSES_DEFAULT };
export const ARGON2_SALT_BYTES = 16;

/** Slot key of a passphrase. Over or under the bounds of `checkArgon2Cost`: `limit`, before anything is computed. */
export async function passphraseSlotKey(passphrase: string, salt: Uint8Array, cost: Argon2Cost): Promise<InputKey> {
  checkArgon2Cost(cost);
  return asInputKey(await argon2id(passphraseBytes(passphrase), salt, cost));
}

/** A cost under our floor (a node could weaken a slot) or over our ceiling (or have it take all memory) is a `limit` fault. */
export function checkArgon2Cost(cost: Argon2Cost): void {
  checkBetween("memory in KiB", cost.memoryKib, ARGON2_MEMORY_KIB_MIN, ARGON2_MEMORY_KIB_MAX);
  checkBetween("passes", cost.passes, ARGON2_PASSES_MIN, ARGON2_PASSES_MAX);
}

/** UTF-8 of the passphrase after NFKC, without one trailing line feed and its carriage return. Empty or not Unicode: `input`. */
export function passphraseBytes(passphrase: string): Bytes {
  const text = passphrase.replace(/\r?\n$/, "");
  if (text === "") throw new Fault("input", "passphrase: empty");
  if (/\p{Surrogate}/u.test(text)) throw new Fault("input", "passphrase: not valid Unicode text");
  return utf8(text.normalize("NFKC"));
}

/** Argon2id itself, 32 bytes, without our bounds: exported for the published vectors. */
export async function argon2id(password: Uint8Array, salt: Uint8Array, cost: Argon2Cost): Promise<Bytes> {
  return argon2idNative === null ? argon2idWasm(password, salt, cost) : argon2idNative(password, salt, cost, INPUT_KEY_BYTES);
}

/** The same through WebAssembly, loaded when it is first needed. */
export async function argon2idWasm(password: Uint8Array, salt: Uint8Array, cost: Argon2Cost): Promise<Bytes> {
  const wasm = await import("hash-wasm");
  const hash = await wasm.argon2id({
    password,
    salt,
    parallelism: 1,
    iterations: cost.passes,
    memorySize: cost.memoryKib,
    hashLength: INPUT_KEY_BYTES,
    outputType: "binary",
  });
  return new Uint8Array(hash);
}

function checkBetween(what: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) throw new Fault("limit", `argon2id: ${what}: got ${value}, want ${min} to ${max}`);
}
