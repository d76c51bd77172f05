/** Keys of tests: made from a number, so that a failure repeats. */
import { type Bytes, concatBytes, u32 } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { asSigningPublicKey, asSigningSeed, createSigner, createVerifier, type Signer } from "@holdfast/crypto/signature";
import { asDeviceId, asVaultId, type DeviceId, type VaultId, type Verifier } from "@holdfast/protocol";

export interface TestKey extends Signer {
  /** First 16 bytes of the SHA-256 of the public key: id of the device, or of the vault, that the key belongs to. */
  readonly deviceId: DeviceId;
  readonly vaultId: VaultId;
}

/** The key whose seed is the SHA-256 of `number`. */
export function testKey(number: number): TestKey {
  const signer = createSigner(asSigningSeed(sha256(u32(number))));
  const id = sha256(signer.publicKey).slice(0, 16);
  return { ...signer, deviceId: asDeviceId(id), vaultId: asVaultId(id) };
}

/** The primitives that protocol's verification takes, over packages/crypto. */
export const testVerifier: Verifier = {
  sha256: (bytes) => sha256(bytes),
  verify(use, publicKey, body, signature) {
    try {
      return createVerifier(asSigningPublicKey(publicKey)).verify(use, body, signature);
    } catch {
      return false; // Not a key at all.
    }
  },
};

/** 32 bytes named by `text`: for ids that only need to differ. */
export function testId(text: string): Bytes {
  return sha256(concatBytes(new TextEncoder().encode(text)));
}
