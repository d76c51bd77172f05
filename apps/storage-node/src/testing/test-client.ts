/** A client of the node's ports for tests: enrols, signs, and lets a test break every step. RecordStore over it passes the contract. */
import { Agent, request as httpsRequest } from "node:https";
import { type Bytes, bytesToHex, concatBytes, isFault } from "@holdfast/base";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { sha256 } from "@holdfast/crypto/hash";
import type { Signer } from "@holdfast/crypto/signature";
import { createCsr, createKeyPair } from "@holdfast/pki";
import {
  asDeviceId,
  changesAnswer,
  commitAnswer,
  contentDigest,
  type DeviceId,
  type EnrollAnswer,
  encodeMessage,
  enrollAnswer,
  haveAnswer,
  type Invite,
  journalAnswer,
  leaseAnswer,
  parseFault,
  parseMessage,
  type RecordStore,
  recordsAnswer,
  signRequest,
  splitRecordIds,
  type VaultId,
} from "@holdfast/protocol";

export interface TestRequest {
  readonly method?: string;
  readonly target: string;
  readonly body?: Bytes;
  readonly headers?: Readonly<Record<string, string>>;
  /** Changes what is sent after it was signed. */
  readonly tamper?: (headers: Record<string, string>, body: Bytes | undefined) => Bytes | undefined;
  readonly createdMs?: number;
  readonly nonce?: Bytes;
  readonly device?: DeviceId;
  readonly signer?: Signer;
  readonly authority?: string;
}

export interface TestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Bytes;
}

export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

export class TestClient implements Disposable {
  readonly signer: Signer;
  readonly device: DeviceId;
  readonly #host: string;
  readonly #port: number;
  readonly #agent: Agent;

  constructor(host: string, port: number, rootPem: string, signer: Signer, identity: TlsIdentity | null, tls: { readonly servername?: string } = {}) {
    this.#host = host;
    this.#port = port;
    this.signer = signer;
    this.device = asDeviceId(sha256(signer.publicKey).slice(0, 16));
    this.#agent = new Agent({
      keepAlive: true,
      host,
      port,
      servername: host,
      ca: rootPem,
      ALPNProtocols: ["http/1.1"],
      minVersion: "TLSv1.3",
      ...tls,
      ...(identity ?? {}),
    });
  }

  /** Signs and sends; any status is an answer. */
  exchange(request: TestRequest): Promise<TestAnswer> {
    const { method = request.body === undefined ? "GET" : "POST", target } = request;
    const authority = request.authority ?? `${this.#host}:${this.#port}`;
    const headers: Record<string, string> = { host: authority, "holdfast-version": "1", ...request.headers };
    let body = request.body;
    if (body !== undefined) {
      headers["content-length"] = String(body.length);
      if (headers["holdfast-records"] === undefined) headers["content-digest"] ??= contentDigest(sha256(body));
    }
    const createdMs = request.createdMs ?? Math.floor(createSystemClock().nowMs());
    const signer = request.signer ?? this.signer;
    const nonce = request.nonce ?? createSystemRandom().bytes(16);
    Object.assign(
      headers,
      signRequest({ method, authority, target, headers }, request.device ?? this.device, createdMs, nonce, (base) => signer.sign("request", base)),
    );
    if (request.tamper !== undefined) body = request.tamper(headers, body) ?? body;
    return this.#send(method, target, headers, body);
  }

  /** As `exchange`; an answer that is no success is thrown as its fault. */
  async send(request: TestRequest): Promise<TestAnswer> {
    const answer = await this.exchange(request);
    if (answer.status < 200 || answer.status > 299) throw parseFault(answer.status, answer.body);
    return answer;
  }

  /** The vault as a RecordStore. */
  recordStore(vault: VaultId): RecordStore {
    const base = `/v1/vaults/${bytesToHex(vault)}`;
    const post = async (path: string, message: object, headers = {}): Promise<Bytes> =>
      (await this.send({ target: base + path, body: encodeMessage(message), headers })).body;
    const getFrame = async (target: string, headers: Record<string, string>): Promise<Bytes | null> => {
      try {
        return (await this.send({ target, headers })).body;
      } catch (error) {
        if (isFault(error, "missing")) return null;
        throw error;
      }
    };
    return {
      put: async (frames, lease) => {
        const headers = { "holdfast-lease": bytesToHex(lease), "holdfast-records": contentDigest(sha256(concatBytes(...frames.map((frame) => frame.id)))) };
        const body = concatBytes(...frames.flatMap((frame) => frame.parts));
        return parseMessage(recordsAnswer, (await this.send({ target: `${base}/records`, body, headers })).body, "records answer");
      },
      missing: async (ids, lease) =>
        splitRecordIds(
          parseMessage(haveAnswer, await post("/records/have", { ids: concatBytes(...ids) }, { "holdfast-lease": bytesToHex(lease) }), "have answer").missing,
        ),
      get: (id) => getFrame(`${base}/records/${bytesToHex(id)}`, {}),
      getRange: (id, offset, length) => getFrame(`${base}/records/${bytesToHex(id)}`, { range: `bytes=${offset}-${offset + length - 1}` }),
      changes: async (cursor) => parseMessage(changesAnswer, (await this.send({ target: `${base}/changes?after=${cursor}` })).body, "changes answer"),
      lease: async (lease) => parseMessage(leaseAnswer, await post("/leases", lease === null ? {} : { lease }), "lease answer"),
      commit: async (entry, additions, drops) =>
        parseMessage(commitAnswer, await post("/journal", { entry, additions: concatBytes(...additions), drops: concatBytes(...drops) }), "commit answer")
          .receipt,
      journal: async (afterSeq) => parseMessage(journalAnswer, (await this.send({ target: `${base}/journal?after=${afterSeq}` })).body, "journal answer"),
    };
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, headers: Record<string, string>, body: Bytes | undefined): Promise<TestAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest({ agent: this.#agent, host: this.#host, port: this.#port, method, path, headers }, (incoming) => {
        const parts: Uint8Array[] = [];
        incoming.on("data", (part: Uint8Array) => parts.push(part));
        incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: concatBytes(...parts) }));
        incoming.on("error", reject);
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }
}

/** Redeems `invite` with a fresh TLS key. */
export async function enrollDevice(
  invite: Invite,
  rootPem: string,
  signer: Signer,
  change: Partial<TestRequest> = {},
): Promise<{ answer: EnrollAnswer; identity: TlsIdentity }> {
  const keys = await createKeyPair();
  using front = new TestClient(invite.host, invite.frontPort, rootPem, signer, null);
  const body = encodeMessage({ secret: invite.secret, csr: await createCsr(keys.privateKeyPem), deviceKey: signer.publicKey, label: "test device" });
  const answer = parseMessage(enrollAnswer, (await front.send({ target: "/v1/enroll", body, ...change })).body, "enroll answer");
  return { answer, identity: { cert: answer.certificate, key: keys.privateKeyPem } };
}
