/** The front port: what an agent without a certificate needs, and nothing else. */
import { enrollRequest } from "@holdfast/protocol";
import { Hono } from "hono";
import { answerMessage } from "../answer.ts";
import type { AppServices, FrontEnv } from "../app-services.ts";
import { redeemInvite } from "../enrolment.ts";
import { withMessage } from "../request-body.ts";

export function frontRoutes(services: AppServices): Hono<FrontEnv> {
  const { budget, sessions, identity, problems } = services;
  const app = new Hono<FrontEnv>();

  app.get("/v1/root", (context) => answerMessage(context, { root: identity.rootPem }));

  app.get("/v1/crl", (context) => context.body(identity.revocationLists().join(""), 200, { "content-type": "application/x-pem-file" }));

  app.post("/v1/enroll", async (context) => {
    const { incoming } = context.env;
    return withMessage(incoming, budget, enrollRequest, "enroll request", async (message) => {
      sessions.checkEnrolment(incoming, message.deviceKey);
      return answerMessage(context, await redeemInvite(services, message, incoming.socket.remoteAddress ?? ""));
    });
  });

  app.get("/healthz", (context) => context.json({ status: "alive" }));

  app.get("/readyz", (context) => {
    const ready = problems().length === 0;
    return context.json({ status: ready ? "ready" : "not ready" }, ready ? 200 : 503);
  });

  return app;
}
