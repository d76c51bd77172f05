/** A vault with fixed keys in a given folder, opened again and again: for tests that kill its writer. */

import { sha256 } from "@holdfast/crypto/hash";
import { asAccountId, asLeaseId } from "@holdfast/protocol";
import { testKey } from "@holdfast/testkit";
import { VaultFixture } from "./vault-fixture.ts";

export const CRASH_LEASE: Uint8Array<ArrayBuffer> = new Uint8Array(16).fill(5);

/** Opens the vault, founding it the first time, and takes up its chain. */
export async function openCrashVault(folder: string): Promise<VaultFixture> {
  const keys = { owner: testKey(71), device: testKey(72), nodeSeed: sha256(new Uint8Array(1)), account: asAccountId(new Uint8Array(16).fill(1)) };
  const vault = await VaultFixture.create({ folder, keys, lease: asLeaseId(CRASH_LEASE) });
  const { items } = await vault.store.reader.call("journal", [vault.account.vault, -1, Number.MAX_SAFE_INTEGER]);
  for (const { entry, receipt } of items) vault.account.accept(entry, receipt, vault.nodeSigner.publicKey);
  if (items.length === 0) await vault.found();
  else if (items.length === 1) await vault.commit(vault.account.admission());
  return vault;
}
