/** Routes of the device's own account and certificate. */
import { asVaultId, createVaultRequest, renewRequest } from "@holdfast/protocol";
import { answerMessage } from "../answer.ts";
import type { AppServices } from "../app-services.ts";
import { renewFor } from "../enrolment.ts";
import { withMessage } from "../request-body.ts";
import type { AgentHandlers } from "../roles.ts";

export function accountRoutes(services: AppServices): AgentHandlers<"GET /v1/account" | "POST /v1/vaults" | "POST /v1/certificates/renew"> {
  const { store, budget, clock } = services;
  return {
    async "GET /v1/account"(context) {
      const device = context.get("device");
      const { account, accountName, edition, vault, quotaBytes } = device;
      const usedBytes = vault === null ? 0 : await store.reader.call("storedBytes", [vault]);
      return answerMessage(context, { account, accountName, edition, vault, usedBytes, quotaBytes, nowMs: Math.floor(clock.nowMs()) });
    },

    async "POST /v1/vaults"(context) {
      const device = context.get("device");
      return withMessage(context.env.incoming, budget, createVaultRequest, "vault request", async ({ vault }) => {
        await store.writer.call("createVault", [{ vault: asVaultId(vault), account: device.account }]);
        return answerMessage(context, {});
      });
    },

    async "POST /v1/certificates/renew"(context) {
      const { device } = context.get("device");
      return withMessage(context.env.incoming, budget, renewRequest, "renewal request", async ({ csr }) => {
        const origin = context.env.incoming.socket.remoteAddress ?? "";
        return answerMessage(context, await renewFor(services, csr, device, services.nextRoot?.() ?? null, origin));
      });
    },
  };
}
