/** For tests only: the record routes of a storage node as a Net over a node in memory, which checks every signature and digest. */
import { type Bytes, equalBytes, FAULTS, Fault, hexToBytes, isFault, joinBytes, type Net, type NetRequest, type NetResponse } from "@holdfast/base";
import {
  asLeaseId,
  asRecordId,
  commitRequest,
  encodeFault,
  encodeMessage,
  haveRequest,
  leaseRequest,
  parseContentDigest,
  parseFrameHead,
  parseMessage,
  parseRequestSignature,
  type RecordStore,
  splitRecordIds,
} from "@holdfast/protocol";
import { type TestKey, testVerifier } from "@holdfast/testkit";

/** Serves `store` to the device of `key` at `authority`. Nonces are good once. */
export function createMemoryNet(store: RecordStore, key: TestKey, authority: string): Net {
  const nonces = new Set<string>();
  return {
    async exchange(request, bytesMax) {
      try {
        const body = joinBytes(request.body);
        checkBonds(request, body, key, authority, nonces);
        const answer = await route(store, request, body);
        if (answer.body.length > bytesMax) throw new Fault("limit", "answer: too long");
        return answer;
      } catch (error) {
        if (!isFault(error)) throw error;
        return { status: FAULTS[error.code].status, headers: {}, body: encodeFault(error) };
      }
    },
    async [Symbol.asyncDispose]() {},
  };
}

function checkBonds(request: NetRequest, body: Bytes, key: TestKey, authority: string, nonces: Set<string>): void {
  const { headers } = request;
  if (headers.host !== authority) throw new Fault("denied", "request: other authority");
  const signature = parseRequestSignature({ ...request, authority });
  if (!equalBytes(signature.device, key.deviceId) || !testVerifier.verify("request", key.publicKey, signature.base, signature.signature)) {
    throw new Fault("denied", "request: signature");
  }
  if (nonces.has(signature.nonce)) throw new Fault("denied", "request: nonce seen before");
  nonces.add(signature.nonce);
  if (Number(headers["content-length"] ?? 0) !== body.length) throw new Fault("format", "request: length");
  const digest = headers["content-digest"];
  if (digest !== undefined && !equalBytes(parseContentDigest(digest), testVerifier.sha256(body))) throw new Fault("integrity", "request: digest");
}

async function route(store: RecordStore, request: NetRequest, body: Bytes): Promise<NetResponse> {
  const url = new URL(request.target, "https://node");
  const [path = "", id] = url.pathname
    .split("/")
    .slice(4)
    .join("/")
    .split(/(?<=^records)\/(?=[0-9a-f]{64}$)/);
  const after = url.searchParams.get("after") ?? "";
  const lease = asLeaseId(hexToBytes(request.headers["holdfast-lease"] ?? "00".repeat(16)) as Bytes);
  switch (`${request.method} ${path}`) {
    case "POST records":
      return ok(await store.put(framesIn(body, request.headers["holdfast-records"]), lease));
    case "POST records/have":
      return ok({ missing: joinBytes(await store.missing(splitRecordIds(parseMessage(haveRequest, body, "have").ids), lease)) });
    case "GET records":
      return frameAnswer(store, id as string, request.headers.range);
    case "GET changes":
      return ok(await store.changes(after));
    case "POST leases": {
      const { lease: old } = parseMessage(leaseRequest, body, "lease");
      return ok(await store.lease(old === undefined ? null : asLeaseId(old)));
    }
    case "POST journal": {
      const { entry, additions, drops } = parseMessage(commitRequest, body, "commit");
      return ok({ receipt: await store.commit(entry, splitRecordIds(additions), splitRecordIds(drops)) });
    }
    case "GET journal":
      return ok(await store.journal(Number(after)));
    default:
      throw new Fault("missing", "route: not here");
  }
}

function ok(message: object): NetResponse {
  return { status: 200, headers: {}, body: encodeMessage(message) };
}

async function frameAnswer(store: RecordStore, idHex: string, range: string | undefined): Promise<NetResponse> {
  const id = asRecordId(hexToBytes(idHex) as Bytes);
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
  const body = first === undefined ? await store.get(id) : await store.getRange(id, Number(first), Number(last) - Number(first) + 1);
  if (body === null) throw new Fault("missing", "record: not stored");
  return { status: first === undefined ? 200 : 206, headers: {}, body };
}

/** The frames of a body, each under its own hash; the digest must be that of these ids. */
function framesIn(body: Bytes, digest: string | undefined): Parameters<RecordStore["put"]>[0] {
  const frames: { id: ReturnType<typeof asRecordId>; parts: Uint8Array[] }[] = [];
  for (let offset = 0; offset < body.length; ) {
    const head = parseFrameHead(body, offset);
    if (head === null) throw new Fault("format", "records: cut short");
    const end = offset + head.bodyOffset + head.bodyBytes;
    const frame = body.slice(offset, end);
    frames.push({ id: asRecordId(testVerifier.sha256(frame)), parts: [frame] });
    offset = end;
  }
  if (!equalBytes(parseContentDigest(digest), testVerifier.sha256(joinBytes(frames.map(({ id }) => id))))) throw new Fault("integrity", "records: ids");
  return frames;
}
