/**
 * The two bonds that every request on the agent port carries (docs/security.md, Identity): the TLS client certificate,
 * known by the hash of its key, and an Ed25519 signature over the request by the device that certificate was issued to.
 * Either alone is refused. The device is looked up for each request, so a revocation holds on open connections too.
 */
import type { IncomingMessage } from "node:http";
import { assertDefined, type Bytes, type Clock, equalBytes, Fault, hexToBytes, isFault } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import { asDeviceId, PROTOCOL_VERSION, parseRequestSignature, REQUEST_SKEW_MS_MAX, type RequestSignature, type SignedRequest } from "@holdfast/protocol";
import { NonceCache } from "./nonce-cache.ts";
import { Refusal } from "./store/audit-refusals.ts";
import type { KnownDevice } from "./store/catalog-reader.ts";
import type { Store } from "./store/store.ts";
import { peerOf } from "./tls-server.ts";
import { nodeVerifier } from "./verifier.ts";

export interface SessionOptions {
  readonly store: Pick<Store, "reader">;
  readonly clock: Clock;
  /** Names and addresses that this node answers to, in lower case: a request signed for another host is refused. */
  readonly hostNames: ReadonlySet<string>;
  /** Requests created before this are refused: their nonces are not remembered. */
  readonly startedAtMs: number;
}

/** Nonces in one generation of the cache: about 800 requests a second for ten minutes. */
const NONCE_COUNT_MAX = 500_000;
const DEVICE_ID_BYTES = 16;

export class SessionChecker {
  readonly #options: SessionOptions;
  readonly #nonces: NonceCache;

  constructor(options: SessionOptions) {
    this.#options = options;
    // A request may be created up to the skew ahead of our clock, and is good until the skew after that.
    this.#nonces = new NonceCache(options.clock, 2 * REQUEST_SKEW_MS_MAX, NONCE_COUNT_MAX);
  }

  /** The device behind `request`. Anything wrong is `denied`, or `version` or `certificate`, before its body is read. */
  async check(request: IncomingMessage): Promise<KnownDevice> {
    checkVersion(request);
    const peer = peerOf(request.socket);
    if (peer === null) throw new Refusal("no-certificate", "denied", "request: came without a client certificate");
    if (peer.notAfterMs <= this.#options.clock.nowMs()) {
      throw new Refusal("certificate-expired", "certificate", "client certificate: has expired, enroll again");
    }
    const known = await this.#options.store.reader.call("deviceByCertificate", [assertDefined(hexToBytes(peer.spkiSha256Hex), "a hash in hex")]);
    if (known === null) throw new Refusal("unknown-device", "denied", "device: unknown to this storage node, enroll it with an invite");
    // By its key and by its serial: the key may have been certified anew.
    if (known.revoked || known.revokedSerials.includes(peer.serialHex.replace(/^0+/, ""))) {
      const message = "device: revoked; ask the operator for a new invite and enroll with a new device key";
      throw new Refusal("revoked-device", "denied", message, { detail: { reason: "revoked" } });
    }
    this.#checkSignature(request, known.publicKey);
    return known;
  }

  /** For enrolment, where no certificate is known yet: the request is signed by `deviceKey` itself. */
  checkEnrolment(request: IncomingMessage, deviceKey: Bytes): void {
    checkVersion(request);
    this.#checkSignature(request, deviceKey);
  }

  #checkSignature(request: IncomingMessage, publicKey: Bytes): void {
    const signed = toSignedRequest(request);
    const { hostNames, clock, startedAtMs } = this.#options;
    if (!hostNames.has(hostOf(signed.authority))) throw new Refusal("signature", "denied", "request: is signed for another host");
    const signature = parseSignature(signed);
    const device = asDeviceId(sha256(publicKey).slice(0, DEVICE_ID_BYTES));
    if (!equalBytes(signature.device, device)) throw new Refusal("signature", "denied", "request: signed by another device than the certificate's");
    checkCreated(signature.createdMs, clock.nowMs(), startedAtMs);
    if (!nodeVerifier.verify("request", publicKey, signature.base, signature.signature)) {
      throw new Refusal("signature", "denied", "request: signature does not verify");
    }
    // Only after the signature: a stranger cannot use up nonces.
    if (!this.#nonces.add(signature.nonce)) throw new Refusal("replay", "denied", "request: was sent before");
  }
}

/** As in protocol, but told to the trail as what it is. */
function parseSignature(signed: SignedRequest): RequestSignature {
  try {
    return parseRequestSignature(signed);
  } catch (error) {
    throw isFault(error, "denied") ? new Refusal("signature", error.code, error.message, { detail: error.detail, cause: error }) : error;
  }
}

function checkVersion(request: IncomingMessage): void {
  const version = request.headers["holdfast-version"];
  if (version === String(PROTOCOL_VERSION)) return;
  const got = typeof version === "string" ? version.slice(0, 32) : "none";
  throw new Refusal("version", "version", `protocol: no version in common, got ${got}, want ${PROTOCOL_VERSION}`, {
    detail: { agent: got, storageNode: String(PROTOCOL_VERSION) },
  });
}

function checkCreated(createdMs: number, nowMs: number, startedAtMs: number): void {
  const skewMs = createdMs - nowMs;
  if (Math.abs(skewMs) > REQUEST_SKEW_MS_MAX) {
    throw new Refusal("clock-skew", "denied", `request: clock is off by ${skewMs} ms, want at most ${REQUEST_SKEW_MS_MAX}`, { detail: { skewMs, nowMs } });
  }
  if (createdMs < startedAtMs) {
    // Refused, since nonces of that time are forgotten; an honest agent, whose clock is a little behind, signs again later.
    const earlyMs = startedAtMs - createdMs;
    throw new Fault("busy", `request: created ${earlyMs} ms before the storage node started`, { detail: { skewMs, nowMs, startedAtMs, delayMs: earlyMs } });
  }
}

function toSignedRequest(request: IncomingMessage): SignedRequest {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  return { method: request.method ?? "", authority: request.headers.host ?? "", target: request.url ?? "", headers };
}

/** Host of `host:port`, without the port and brackets, in lower case. */
function hostOf(authority: string): string {
  const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(authority);
  return (bracketed?.[1] ?? authority.replace(/:\d+$/, "")).toLowerCase();
}
