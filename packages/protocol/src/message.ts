/**
 * Bodies of requests and answers that are not frames: CBOR maps with text keys (`encodeMessage`), each with its schema.
 * The storage node generates its OpenAPI page from the same schemas. Unknown fields are refused.
 */
import { type Bytes, Fault, isFaultCode, utf8 } from "@holdfast/base";
import { z } from "zod";
import { decodeMessage, encodeMessage } from "./codec.ts";
import { HAVE_IDS_MAX, JOURNAL_ENTRY_BYTES_MAX, LABEL_BYTES_MAX, NEEDS_IDS_MAX, PAGE_ITEMS_MAX } from "./limits.ts";

/** Bytes of exactly `length`, copied out of the message. */
const bytes = (length: number) =>
  z
    .custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length, { message: `want ${length} bytes` })
    .transform((value) => new Uint8Array(value) as Bytes);
const bytesUpTo = (lengthMax: number) =>
  z
    .custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= lengthMax, { message: `want at most ${lengthMax} bytes` })
    .transform((value) => new Uint8Array(value) as Bytes);
/** Text of at most `bytesMax` bytes of UTF-8. */
const text = (bytesMax: number) =>
  z
    .string()
    .max(bytesMax)
    .refine((value) => value.length * 3 <= bytesMax || utf8(value).length <= bytesMax, { message: `want at most ${bytesMax} bytes` });
const uint = z.int().min(0);

/**
 * `GET /v1/root` on the front port, before anything is trusted: the agent compares the SHA-256 of the root's SPKI with the
 * one in its invite, then connects again with that root as the only one.
 */
export const rootAnswer = z.strictObject({ root: z.string().max(16_384) });

/** `POST /v1/enroll` on the front port; the request is signed by the device key as well. */
export const enrollRequest = z.strictObject({ secret: bytes(16), csr: z.string().max(8_192), deviceKey: bytes(32), label: text(LABEL_BYTES_MAX) });
export type EnrollRequest = z.infer<typeof enrollRequest>;
export const enrollAnswer = z.strictObject({
  /** PEM: leaf, then intermediate. */
  certificate: z.string().max(32_768),
  /** PEM. */
  root: z.string().max(16_384),
  account: bytes(16),
  accountName: text(LABEL_BYTES_MAX),
  edition: z.enum(["dl", "se", "ese"]),
  /** The account's vault, when it has one already. */
  vault: bytes(16).nullable(),
});
export type EnrollAnswer = z.infer<typeof enrollAnswer>;

/** `POST /v1/certificates/renew`: a request for a fresh key. */
export const renewRequest = z.strictObject({ csr: z.string().max(8_192) });
/** A root that is to follow, and the word of the one before for it. PEM each; what they must be to each other, packages/pki says. */
export const nextRoot = z.strictObject({ root: z.string().max(16_384), cross: z.string().max(16_384), intermediate: z.string().max(16_384) });
/** Answer of `POST /v1/certificates/renew` and `…/reissue`. */
export const renewAnswer = z.strictObject({
  /** PEM: leaf, then intermediate. */
  certificate: z.string().max(32_768),
  /** While the storage node moves to another root. */
  nextRoot: nextRoot.optional(),
});
export type RenewAnswer = z.infer<typeof renewAnswer>;

/** `POST /v1/certificates/reissue` on the front port: a device that slept past the end of its certificate asks with its device key. Answered by `{certificate}`. */
export const reissueRequest = z.strictObject({ csr: z.string().max(8_192), deviceKey: bytes(32) });
export type ReissueRequest = z.infer<typeof reissueRequest>;

/** `POST /v1/vaults`: binds a new vault to the device's account. Again with the same id: no-op. Another id: `conflict`. */
export const createVaultRequest = z.strictObject({ vault: bytes(16) });

/** `GET /v1/account`: what the node says about the device's account. */
export const accountAnswer = z.strictObject({
  account: bytes(16),
  accountName: text(LABEL_BYTES_MAX),
  edition: z.enum(["dl", "se", "ese"]),
  vault: bytes(16).nullable(),
  usedBytes: uint,
  quotaBytes: uint.nullable(),
  nowMs: uint,
});
export type AccountAnswer = z.infer<typeof accountAnswer>;

/** `POST /v1/vaults/{v}/leases`. Without an id a new lease is opened. */
export const leaseRequest = z.strictObject({ lease: bytes(16).optional() });
export const leaseAnswer = z.strictObject({ lease: bytes(16), expiresAtMs: uint });
export type LeaseAnswer = z.infer<typeof leaseAnswer>;

/** `POST /v1/vaults/{v}/records` answers with how many frames were new. */
export const recordsAnswer = z.strictObject({ stored: uint, present: uint });
export type RecordsAnswer = z.infer<typeof recordsAnswer>;

/** `POST /v1/vaults/{v}/records/have`: record ids joined → those that are missing, joined. */
export const haveRequest = z.strictObject({ ids: bytesUpTo(HAVE_IDS_MAX * 32) });
export const haveAnswer = z.strictObject({ missing: bytesUpTo(HAVE_IDS_MAX * 32) });

/** `GET /v1/vaults/{v}/changes?after=CURSOR`. `op`: an index record was added, a record was swept or moved between tiers. */
export const changesAnswer = z.strictObject({
  cursor: z.string().max(128),
  more: z.boolean(),
  items: z
    .array(z.strictObject({ op: z.enum(["added", "swept", "moved"]), kind: uint, id: bytes(32), bytes: uint, tier: z.enum(["hot", "cold"]) }))
    .max(PAGE_ITEMS_MAX),
});
export type ChangesAnswer = z.infer<typeof changesAnswer>;

/** `POST /v1/vaults/{v}/journal`: an entry's frame with the record ids that it adds and drops, joined. */
export const commitRequest = z.strictObject({
  entry: bytesUpTo(JOURNAL_ENTRY_BYTES_MAX),
  additions: bytesUpTo(NEEDS_IDS_MAX * 32),
  drops: bytesUpTo(NEEDS_IDS_MAX * 32),
});
export type CommitRequest = z.infer<typeof commitRequest>;
export const commitAnswer = z.strictObject({ receipt: bytesUpTo(JOURNAL_ENTRY_BYTES_MAX) });

/** `GET /v1/vaults/{v}/journal?after=SEQ` (`after=-1` from genesis): entries with their receipts, in order. */
export const journalAnswer = z.strictObject({
  more: z.boolean(),
  items: z.array(z.strictObject({ entry: bytesUpTo(JOURNAL_ENTRY_BYTES_MAX), receipt: bytesUpTo(JOURNAL_ENTRY_BYTES_MAX) })).max(PAGE_ITEMS_MAX),
});
export type JournalAnswer = z.infer<typeof journalAnswer>;

/** Body of every answer that is not a success. */
export const faultAnswer = z.strictObject({
  code: z.string(),
  message: z.string().max(1_024),
  retry: z.string(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
});

/** Checks `body` against `schema`: anything else is a `format` fault that names the field, never its value. */
export function parseMessage<Schema extends z.ZodType>(schema: Schema, body: Uint8Array, what: string): z.output<Schema> {
  const result = schema.safeParse(decodeMessage(body));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new Fault("format", `${what}: field ${issue?.path.join(".") || "(whole)"}: ${issue?.message ?? "wrong"}`);
}

/** Body of an answer for `fault`. */
export function encodeFault(fault: Fault): Bytes {
  return encodeMessage({ code: fault.code, message: fault.message.slice(0, 1_000), retry: fault.retry, detail: { ...fault.detail } });
}

/** The fault that an answer carries; a body that is none becomes `transport`, with the status. */
export function parseFault(status: number, body: Uint8Array): Fault {
  try {
    const { code, message, detail } = parseMessage(faultAnswer, body, "fault");
    if (isFaultCode(code)) return new Fault(code, message, { detail });
  } catch {
    // Not from a storage node, or from a newer one: the status is all there is.
  }
  return new Fault("transport", `answer: status ${status} without a fault that this version knows`);
}
