/** What a request below `/v1/vaults/{v}` is about: its vault, which roles.ts has checked, and its lease. */
import { assertDefined, Fault } from "@holdfast/base";
import { asLeaseId, idFromHex, type LeaseId } from "@holdfast/protocol";
import type { Context } from "hono";
import type { AgentEnv } from "../app-services.ts";
import type { KnownDevice } from "../store/catalog-reader.ts";
import type { VaultRef } from "../store/writer-worker.ts";

/** The vault in the path and the device that asks. */
export function vaultOf(context: Context<AgentEnv>): { readonly ref: VaultRef; readonly device: KnownDevice } {
  return { ref: assertDefined(context.get("vault"), "a route with a vault in its path"), device: context.get("device") };
}

/** The lease that the request names in its signed header. */
export function leaseOf(context: Context<AgentEnv>): LeaseId {
  const header = context.req.header("holdfast-lease");
  if (header === undefined) throw new Fault("input", "request: names no lease");
  return idFromHex(header, asLeaseId, "lease");
}
