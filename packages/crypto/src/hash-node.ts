/**
 * Hashes through `node:crypto`, which Node, Bun and Deno have.
 *
 * Setting up a raw HMAC key dominates small inputs in Node, so the key becomes a `KeyObject` once. Bun copies a keyed hasher faster still.
 */

import { createHash, createHmac, createSecretKey } from "node:crypto";
import type { Bytes } from "@holdfast/base";
import type { HashAdapter, Hasher } from "./hash.ts";

interface BunHasher {
  copy(): BunHasher;
  update(bytes: Uint8Array): BunHasher;
  digest(): Uint8Array;
}

const bun = (globalThis as { Bun?: { CryptoHasher: new (algorithm: string, key: Uint8Array) => BunHasher } }).Bun;

export const nodeHashAdapter: HashAdapter = {
  sha256: (bytes) => plain(createHash("sha256").update(bytes).digest()),

  createSha256() {
    const hash = createHash("sha256");
    const hasher: Hasher = {
      update(bytes) {
        hash.update(bytes);
        return hasher;
      },
      digest: () => plain(hash.digest()),
    };
    return hasher;
  },

  createHmacSha256(key) {
    if (bun !== undefined && key.length > 0) {
      const keyed = new bun.CryptoHasher("sha256", key);
      return (...parts) => {
        const hasher = keyed.copy();
        for (const part of parts) hasher.update(part);
        return plain(hasher.digest());
      };
    }
    // Some runtimes refuse an empty KeyObject; an empty key equals one zero byte (RFC 2104 §2 pads with zeros).
    const secret = createSecretKey(key.length === 0 ? new Uint8Array(1) : key);
    return (...parts) => {
      const hmac = createHmac("sha256", secret);
      for (const part of parts) hmac.update(part);
      return plain(hmac.digest());
    };
  },

  hmacSha512(key, ...parts) {
    const hmac = createHmac("sha512", key);
    for (const part of parts) hmac.update(part);
    return plain(hmac.digest());
  },
};

/** A copy free of `Buffer` and of the pool that a `Buffer` may lie in. */
function plain(digest: Uint8Array): Bytes {
  return new Uint8Array(digest);
}
