/** Which vault a request is about, and whether its device may: shared by the routes below `/v1/vaults/{v}`. */
import { equalBytes, Fault } from "@holdfast/base";
import { asLeaseId, asVaultId, idFromHex, type LeaseId, type Role } from "@holdfast/protocol";
import type { Context } from "hono";
import type { AgentEnv } from "../app-services.ts";
import { requireRole } from "../session.ts";
import type { KnownDevice } from "../store/catalog-reader.ts";
import type { VaultRef } from "../store/writer-worker.ts";

/** The vault in the path, which must be the one of the device's account; one answer for every other, there or not. */
export function vaultOf(context: Context<AgentEnv>, ...roles: readonly Role[]): { readonly ref: VaultRef; readonly device: KnownDevice } {
  const device = context.get("device");
  requireRole(device, ...roles);
  const vault = idFromHex(context.req.param("vault") ?? "", asVaultId, "vault");
  if (device.vault === null || !equalBytes(device.vault, vault)) throw new Fault("denied", "vault: is not the account's");
  return { ref: { vault: device.vault, account: device.account }, device };
}

/** The lease that the request names in its signed header. */
export function leaseOf(context: Context<AgentEnv>): LeaseId {
  const header = context.req.header("holdfast-lease");
  if (header === undefined) throw new Fault("input", "request: names no lease");
  return idFromHex(header, asLeaseId, "lease");
}
