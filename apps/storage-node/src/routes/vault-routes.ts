/** Routes of one vault, below `/v1/vaults/{v}`: leases, changes, the journal. Records have a file of their own. */
import { bytesToHex, concatBytes, Fault } from "@holdfast/base";
import {
  asLeaseId,
  commitRequest,
  ENTRY_KINDS,
  haveRequest,
  leaseRequest,
  MESSAGE_BYTES_MAX,
  OWNER_KINDS,
  parseJournalEntry,
  SHORT_ID_BYTES,
  splitRecordIds,
} from "@holdfast/protocol";
import { answerMessage } from "../answer.ts";
import type { AppServices } from "../app-services.ts";
import { withMessage } from "../request-body.ts";
import type { AgentHandlers, AgentRoute } from "../roles.ts";
import { type AuditEntry, createAuditTrail } from "../store/audit-trail.ts";
import { leaseOf, vaultOf } from "./request-vault.ts";

/** Room for the other parts of a journal page. */
const JOURNAL_PAGE_BYTES_MAX: number = MESSAGE_BYTES_MAX / 2;

type VaultRoute = `${"POST" | "GET"} /v1/vaults/:vault/${"leases" | "records/have" | "changes" | "journal"}` & AgentRoute;

export function vaultRoutes({ store, budget, random, clock }: AppServices): AgentHandlers<VaultRoute> {
  const trail = createAuditTrail(store.writer, clock);
  return {
    async "POST /v1/vaults/:vault/leases"(context) {
      const { ref, device } = vaultOf(context);
      return withMessage(context.env.incoming, budget, leaseRequest, "lease request", async (message) => {
        const lease = asLeaseId(message.lease ?? random.bytes(SHORT_ID_BYTES));
        return answerMessage(context, { lease, expiresAtMs: await store.writer.call("lease", [ref, lease, device.device]) });
      });
    },

    async "POST /v1/vaults/:vault/records/have"(context) {
      const { ref, device } = vaultOf(context);
      const lease = leaseOf(context);
      return withMessage(context.env.incoming, budget, haveRequest, "have request", async ({ ids }) => {
        const wanted = concatBytes(...splitRecordIds(ids));
        return answerMessage(context, { missing: await store.writer.call("missing", [ref, wanted, lease, device.device]) });
      });
    },

    async "GET /v1/vaults/:vault/changes"(context) {
      const { ref } = vaultOf(context);
      return answerMessage(context, await store.reader.call("changes", [ref.vault, context.req.query("after") ?? ""]));
    },

    async "POST /v1/vaults/:vault/journal"(context) {
      const { ref, device } = vaultOf(context);
      return withMessage(context.env.incoming, budget, commitRequest, "commit request", async ({ entry, additions, drops }) => {
        splitRecordIds(additions); // Throws `format` before the writer is bothered.
        splitRecordIds(drops);
        const receipt = await store.writer.call("commit", [ref, entry, additions, drops, device.device]);
        const change = administrativeChange(entry);
        if (change !== null) {
          const origin = context.env.incoming.socket.remoteAddress ?? "";
          await trail.record({ actor: bytesToHex(device.device), ...change, origin, result: "done" });
        }
        return answerMessage(context, { receipt });
      });
    },

    async "GET /v1/vaults/:vault/journal"(context) {
      const { ref } = vaultOf(context);
      const after = context.req.query("after") ?? "-1";
      if (!/^(-1|\d{1,15})$/.test(after)) throw new Fault("input", "journal: after is not a sequence number");
      return answerMessage(context, await store.reader.call("journal", [ref.vault, Number(after), JOURNAL_PAGE_BYTES_MAX]));
    },
  };
}

/** What an entry that the owner signed changes, for the audit trail; `null` for the daily ones of agents. */
function administrativeChange(entry: Uint8Array): Pick<AuditEntry, "action" | "subject"> | null {
  const { vault, seq, body } = parseJournalEntry(entry).payload;
  if (!OWNER_KINDS.has(body.kind)) return null;
  const place = `vault ${bytesToHex(vault)}, journal entry ${seq}`;
  switch (body.kind) {
    case ENTRY_KINDS.deviceRevoked:
      return { action: "revoke", subject: `device ${bytesToHex(body.device)}, ${place}` };
    case ENTRY_KINDS.policy:
      return { action: "policy", subject: `minimum age ${body.minimumAgeSeconds} s, ${place}` };
    default: {
      const [name] = Object.entries(ENTRY_KINDS).find(([, kind]) => kind === body.kind) ?? [String(body.kind)];
      return { action: "journal", subject: `${name}, ${place}` };
    }
  }
}
