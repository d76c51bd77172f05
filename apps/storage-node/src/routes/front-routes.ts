/** The front port: what an agent without a certificate needs, and nothing else. */
import { isFault } from "@holdfast/base";
import { type EnrollRequest, enrollRequest, type ReissueRequest, reissueRequest } from "@holdfast/protocol";
import { answerMessage } from "../answer.ts";
import type { AppServices } from "../app-services.ts";
import { BodyBudget } from "../body-budget.ts";
import { redeemInvite, reissueFor } from "../enrolment.ts";
import { METRICS_TYPE, metricsOf } from "../metrics.ts";
import { withMessage } from "../request-body.ts";
import type { FrontHandlers } from "../roles.ts";
import { Refusal } from "../store/audit-refusals.ts";

/** Strangers may send no more than an enrolment needs, and have memory of their own: they cannot use up that of agents. */
const ENROLL_BYTES_MAX = 32 * 1024;
const FRONT_BODY_BYTES_MAX = 1024 * 1024;
const FRONT_WAIT_MS_MAX = 2000;

export function frontRoutes(services: AppServices): FrontHandlers {
  const { clock, sessions, identity, problems } = services;
  const budget = new BodyBudget(clock, FRONT_BODY_BYTES_MAX, FRONT_WAIT_MS_MAX);
  return {
    "GET /v1/root": (context) => answerMessage(context, { root: identity.rootPem }),

    "GET /v1/crl": (context) => context.body(identity.revocationLists().join(""), 200, { "content-type": "application/x-pem-file" }),

    async "POST /v1/enroll"(context) {
      const { incoming } = context.env;
      const redeem = async (message: EnrollRequest): Promise<Response> => {
        sessions.checkEnrolment(incoming, message.deviceKey);
        const enrolled = redeemInvite(services, message, incoming.socket.remoteAddress ?? "").catch(tellAsRefusal);
        return answerMessage(context, await enrolled);
      };
      return withMessage(incoming, budget, enrollRequest, "enroll request", redeem, ENROLL_BYTES_MAX);
    },

    async "POST /v1/certificates/reissue"(context) {
      const { incoming } = context.env;
      const reissue = async (message: ReissueRequest): Promise<Response> => {
        sessions.checkEnrolment(incoming, message.deviceKey);
        return answerMessage(context, await reissueFor(services, message, incoming.socket.remoteAddress ?? ""));
      };
      return withMessage(incoming, budget, reissueRequest, "reissue request", reissue, ENROLL_BYTES_MAX);
    },

    "GET /healthz": (context) => context.json({ status: "alive", problems: [...problems()] }),

    "GET /metrics": (context) => context.text(metricsOf(services), 200, { "content-type": METRICS_TYPE }),

    "GET /readyz"(context) {
      const ready = problems().length === 0;
      return context.json({ status: ready ? "ready" : "not ready" }, ready ? 200 : 503);
    },
  };
}

/** An invite that is refused counts as such in the audit trail: guesses show up as a class of their own. */
function tellAsRefusal(error: unknown): never {
  if (!isFault(error, "denied") || error instanceof Refusal) throw error;
  throw new Refusal("invite", error.code, error.message, { detail: error.detail, cause: error });
}
