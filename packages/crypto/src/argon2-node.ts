/** Native Argon2id of `node:crypto`: Node from 24 on, and Bun. */

import * as nodeCrypto from "node:crypto";
import type { Bytes } from "@holdfast/base";
import type { Argon2Cost } from "./passphrase.ts";

type Argon2Sync = (
  algorithm: "argon2id",
  parameters: { message: Uint8Array; nonce: Uint8Array; parallelism: number; tagLength: number; memory: number; passes: number },
) => Uint8Array;

// Looked up by name: a named import that is missing would stop older runtimes from loading the module.
const argon2Sync = (nodeCrypto as unknown as { argon2Sync?: Argon2Sync }).argon2Sync;

/** `null` where the runtime has none. */
export const argon2idNative: ((password: Uint8Array, salt: Uint8Array, cost: Argon2Cost, byteCount: number) => Bytes) | null =
  argon2Sync === undefined
    ? null
    : (password, salt, cost, byteCount) =>
        new Uint8Array(
          argon2Sync("argon2id", { message: password, nonce: salt, parallelism: 1, tagLength: byteCount, memory: cost.memoryKib, passes: cost.passes }),
        );
