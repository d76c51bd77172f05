/**
 * Who may do what: every route of both ports, with the roles that it takes. The apps make their routes from these tables,
 * so a route without a row does not exist, and a row without a handler does not compile. Roles restrict what a device may
 * ask for; what it may write into a vault's journal, the journal itself says as well (docs/protocol.md).
 */
import { equalBytes } from "@holdfast/base";
import { asVaultId, idFromHex, ROLES, type Role } from "@holdfast/protocol";
import type { Context, Handler, Hono } from "hono";
import type { AgentEnv, FrontEnv } from "./app-services.ts";
import { Refusal } from "./store/audit-refusals.ts";
import type { KnownDevice } from "./store/catalog-reader.ts";
import type { VaultRef } from "./store/writer-worker.ts";

type RouteName = `${"GET" | "POST" | "PUT" | "DELETE"} /${string}`;

const ANY_ROLE = Object.keys(ROLES) as Role[];

/** The agent port: method and path → the roles of which a device needs one. With `:vault`, that vault must be its account's. */
export const AGENT_ROUTES = {
  "GET /v1/account": ANY_ROLE,
  "POST /v1/certificates/renew": ANY_ROLE,
  "POST /v1/vaults": ["agent"],
  "POST /v1/vaults/:vault/leases": ["agent"],
  "POST /v1/vaults/:vault/records": ["agent"],
  "POST /v1/vaults/:vault/records/have": ["agent"],
  "GET /v1/vaults/:vault/records/:id": ["agent"],
  "GET /v1/vaults/:vault/changes": ["agent"],
  "POST /v1/vaults/:vault/journal": ["agent", "maintainer", "admin"],
  "GET /v1/vaults/:vault/journal": ["agent", "maintainer", "auditor", "admin"],
  "GET /v1/audit": ["auditor", "admin"],
  "GET /v1/devices": ["auditor", "admin"],
} as const satisfies Record<RouteName, readonly Role[]>;
export type AgentRoute = keyof typeof AGENT_ROUTES;

/** The front port: all of it is for anyone; enrolment asks for an invite in its body. */
export const FRONT_ROUTES = [
  "GET /v1/root",
  "GET /v1/crl",
  "POST /v1/enroll",
  "POST /v1/certificates/reissue",
  "GET /healthz",
  "GET /readyz",
  "GET /metrics",
] as const satisfies readonly RouteName[];
export type FrontRoute = (typeof FRONT_ROUTES)[number];

export type AgentHandlers<Routes extends AgentRoute = AgentRoute> = Readonly<Record<Routes, (context: Context<AgentEnv>) => Promise<Response>>>;
export type FrontHandlers = Readonly<Record<FrontRoute, (context: Context<FrontEnv>) => Response | Promise<Response>>>;

/** Adds the agent port's routes, each behind the check of its row. Runs after the session is proven. */
export function addAgentRoutes(app: Hono<AgentEnv>, handlers: AgentHandlers): void {
  for (const route of Object.keys(AGENT_ROUTES) as AgentRoute[]) {
    const [method = "", path = ""] = route.split(" ");
    const handler = handlers[route];
    app.on(method, path, async (context) => {
      const device = context.get("device");
      requireRole(device, AGENT_ROUTES[route]);
      if (path.includes("/:vault")) context.set("vault", ownVault(device, context.req.param("vault") ?? ""));
      return handler(context);
    });
  }
}

/** Adds the front port's routes. */
export function addFrontRoutes(app: Hono<FrontEnv>, handlers: FrontHandlers): void {
  for (const route of FRONT_ROUTES) {
    const [method = "", path = ""] = route.split(" ");
    app.on(method, path, handlers[route] as Handler<FrontEnv>);
  }
}

function requireRole(device: KnownDevice, roles: readonly Role[]): void {
  if (!roles.some((role) => device.roles.includes(role))) throw new Refusal("role", "denied", `device: needs the role ${roles.join(" or ")}`);
}

/** The vault in the path, which must be the one of the device's account; one answer for every other, there or not. */
function ownVault(device: KnownDevice, hex: string): VaultRef {
  const vault = idFromHex(hex, asVaultId, "vault");
  if (device.vault === null || !equalBytes(device.vault, vault)) throw new Refusal("other-vault", "denied", "vault: is not the account's");
  return { vault: device.vault, account: device.account };
}
