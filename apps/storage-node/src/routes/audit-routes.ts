/** Routes of auditors and administrators: the audit trail and the devices of all accounts, to read. */
import { type Bytes, Fault, hexToBytes } from "@holdfast/base";
import { PAGE_ITEMS_MAX } from "@holdfast/protocol";
import { answerMessage } from "../answer.ts";
import type { AppServices } from "../app-services.ts";
import type { AgentHandlers } from "../roles.ts";

export function auditRoutes({ store }: AppServices): AgentHandlers<"GET /v1/audit" | "GET /v1/devices"> {
  return {
    async "GET /v1/audit"(context) {
      const after = context.req.query("after") ?? "0";
      if (!/^\d{1,15}$/.test(after)) throw new Fault("input", "audit: after is not a row's number");
      const rows = await store.reader.call("audit", [Number(after), PAGE_ITEMS_MAX + 1]);
      const items = rows
        .slice(0, PAGE_ITEMS_MAX)
        .map(({ previousHashHex, hashHex, ...row }) => ({ ...row, previousHash: hexToBytes(previousHashHex) as Bytes, hash: hexToBytes(hashHex) as Bytes }));
      return answerMessage(context, { more: rows.length > items.length, items });
    },

    async "GET /v1/devices"(context) {
      const after = context.req.query("after") ?? "";
      if (!/^([0-9a-f]{32})?$/.test(after)) throw new Fault("input", "devices: after is not a device id");
      const rows = (await store.reader.call("devices", [])).filter(({ device }) => device > after);
      rows.sort((left, right) => (left.device < right.device ? -1 : 1));
      const items = rows
        .slice(0, PAGE_ITEMS_MAX)
        .map(({ device, roles, ...row }) => ({ ...row, device: hexToBytes(device) as Bytes, roles: roles.split(",") }));
      return answerMessage(context, { more: rows.length > items.length, items });
    },
  };
}
