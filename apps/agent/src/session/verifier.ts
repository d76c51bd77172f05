/** The primitives that verifying a journal needs, over packages/crypto. */
import { bytesToHex } from "@holdfast/base";
import { asSigningPublicKey, createVerifier, type Verifier as KeyVerifier, sha256 } from "@holdfast/crypto";
import type { Verifier } from "@holdfast/protocol";

const KEYS_HELD_MAX = 1_000;

/** Keeps the keys that it has set up: a journal has few of them and many signatures. */
export function createJournalVerifier(): Verifier {
  const verifiersByKey = new Map<string, KeyVerifier | null>();
  return {
    sha256: (bytes) => sha256(bytes),
    verify(use, publicKey, body, signature) {
      const hex = bytesToHex(publicKey);
      let verifier = verifiersByKey.get(hex);
      if (verifier === undefined) {
        if (verifiersByKey.size >= KEYS_HELD_MAX) verifiersByKey.clear();
        verifier = keyVerifierOf(publicKey);
        verifiersByKey.set(hex, verifier);
      }
      return verifier?.verify(use, body, signature) ?? false;
    },
  };
}

/** `null` for bytes that are no key: nothing verifies under them. */
function keyVerifierOf(publicKey: Uint8Array): KeyVerifier | null {
  try {
    return createVerifier(asSigningPublicKey(publicKey));
  } catch {
    return null;
  }
}
