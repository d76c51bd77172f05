/**
 * The two apps: functions of what they are given, one for each port. Their routes are the rows of roles.ts; every fault
 * leaves through `onError`, which counts refusals for the audit trail.
 */
import { Fault } from "@holdfast/base";
import { Hono } from "hono";
import { createErrorAnswer } from "./answer.ts";
import type { AgentEnv, AppServices, FrontEnv } from "./app-services.ts";
import { type AgentHandlers, addAgentRoutes, addFrontRoutes } from "./roles.ts";
import { accountRoutes } from "./routes/account-routes.ts";
import { auditRoutes } from "./routes/audit-routes.ts";
import { frontRoutes } from "./routes/front-routes.ts";
import { recordRoutes } from "./routes/record-routes.ts";
import { vaultRoutes } from "./routes/vault-routes.ts";
import { createRefusalCounter, Refusal, type RefusalCounter, reasonOf } from "./store/audit-refusals.ts";
import { createAuditTrail } from "./store/audit-trail.ts";

/** The agent port: no route is reached without both bonds. */
export function createAgentApp(services: AppServices): Hono<AgentEnv> {
  const app = new Hono<AgentEnv>();
  app.use(async (context, next) => {
    const [problem] = services.problems();
    if (problem !== undefined) throw new Refusal("gate", "certificate", `storage node: does not pass its certificate gate: ${problem}`);
    context.set("device", await services.sessions.check(context.env.incoming));
    if (context.req.method === "GET" && (context.req.header("content-length") ?? "0") !== "0") throw new Fault("input", "request: GET has no body");
    await next();
  });
  const handlers: AgentHandlers = { ...accountRoutes(services), ...vaultRoutes(services), ...recordRoutes(services), ...auditRoutes(services) };
  addAgentRoutes(app, handlers);
  return finished(app, services);
}

/** The front port: enrolment and the revocation list. */
export function createFrontApp(services: AppServices): Hono<FrontEnv> {
  const app = new Hono<FrontEnv>();
  addFrontRoutes(app, frontRoutes(services));
  return finished(app, services);
}

/** A counter of refusals that writes into the audit trail of the node's store. */
export function countRefusals({ store, clock, log }: Pick<AppServices, "store" | "clock" | "log">): RefusalCounter {
  return createRefusalCounter(createAuditTrail(store.writer, clock), clock, (error) =>
    log("error", "audit trail: a refusal was not recorded", { error: error instanceof Error ? error.message : String(error) }),
  );
}

function finished<App extends Hono<AgentEnv> | Hono<FrontEnv>>(app: App, services: AppServices): App {
  const answer = createErrorAnswer(services.log);
  const refusals = services.refusals ?? countRefusals(services);
  app.notFound(() => {
    throw new Fault("missing", "route: not here");
  });
  app.onError((error, context) => {
    const reason = reasonOf(error);
    if (reason !== null) refusals.note(reason, context.env.incoming.socket.remoteAddress ?? "");
    return answer(error, context);
  });
  return app;
}
