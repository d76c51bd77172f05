/** Routes of records: frames in, streamed into the store; frames out, whole or a range, a part at a time. */
import { assert, type Bytes, Fault } from "@holdfast/base";
import { asRecordId, FRAME_PART_BYTES, idFromHex, parseContentDigest, RECORDS_BODY_BYTES_MAX, type VaultId } from "@holdfast/protocol";
import { answerMessage } from "../answer.ts";
import type { AppServices } from "../app-services.ts";
import { createMemoryHint } from "../memory-hint-bun.ts";
import { bodyLength, bodyOf } from "../request-body.ts";
import type { AgentHandlers } from "../roles.ts";
import type { Store } from "../store/store.ts";
import type { RecordPlace } from "../store/vault-reader.ts";
import { receiveRecords } from "../upload.ts";
import { leaseOf, vaultOf } from "./request-vault.ts";

/** Requests with frames under way; each holds a socket's unread bytes beside its share of the budget. */
const UPLOAD_COUNT_MAX = 64;

const noteMemory = createMemoryHint(32 * 1024 * 1024, true);

/** Bytes `first` to `last` of a frame, both included. */
interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export function recordRoutes({ store, budget }: AppServices): AgentHandlers<"POST /v1/vaults/:vault/records" | "GET /v1/vaults/:vault/records/:id"> {
  let uploadCount = 0;
  return {
    async "POST /v1/vaults/:vault/records"(context) {
      const { ref, device } = vaultOf(context);
      const lease = leaseOf(context);
      const idsDigest = parseContentDigest(context.req.header("holdfast-records"));
      bodyLength(context.env.incoming, RECORDS_BODY_BYTES_MAX);
      if (uploadCount >= UPLOAD_COUNT_MAX) throw new Fault("busy", "storage node: too many uploads at once", { detail: { delayMs: 1000 } });
      uploadCount++;
      try {
        const upload = { ref, device: device.device, lease, quotaBytes: device.quotaBytes, idsDigest };
        return answerMessage(context, await receiveRecords(bodyOf(context.env.incoming), upload, store, budget));
      } finally {
        uploadCount--;
      }
    },

    async "GET /v1/vaults/:vault/records/:id"(context) {
      const { ref } = vaultOf(context);
      const id = idFromHex(context.req.param("id") ?? "", asRecordId, "record id");
      const place = await store.reader.call("place", [ref.vault, id]);
      if (place === null) throw new Fault("missing", "record: not stored");
      const header = context.req.header("range");
      const range = header === undefined ? { first: 0, last: place.byteCount - 1 } : parseRange(header, place.byteCount);
      const headers: Record<string, string> = { "content-type": "application/cbor-seq", "content-length": String(range.last - range.first + 1) };
      if (header !== undefined) headers["content-range"] = `bytes ${range.first}-${range.last}/${place.byteCount}`;
      return new Response(streamFrame(store, ref.vault, place, range), { status: header === undefined ? 200 : 206, headers });
    },
  };
}

/** One range `bytes=first-last`, cut at the end of the frame. Another form, or beyond the end: `input`. */
export function parseRange(header: string, byteCount: number): ByteRange {
  const match = /^bytes=(\d{1,12})-(\d{1,12})?$/.exec(header);
  const first = Number(match?.[1]);
  const last = Math.min(match?.[2] === undefined ? byteCount - 1 : Number(match[2]), byteCount - 1);
  if (match === null || first > last) throw new Fault("input", `range: want bytes=first-last within ${byteCount} bytes`);
  return { first, last };
}

/** Reads a part when the connection takes more, so that a slow reader holds one part in memory. */
function streamFrame(store: Store, vault: VaultId, place: RecordPlace, range: ByteRange): ReadableStream<Bytes> {
  let partIndex = Math.floor(range.first / FRAME_PART_BYTES);
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        const partStart = partIndex * FRAME_PART_BYTES;
        const part = await store.reader.call("part", [vault, place, partIndex]);
        noteMemory(part.length);
        assert(part.length === Math.min(FRAME_PART_BYTES, place.byteCount - partStart), "a part has the length that its place says");
        controller.enqueue(part.subarray(Math.max(range.first - partStart, 0), range.last + 1 - partStart));
        partIndex++;
        if (partIndex * FRAME_PART_BYTES > range.last) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
}
