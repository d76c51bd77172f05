/** AES-256-GCM through WebCrypto: asynchronous, for Deno and browsers. WebCrypto takes no shared memory, so such input is copied segment by segment. */
import { type Bytes, concatBytes } from "@holdfast/base";
import type { AesGcm } from "./aes.ts";

const ALGORITHM = "AES-GCM";
const TAG_BITS = 128;

export const webAesGcm: AesGcm = {
  kind: "async",

  async importKey(key) {
    const { subtle } = globalThis.crypto;
    const imported = await subtle.importKey("raw", key, ALGORITHM, false, ["encrypt", "decrypt"]);
    return {
      async seal(nonce, parts, out, outOffset) {
        const sealed = await subtle.encrypt({ name: ALGORITHM, iv: nonce, tagLength: TAG_BITS }, imported, unshared(parts));
        out.set(new Uint8Array(sealed), outOffset);
      },

      async open(nonce, sealed, out, outOffset) {
        let plaintext: ArrayBuffer;
        try {
          plaintext = await subtle.decrypt({ name: ALGORITHM, iv: nonce, tagLength: TAG_BITS }, imported, unshared([sealed]));
        } catch {
          return false;
        }
        out.set(new Uint8Array(plaintext), outOffset);
        return true;
      },
    };
  },
};

/** The parts in one piece of memory that is not shared. */
function unshared(parts: readonly Uint8Array[]): Bytes {
  const [only] = parts;
  if (only !== undefined && parts.length === 1 && only.buffer instanceof ArrayBuffer) return only as Bytes;
  return concatBytes(...parts);
}
