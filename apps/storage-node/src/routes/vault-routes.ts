/** Routes of one vault, below `/v1/vaults/{v}`: leases, changes, the journal. Records have a file of their own. */
import { concatBytes, Fault } from "@holdfast/base";
import { asLeaseId, commitRequest, haveRequest, leaseRequest, MESSAGE_BYTES_MAX, SHORT_ID_BYTES, splitRecordIds } from "@holdfast/protocol";
import { Hono } from "hono";
import { answerMessage } from "../answer.ts";
import type { AgentEnv, AppServices } from "../app-services.ts";
import { withMessage } from "../request-body.ts";
import { leaseOf, vaultOf } from "./request-vault.ts";

/** Room for the other parts of a journal page. */
const JOURNAL_PAGE_BYTES_MAX: number = MESSAGE_BYTES_MAX / 2;

export function vaultRoutes({ store, budget, random }: AppServices): Hono<AgentEnv> {
  const app = new Hono<AgentEnv>();

  app.post("/leases", async (context) => {
    const { ref, device } = vaultOf(context, "agent");
    return withMessage(context.env.incoming, budget, leaseRequest, "lease request", async (message) => {
      const lease = asLeaseId(message.lease ?? random.bytes(SHORT_ID_BYTES));
      return answerMessage(context, { lease, expiresAtMs: await store.writer.call("lease", [ref, lease, device.device]) });
    });
  });

  app.post("/records/have", async (context) => {
    const { ref, device } = vaultOf(context, "agent");
    const lease = leaseOf(context);
    return withMessage(context.env.incoming, budget, haveRequest, "have request", async ({ ids }) => {
      const wanted = concatBytes(...splitRecordIds(ids));
      return answerMessage(context, { missing: await store.writer.call("missing", [ref, wanted, lease, device.device]) });
    });
  });

  app.get("/changes", async (context) => {
    const { ref } = vaultOf(context, "agent");
    return answerMessage(context, await store.reader.call("changes", [ref.vault, context.req.query("after") ?? ""]));
  });

  app.post("/journal", async (context) => {
    const { ref, device } = vaultOf(context, "agent", "maintainer", "admin");
    return withMessage(context.env.incoming, budget, commitRequest, "commit request", async ({ entry, additions, drops }) => {
      splitRecordIds(additions); // Throws `format` before the writer is bothered.
      splitRecordIds(drops);
      return answerMessage(context, { receipt: await store.writer.call("commit", [ref, entry, additions, drops, device.device]) });
    });
  });

  app.get("/journal", async (context) => {
    const { ref } = vaultOf(context, "agent", "maintainer", "auditor", "admin");
    const after = context.req.query("after") ?? "-1";
    if (!/^(-1|\d{1,15})$/.test(after)) throw new Fault("input", "journal: after is not a sequence number");
    return answerMessage(context, await store.reader.call("journal", [ref.vault, Number(after), JOURNAL_PAGE_BYTES_MAX]));
  });

  return app;
}
