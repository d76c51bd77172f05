/** RecordStore over a signed session: one vault on one storage node. */
import { type Bytes, bytesToHex, equalBytes, Fault, isFault, joinBytes } from "@holdfast/base";
import {
  changesAnswer,
  commitAnswer,
  contentDigest,
  encodeMessage,
  FRAME_BYTES_MAX,
  type FrameToPut,
  HAVE_IDS_MAX,
  haveAnswer,
  journalAnswer,
  leaseAnswer,
  parseMessage,
  type RecordId,
  type RecordStore,
  recordsAnswer,
  splitRecordIds,
  type VaultId,
} from "@holdfast/protocol";
import type { SignedSession } from "./signed-session.ts";

export function createHttpRecordStore(session: SignedSession, vault: VaultId, sha256: (bytes: Uint8Array) => Bytes): RecordStore {
  const base = `/v1/vaults/${bytesToHex(vault)}`;
  const post = (path: string, message: object, headers: Record<string, string> = {}) =>
    session.send({ method: "POST", target: base + path, body: [encodeMessage(message)], headers });
  return {
    async put(frames, lease) {
      const headers = {
        "content-type": "application/cbor-seq",
        "holdfast-lease": bytesToHex(lease),
        "holdfast-records": contentDigest(sha256(joinBytes(frames.map((frame) => frame.id)))),
      };
      const answer = await session.send({ method: "POST", target: `${base}/records`, body: frames.flatMap((frame: FrameToPut) => frame.parts), headers });
      const counts = parseMessage(recordsAnswer, answer.body, "records answer");
      const byTheNode = counts.stored + counts.present;
      if (byTheNode !== frames.length) throw new Fault("format", `records answer: number of frames, got ${byTheNode}, want ${frames.length}`);
      return counts;
    },
    async missing(ids, lease) {
      const missing: RecordId[] = [];
      for (let index = 0; index < ids.length; index += HAVE_IDS_MAX) {
        const page = ids.slice(index, index + HAVE_IDS_MAX);
        const answer = await post("/records/have", { ids: joinBytes(page) }, { "holdfast-lease": bytesToHex(lease) });
        missing.push(...checkSubset(splitRecordIds(parseMessage(haveAnswer, answer.body, "have answer").missing), page));
      }
      return missing;
    },
    async get(id) {
      const frame = await getFrame(session, `${base}/records/${bytesToHex(id)}`, {}, 200);
      if (frame !== null && !equalBytes(sha256(frame), id)) throw new Fault("integrity", "record: does not hash to its id");
      return frame;
    },
    async getRange(id, offset, length) {
      const part = await getFrame(session, `${base}/records/${bytesToHex(id)}`, { range: `bytes=${offset}-${offset + length - 1}` }, 206);
      if (part !== null && part.length > length) throw new Fault("format", `record: range answer, got ${part.length} bytes, want at most ${length}`);
      return part;
    },
    async changes(cursor) {
      const answer = await session.send({ method: "GET", target: `${base}/changes?after=${encodeURIComponent(cursor)}` });
      return parseMessage(changesAnswer, answer.body, "changes answer");
    },
    async lease(lease) {
      const answer = await post("/leases", lease === null ? {} : { lease });
      return parseMessage(leaseAnswer, answer.body, "lease answer");
    },
    async commit(entry, additions, drops) {
      const answer = await post("/journal", { entry, additions: joinBytes(additions), drops: joinBytes(drops) });
      return parseMessage(commitAnswer, answer.body, "commit answer").receipt;
    },
    async journal(afterSeq) {
      const answer = await session.send({ method: "GET", target: `${base}/journal?after=${afterSeq}` });
      return parseMessage(journalAnswer, answer.body, "journal answer");
    },
  };
}

/** The frame or its range under `target`, or `null` for `missing`. An answer of another kind than `status`: `format`. */
async function getFrame(session: SignedSession, target: string, headers: Record<string, string>, status: 200 | 206): Promise<Bytes | null> {
  try {
    const answer = await session.send({ method: "GET", target, headers, bytesMax: FRAME_BYTES_MAX });
    if (answer.status !== status) throw new Fault("format", `record: status of the answer, got ${answer.status}, want ${status}`);
    return answer.body;
  } catch (error) {
    if (isFault(error, "missing")) return null;
    throw error;
  }
}

/** `ids`, which must be some of `asked`, in their order. */
function checkSubset(ids: readonly RecordId[], asked: readonly RecordId[]): readonly RecordId[] {
  let at = 0;
  for (const id of ids) {
    while (at < asked.length && !equalBytes(asked[at] as RecordId, id)) at++;
    if (at++ === asked.length) throw new Fault("format", "have answer: names a record that was not asked for, or out of order");
  }
  return ids;
}
