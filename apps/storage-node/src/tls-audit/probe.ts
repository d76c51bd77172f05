/**
 * Probes one port by real handshakes: for every protocol version it offers all insecure suites in one hello, notes the one that the
 * server picks, takes it out and asks again, until the server refuses. A version or suite counts as reachable when the server answers
 * with a ServerHello that chooses it, and never by anything less.
 */
import { type Clock, isFault, type Random } from "@holdfast/base";
import { encodeClientHello, encodeSsl2ClientHello } from "./client-hello.ts";
import { withDeadline } from "./deadline.ts";
import type { Dial, DialAnswer } from "./dial.ts";
import { carriesCertificate } from "./insecure-suites.ts";
import { createLimiter, type Limiter } from "./limiter.ts";
import { AUDIT_PROTOCOLS, type AuditProtocol, type ProtocolName } from "./protocols.ts";
import { ANSWER_BYTES_MAX, FLIGHT_BYTES_MAX, readCertificates, readServerAnswer, readSsl2Answer } from "./server-answer.ts";

/** Where to dial, and what to call it in reports. */
export interface ProbeTarget {
  /** As in `agent port`. */
  readonly label: string;
  readonly host: string;
  readonly port: number;
  /** DNS name for the server name extension. */
  readonly serverName?: string;
}

export interface ProbePorts {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ProtocolResult {
  readonly protocol: AuditProtocol;
  readonly isReachable: boolean;
  /** Codes of insecure suites that the server chose, in the order of its choice. */
  readonly insecureSuites: readonly number[];
  /** Codes to offer where a ServerHello is wanted again. */
  readonly suitesThatWork: readonly number[];
}

export interface ProbeResult {
  readonly protocols: readonly ProtocolResult[];
  /** Certificates seen in the clear, in DER, the leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Why the result may be incomplete; each names the protocol. Empty: everything was asked and answered. */
  readonly failures: readonly string[];
}

/** How long one connection may take, ms. */
export const PROBE_MS_MAX = 5_000;
/** Connections to one port at a time. */
export const PROBE_CONNECTIONS_MAX = 3;

const UNREACHABLE = "cannot be connected to";

type Verdict = { readonly kind: "chosen"; readonly suite: number } | { readonly kind: "refused" } | { readonly kind: "failed"; readonly reason: string };

/** Asks `target` everything. Never rejects: what could not be asked is in `failures`. An abort of `signal` ends it early, and says so. */
export async function probePort(target: ProbeTarget, ports: ProbePorts, signal: AbortSignal): Promise<ProbeResult> {
  const prober = new Prober(target, ports, signal);
  const protocols = await Promise.all(AUDIT_PROTOCOLS.map((protocol) => prober.probe(protocol)));
  const reachable = protocols.filter(({ suitesThatWork }) => suitesThatWork.length > 0);
  const last = reachable.at(-1);
  if (last === undefined) {
    if (prober.failures.length === 0 && !protocols.some(({ isReachable }) => isReachable)) prober.fail("no version of TLS was answered");
    return { protocols, chain: [], failures: prober.failures };
  }
  // A server that cuts off a busy client looks like one that refuses: the last word must be a handshake that works.
  const again = await prober.ask(last.protocol, last.suitesThatWork);
  if (again.kind !== "chosen") prober.fail(`${last.protocol.name}: no longer answered at the end of the audit`);
  return { protocols, chain: await prober.chain(reachable), failures: prober.failures };
}

class Prober {
  readonly #target: ProbeTarget;
  readonly #ports: ProbePorts;
  readonly #signal: AbortSignal;
  readonly #limit: Limiter = createLimiter(PROBE_CONNECTIONS_MAX);
  readonly #failures = new Set<string>();

  constructor(target: ProbeTarget, ports: ProbePorts, signal: AbortSignal) {
    this.#target = target;
    this.#ports = ports;
    this.#signal = signal;
  }

  get failures(): readonly string[] {
    return [...this.#failures];
  }

  fail(reason: string): void {
    this.#failures.add(reason);
  }

  async probe(protocol: AuditProtocol): Promise<ProtocolResult> {
    if (protocol.name === "SSL 2") return this.#probeSsl2(protocol);
    const left = new Set(protocol.insecureSuites);
    const found: number[] = [];
    while (left.size > 0) {
      const verdict = await this.ask(protocol, [...left]);
      this.#note(protocol, verdict);
      if (verdict.kind !== "chosen") break;
      left.delete(verdict.suite); // Each turn takes one away, so a hostile server cannot keep us.
      found.push(verdict.suite);
    }
    const sound: Verdict = protocol.soundSuites.length === 0 ? { kind: "refused" } : await this.ask(protocol, protocol.soundSuites);
    this.#note(protocol, sound);
    const suitesThatWork = [...(sound.kind === "chosen" ? protocol.soundSuites : []), ...found];
    return { protocol, isReachable: suitesThatWork.length > 0, insecureSuites: found, suitesThatWork };
  }

  /** Offers `suites` in one hello of exactly that version. */
  async ask(protocol: AuditProtocol, suites: readonly number[]): Promise<Verdict> {
    const answer = await this.#exchange(this.#hello(protocol, suites), ANSWER_BYTES_MAX, (bytes) => readServerAnswer(bytes) !== null);
    const read = attempt(() => readServerAnswer(answer.bytes));
    if (read === "garbage") return { kind: "failed", reason: "the answer is not TLS" };
    if (read?.kind === "alert") return { kind: "refused" };
    if (read?.kind === "hello") return chosen(read, protocol, suites);
    return withoutAnswer(answer);
  }

  /** Certificates in the clear, from the newest version up to TLS 1.2 that shows one. */
  async chain(results: readonly ProtocolResult[]): Promise<readonly Uint8Array[]> {
    const clear = results.filter(({ protocol }) => protocol.wireVersion <= 0x0303).reverse();
    for (const { protocol, suitesThatWork } of clear) {
      const suites = suitesThatWork.filter(carriesCertificate);
      if (suites.length === 0) continue;
      const answer = await this.#exchange(this.#hello(protocol, suites), FLIGHT_BYTES_MAX, (bytes) => readCertificates(bytes) !== null);
      const chain = attempt(() => readCertificates(answer.bytes));
      if (chain === "garbage") this.fail(`${protocol.name}: the certificates do not follow the protocol`);
      else if (chain !== null && chain.length > 0) return chain;
    }
    return [];
  }

  async #probeSsl2(protocol: AuditProtocol): Promise<ProtocolResult> {
    const answer = await this.#exchange(encodeSsl2ClientHello(this.#ports.random), ANSWER_BYTES_MAX, (bytes) => readSsl2Answer(bytes) !== null);
    if (answer.end === "unreachable") this.fail(UNREACHABLE);
    // Alert, reset, silence or words of another protocol: all of them refuse SSL 2.
    const read = attempt(() => readSsl2Answer(answer.bytes));
    return { protocol, isReachable: read !== null && read !== "garbage", insecureSuites: [], suitesThatWork: [] };
  }

  #note(protocol: AuditProtocol, verdict: Verdict): void {
    if (verdict.kind === "failed") this.fail(verdict.reason === UNREACHABLE ? UNREACHABLE : `${protocol.name}: ${verdict.reason}`);
  }

  #hello(protocol: AuditProtocol, suites: readonly number[]): Uint8Array {
    const { serverName } = this.#target;
    return encodeClientHello({ wireVersion: protocol.wireVersion, suites, random: this.#ports.random, ...(serverName === undefined ? {} : { serverName }) });
  }

  #exchange(bytes: Uint8Array, bytesMax: number, isWhole: (received: Uint8Array) => boolean): Promise<DialAnswer> {
    const { host, port } = this.#target;
    const isEnough = (received: Uint8Array): boolean => attempt(() => isWhole(received)) !== false;
    const { dial, clock } = this.#ports;
    return this.#limit(() => withDeadline(clock, PROBE_MS_MAX, this.#signal, (signal) => dial({ host, port, bytes, bytesMax, isEnough, signal })));
  }
}

function chosen({ wireVersion, suite }: { wireVersion: number; suite: number }, protocol: AuditProtocol, offered: readonly number[]): Verdict {
  if (wireVersion !== protocol.wireVersion) return { kind: "refused" }; // It wants an older one, which is asked for on its own.
  if (!offered.includes(suite)) return { kind: "failed", reason: "the server chose a suite that was not offered" };
  return { kind: "chosen", suite };
}

function withoutAnswer({ end }: DialAnswer): Verdict {
  if (end === "unreachable") return { kind: "failed", reason: UNREACHABLE };
  if (end === "silent") return { kind: "failed", reason: `no answer in ${PROBE_MS_MAX / 1000} s` };
  return end === "closed" ? { kind: "refused" } : { kind: "failed", reason: "the answer does not end" };
}

/** The result, or `garbage` where the bytes do not follow the protocol. */
function attempt<Result>(read: () => Result): Result | "garbage" {
  try {
    return read();
  } catch (error) {
    if (isFault(error, "format")) return "garbage";
    throw error;
  }
}

/** Names of the versions that a result shows to be reachable, oldest first. */
export function reachableProtocols(result: ProbeResult): readonly ProtocolName[] {
  return result.protocols.filter(({ isReachable }) => isReachable).map(({ protocol }) => protocol.name);
}
