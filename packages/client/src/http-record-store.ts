/** RecordStore over a signed session: one vault on one storage node. */
import { type Bytes, bytesToHex, concatBytes, equalBytes, Fault, isFault } from "@holdfast/base";
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
        "holdfast-records": contentDigest(sha256(concatBytes(...frames.map((frame) => frame.id)))),
      };
      const answer = await session.send({ method: "POST", target: `${base}/records`, body: frames.flatMap((frame: FrameToPut) => frame.parts), headers });
      return parseMessage(recordsAnswer, answer.body, "records answer");
    },
    async missing(ids, lease) {
      const missing: RecordId[] = [];
      for (let index = 0; index < ids.length; index += HAVE_IDS_MAX) {
        const answer = await post("/records/have", { ids: concatBytes(...ids.slice(index, index + HAVE_IDS_MAX)) }, { "holdfast-lease": bytesToHex(lease) });
        missing.push(...splitRecordIds(parseMessage(haveAnswer, answer.body, "have answer").missing));
      }
      return missing;
    },
    async get(id) {
      const frame = await getFrame(session, `${base}/records/${bytesToHex(id)}`, {});
      if (frame !== null && !equalBytes(sha256(frame), id)) throw new Fault("integrity", "record: does not hash to its id");
      return frame;
    },
    getRange: (id, offset, length) => getFrame(session, `${base}/records/${bytesToHex(id)}`, { range: `bytes=${offset}-${offset + length - 1}` }),
    async changes(cursor) {
      const answer = await session.send({ method: "GET", target: `${base}/changes?after=${encodeURIComponent(cursor)}` });
      return parseMessage(changesAnswer, answer.body, "changes answer");
    },
    async lease(lease) {
      const answer = await post("/leases", lease === null ? {} : { lease });
      return parseMessage(leaseAnswer, answer.body, "lease answer");
    },
    async commit(entry, additions, drops) {
      const answer = await post("/journal", { entry, additions: concatBytes(...additions), drops: concatBytes(...drops) });
      return parseMessage(commitAnswer, answer.body, "commit answer").receipt;
    },
    async journal(afterSeq) {
      const answer = await session.send({ method: "GET", target: `${base}/journal?after=${afterSeq}` });
      return parseMessage(journalAnswer, answer.body, "journal answer");
    },
  };
}

async function getFrame(session: SignedSession, target: string, headers: Record<string, string>): Promise<Bytes | null> {
  try {
    return (await session.send({ method: "GET", target, headers, bytesMax: FRAME_BYTES_MAX })).body;
  } catch (error) {
    if (isFault(error, "missing")) return null;
    throw error;
  }
}
