/** The primitives that the journal's state machine and request signatures are checked with. */

import { sha256 } from "@holdfast/crypto/hash";
import { createVerifier, type SigningPublicKey } from "@holdfast/crypto/signature";
import type { Verifier } from "@holdfast/protocol";

export const nodeVerifier: Verifier = {
  sha256: (bytes) => sha256(bytes),
  // A key that is none verifies nothing: no check of its form is needed before.
  verify: (use, publicKey, body, signature) => createVerifier(publicKey as SigningPublicKey).verify(use, body, signature),
};
