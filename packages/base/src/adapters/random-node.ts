/** The system's randomness, on any runtime. */
import type { Random } from "../ports.ts";

const BYTES_A_CALL_MAX = 65_536; // Web Cryptography API, getRandomValues: more is refused.

export function createSystemRandom(): Random {
  return {
    bytes(byteCount) {
      const bytes = new Uint8Array(byteCount);
      for (let start = 0; start < byteCount; start += BYTES_A_CALL_MAX) {
        globalThis.crypto.getRandomValues(bytes.subarray(start, start + BYTES_A_CALL_MAX));
      }
      return bytes;
    },
  };
}
