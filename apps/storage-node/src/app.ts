/** The two apps: functions of what they are given, one for each port. Every fault leaves through `onError`. */
import { Fault } from "@holdfast/base";
import { Hono } from "hono";
import { createErrorAnswer } from "./answer.ts";
import type { AgentEnv, AppServices, FrontEnv } from "./app-services.ts";
import { accountRoutes } from "./routes/account-routes.ts";
import { frontRoutes } from "./routes/front-routes.ts";
import { recordRoutes } from "./routes/record-routes.ts";
import { vaultRoutes } from "./routes/vault-routes.ts";

/** The agent port: no route is reached without both bonds. */
export function createAgentApp(services: AppServices): Hono<AgentEnv> {
  const app = new Hono<AgentEnv>();
  app.use(async (context, next) => {
    const [problem] = services.problems();
    if (problem !== undefined) throw new Fault("certificate", `storage node: does not pass its certificate gate: ${problem}`);
    context.set("device", await services.sessions.check(context.env.incoming));
    if (context.req.method === "GET" && (context.req.header("content-length") ?? "0") !== "0") throw new Fault("input", "request: GET has no body");
    await next();
  });
  app.route("/v1", accountRoutes(services));
  app.route("/v1/vaults/:vault", vaultRoutes(services));
  app.route("/v1/vaults/:vault", recordRoutes(services));
  return finished(app, services);
}

/** The front port: enrolment and the revocation list. */
export function createFrontApp(services: AppServices): Hono<FrontEnv> {
  return finished(new Hono<FrontEnv>().route("/", frontRoutes(services)), services);
}

function finished<App extends Hono<AgentEnv> | Hono<FrontEnv>>(app: App, services: AppServices): App {
  app.notFound(() => {
    throw new Fault("missing", "route: not here");
  });
  app.onError(createErrorAnswer(services.log));
  return app;
}
