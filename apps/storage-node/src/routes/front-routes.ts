/** The front port: what an agent without a certificate needs, and nothing else. */
import { type EnrollRequest, enrollRequest } from "@holdfast/protocol";
import { Hono } from "hono";
import { answerMessage } from "../answer.ts";
import type { AppServices, FrontEnv } from "../app-services.ts";
import { BodyBudget } from "../body-budget.ts";
import { redeemInvite } from "../enrolment.ts";
import { withMessage } from "../request-body.ts";

/** Strangers may send no more than an enrolment needs, and have memory of their own: they cannot use up that of agents. */
const ENROLL_BYTES_MAX = 32 * 1024;
const FRONT_BODY_BYTES_MAX = 1024 * 1024;
const FRONT_WAIT_MS_MAX = 2000;

export function frontRoutes(services: AppServices): Hono<FrontEnv> {
  const { clock, sessions, identity, problems } = services;
  const budget = new BodyBudget(clock, FRONT_BODY_BYTES_MAX, FRONT_WAIT_MS_MAX);
  const app = new Hono<FrontEnv>();

  app.get("/v1/root", (context) => answerMessage(context, { root: identity.rootPem }));

  app.get("/v1/crl", (context) => context.body(identity.revocationLists().join(""), 200, { "content-type": "application/x-pem-file" }));

  app.post("/v1/enroll", async (context) => {
    const { incoming } = context.env;
    const redeem = async (message: EnrollRequest): Promise<Response> => {
      sessions.checkEnrolment(incoming, message.deviceKey);
      return answerMessage(context, await redeemInvite(services, message, incoming.socket.remoteAddress ?? ""));
    };
    return withMessage(incoming, budget, enrollRequest, "enroll request", redeem, ENROLL_BYTES_MAX);
  });

  app.get("/healthz", (context) => context.json({ status: "alive" }));

  app.get("/readyz", (context) => {
    const ready = problems().length === 0;
    return context.json({ status: ready ? "ready" : "not ready" }, ready ? 200 : 503);
  });

  return app;
}
