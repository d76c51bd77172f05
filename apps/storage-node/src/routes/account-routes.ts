/** Routes of the device's own account and certificate. */
import { asVaultId, createVaultRequest } from "@holdfast/protocol";
import { Hono } from "hono";
import { z } from "zod";
import { answerMessage } from "../answer.ts";
import type { AgentEnv, AppServices } from "../app-services.ts";
import { issueFor } from "../enrolment.ts";
import { withMessage } from "../request-body.ts";
import { requireRole } from "../session.ts";

/** `POST /v1/certificates/renew`: a request for a fresh key → PEM of the leaf, then the intermediate. */
const renewRequest = z.strictObject({ csr: z.string().max(8_192) });

export function accountRoutes(services: AppServices): Hono<AgentEnv> {
  const { store, budget, clock } = services;
  const app = new Hono<AgentEnv>();

  app.get("/account", async (context) => {
    const device = context.get("device");
    const { account, accountName, edition, vault, quotaBytes } = device;
    const usedBytes = vault === null ? 0 : await store.reader.call("storedBytes", [vault]);
    return answerMessage(context, { account, accountName, edition, vault, usedBytes, quotaBytes, nowMs: Math.floor(clock.nowMs()) });
  });

  app.post("/vaults", async (context) => {
    const device = context.get("device");
    requireRole(device, "agent");
    return withMessage(context.env.incoming, budget, createVaultRequest, "vault request", async ({ vault }) => {
      await store.writer.call("createVault", [{ vault: asVaultId(vault), account: device.account }]);
      return answerMessage(context, {});
    });
  });

  app.post("/certificates/renew", async (context) => {
    const { device } = context.get("device");
    return withMessage(context.env.incoming, budget, renewRequest, "renewal request", async ({ csr }) => {
      return answerMessage(context, { certificate: await issueFor(services, csr, device) });
    });
  });

  return app;
}
