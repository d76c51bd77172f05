/**
 * The operator's door to a running node: HTTP over a UNIX socket in the data folder, which only the node's own user
 * can enter. Commands use it, since one process owns the store.
 */
import { chmodSync, rmSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { type Clock, FAULTS, Fault, isFault, isFaultCode, type Random, utf8 } from "@holdfast/base";
import { fingerprintWords } from "@holdfast/pki";
import { asAccountId, asDeviceId, type DeviceId, encodeInvite, idFromHex, LABEL_BYTES_MAX, SHORT_ID_BYTES } from "@holdfast/protocol";
import { z } from "zod";
import { deviceWords } from "./commands/node-store.ts";
import type { NodeIdentity } from "./node-identity.ts";
import type { DeviceRow } from "./store/catalog-reader.ts";
import type { Store } from "./store/store.ts";

const name = z
  .string()
  .min(1)
  .max(LABEL_BYTES_MAX)
  .regex(/^[\p{L}\p{N} ._@-]+$/u, "want letters, digits, spaces or any of . _ @ -");

export const inviteOrder = z.strictObject({
  account: name,
  edition: z.enum(["dl", "se", "ese"]),
  roles: z
    .array(z.enum(["agent", "maintainer", "auditor", "admin"]))
    .min(1)
    .max(4),
  expiresMs: z
    .int()
    .min(60_000)
    .max(31 * 86_400_000),
  quotaBytes: z.int().min(0).nullable(),
  group: name.optional(),
});
export type InviteOrder = z.infer<typeof inviteOrder>;

const revokeOrder = z.strictObject({ device: z.string().max(64) });
const renameOrder = z.strictObject({ device: z.string().max(64), label: z.string().min(1).max(LABEL_BYTES_MAX) });

export interface InviteAnswer {
  readonly code: string;
  /** Fingerprint of the root that the code pins; the device shows the same once it is enrolled. */
  readonly rootWords: string;
  readonly account: string;
  readonly expiresAtMs: number;
}

/** A device, with the words that it shows for itself. */
export interface DeviceAnswer extends DeviceRow {
  readonly words: string;
}

export interface ControlOptions {
  readonly path: string;
  readonly store: Store;
  readonly identity: NodeIdentity;
  readonly nodeKey: Uint8Array;
  readonly agentPort: number;
  /** Address that the ports listen on. */
  readonly listenHost?: string;
  readonly frontPort: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Makes the ports load a revocation at once. */
  readonly check: () => Promise<void>;
}

const SECRET_BYTES = 16;
/** As whom the audit trail names those who have the socket. */
const OPERATOR = { actor: "operator", origin: "control socket" };
const BODY_BYTES_MAX = 64 * 1024;

/** Opens the socket. The folder is owned by this process, so one that is there already is a left-over. */
export async function startControl(options: ControlOptions): Promise<AsyncDisposable> {
  rmSync(options.path, { force: true });
  const server = createServer(async (request, response) => {
    try {
      const answer = await run(options, request);
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    } catch (error) {
      const fault = isFault(error) ? error : new Fault("internal", "storage node: internal error");
      response.writeHead(FAULTS[fault.code].status).end(JSON.stringify({ code: fault.code, message: fault.message }));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(new Fault("transport", `control socket: cannot listen on ${options.path}`, { cause })));
    server.listen(options.path, resolve);
  });
  chmodSync(options.path, 0o600);
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      rmSync(options.path, { force: true });
    },
  };
}

/** Asks the node that serves `path` for an invite. No node there: `missing`. */
export function askForInvite(path: string, order: { readonly [Field in keyof InviteOrder]?: unknown }): Promise<InviteAnswer> {
  return ask(path, "/invites", order) as Promise<InviteAnswer>;
}

/** Devices of the running node, in the order of their enrolment. */
export function askForDevices(path: string): Promise<readonly DeviceAnswer[]> {
  return ask(path, "/devices", {}) as Promise<readonly DeviceAnswer[]>;
}

/** Gives a device of the running node another label. */
export async function askToRename(path: string, deviceHex: string, label: string): Promise<void> {
  await ask(path, "/devices/rename", { device: deviceHex, label });
}

/** The running node's revocation lists, PEM: those that it checks devices against, and that `GET /v1/crl` answers. */
export async function askForRevocationLists(path: string): Promise<string> {
  return ((await ask(path, "/revocation-lists", {})) as { lists: string }).lists;
}

/** Revokes a device of the running node; requests on open connections are refused from then on. */
export async function askToRevoke(path: string, deviceHex: string): Promise<void> {
  await ask(path, "/devices/revoke", { device: deviceHex });
}

/** Has the running node look at its certificates now; `false` when none runs. */
export async function askToCheck(path: string): Promise<boolean> {
  try {
    await ask(path, "/check", {});
    return true;
  } catch (error) {
    if (isFault(error, "missing")) return false;
    throw error;
  }
}

function ask(path: string, command: string, order: object): Promise<unknown> {
  const body = JSON.stringify(order);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({ socketPath: path, path: command, method: "POST", headers: { "content-length": Buffer.byteLength(body) } }, (response) => {
      text(response).then((answer) => {
        const parsed = JSON.parse(answer);
        if (response.statusCode === 200) resolve(parsed);
        else reject(new Fault(isFaultCode(parsed.code) ? parsed.code : "internal", parsed.message));
      }, reject);
    });
    outgoing.on("error", (cause) => reject(new Fault("missing", "storage node: does not run here; start holdfast-node serve first", { cause })));
    outgoing.end(body);
  });
}

async function run(options: ControlOptions, request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers["content-length"] ?? BODY_BYTES_MAX + 1) > BODY_BYTES_MAX) throw new Fault("limit", "control: body too long");
  const body: unknown = JSON.parse(await text(request));
  switch (request.url) {
    case "/invites":
      return invite(options, parseOrder(inviteOrder, body, "invite"));
    case "/devices":
      return (await options.store.reader.call("devices", [])).map((row) => ({ ...row, words: deviceWords(row.device) }));
    case "/devices/revoke":
      return revoke(options, idFromHex(parseOrder(revokeOrder, body, "revoke").device, asDeviceId, "device"));
    case "/devices/rename":
      return rename(options, parseOrder(renameOrder, body, "rename"));
    case "/ports":
      return {
        agentPort: options.agentPort,
        frontPort: options.frontPort,
        hostNames: [...options.identity.hostNames],
        ...(options.listenHost === undefined ? {} : { listenHost: options.listenHost }),
      };
    case "/check":
      await options.check();
      return {};
    case "/revocation-lists":
      return { lists: options.identity.revocationLists().join("") };
    default:
      throw new Fault("missing", "control: no such command");
  }
}

function parseOrder<Schema extends z.ZodType>(schema: Schema, body: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Fault("input", `${what}: ${parsed.error.issues[0]?.path.join(".")}: ${parsed.error.issues[0]?.message}`);
}

async function revoke({ store, check }: ControlOptions, device: DeviceId): Promise<object> {
  await store.writer.call("revokeDevice", [device, OPERATOR]);
  await check();
  return {};
}

async function rename({ store }: ControlOptions, { device, label }: z.infer<typeof renameOrder>): Promise<object> {
  // Labels are shown on terminals.
  if (!/^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(label) || utf8(label).length > LABEL_BYTES_MAX) {
    throw new Fault("input", `label: want 1 to ${LABEL_BYTES_MAX} bytes, none that control a terminal`);
  }
  await store.writer.call("renameDevice", [idFromHex(device, asDeviceId, "device"), label, OPERATOR]);
  return {};
}

async function invite(options: ControlOptions, order: InviteOrder): Promise<InviteAnswer> {
  const { store, identity, clock, random } = options;
  const secret = random.bytes(SECRET_BYTES);
  const nowMs = Math.floor(clock.nowMs());
  const expiresAtMs = nowMs + order.expiresMs;
  const { account, edition, quotaBytes, roles, group } = order;
  const accountId = asAccountId(random.bytes(SHORT_ID_BYTES));
  await store.writer.call("addInvite", [
    { secret, accountName: account, edition, quotaBytes, roles, accountId, nowMs, expiresAtMs, by: OPERATOR },
    group === undefined ? null : { accountName: account, groupName: group, groupId: random.bytes(SHORT_ID_BYTES), nowMs },
  ]);
  const { rootSpkiSha256, hostNames } = identity;
  const code = encodeInvite({
    host: hostNames[0] as string,
    agentPort: options.agentPort,
    frontPort: options.frontPort,
    secret,
    rootSpkiSha256,
    nodeKey: new Uint8Array(options.nodeKey),
  });
  return { code, account, expiresAtMs, rootWords: fingerprintWords(rootSpkiSha256) };
}
