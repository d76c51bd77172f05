/**
 * The certificate gate of a running node (docs/security.md, Certificate gate): before the ports open, and at every check
 * after that. While any rule fails the ports are closed; they open again by themselves once the files are mended.
 *
 * A check also loads changed or renewed certificates, and cuts requests of devices that were revoked meanwhile.
 */
import { type Clock, hexToBytes, isFault } from "@holdfast/base";
import type { GateFinding } from "@holdfast/pki";
import type { GatedPort } from "./gated-port.ts";
import type { Log } from "./log.ts";
import { findingLines, type NodeIdentity } from "./node-identity.ts";
import type { SecurityEvent } from "./security-events.ts";
import type { Store } from "./store/store.ts";

export interface PortGateOptions {
  readonly identity: NodeIdentity;
  readonly store: Pick<Store, "reader">;
  /** Agent port first. */
  readonly ports: readonly GatedPort[];
  readonly clock: Clock;
  readonly log: Log;
  readonly tell: (event: SecurityEvent) => void;
  /** Two files of one pair are not written in one step: so long after a change that fails, the files are read once more. */
  readonly settleMs: number;
}

const REMIND_MS = 3_600_000;

export class PortGate {
  readonly #options: PortGateOptions;
  readonly #opened = Promise.withResolvers<void>();
  #problems: readonly string[] = ["certificates were not checked yet"];
  /** Which rules failed at the last check. */
  #failed = "";
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #last: Promise<void> = Promise.resolve();

  constructor(options: PortGateOptions) {
    this.#options = options;
  }

  /** One text per failed rule; empty while the ports are open. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Resolves when the ports are open for the first time. */
  get opened(): Promise<void> {
    return this.#opened.promise;
  }

  /** One check at a time, in the order of the calls. */
  check(): Promise<void> {
    const checked = this.#last.then(() => this.#check());
    this.#last = checked.catch(() => undefined);
    return checked;
  }

  /** No port opens from now on; resolves when requests under way are done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last;
    await Promise.all(this.#options.ports.map((port) => port.close()));
  }

  async #check(): Promise<void> {
    if (this.#stopped) return;
    const { identity, clock, settleMs } = this.#options;
    let changed = await identity.reread();
    let result = await this.#renewAndFind();
    if (changed && result.findings.length > 0 && settleMs > 0 && this.#isOpen) {
      await clock.sleep(settleMs);
      changed = (await identity.reread()) || changed;
      const again = await this.#renewAndFind();
      result = { findings: again.findings, renewed: result.renewed || again.renewed };
    }
    if (result.findings.length > 0) this.#close(findingLines(result.findings), result.findings);
    else await this.#openOrReload(changed || result.renewed);
    await this.#cutRevoked();
  }

  async #renewAndFind(): Promise<{ readonly findings: readonly GateFinding[]; readonly renewed: boolean }> {
    const { identity, store } = this.#options;
    const renewed = await identity.refresh(await store.reader.call("revokedCertificates", []));
    return { findings: await identity.findings(), renewed };
  }

  get #isOpen(): boolean {
    return this.#options.ports.every((port) => port.isOpen);
  }

  /** Does not wait for the draining: the checks go on meanwhile. */
  #close(problems: readonly string[], findings: readonly GateFinding[]): void {
    const { ports, clock, log, tell } = this.#options;
    const nowMs = clock.monotonicMs();
    const failed = findings.map(({ certificate, rule }) => `${certificate}: ${rule}`).join(", ");
    const known = failed === this.#failed; // Messages hold the time of the check.
    if (!known || nowMs - this.#loggedAtMs >= REMIND_MS) {
      for (const { certificate, rule, message, mend } of findings) log("error", `certificate gate: ${message}`, { certificate, rule, mend });
      log("error", "ports are closed until the certificate gate passes", { failedRules: findings.length });
      this.#loggedAtMs = nowMs;
    }
    if (!known) tell({ action: "gate", subject: failed, origin: "local", result: "ports closed" });
    this.#problems = problems;
    this.#failed = failed;
    for (const port of ports) void port.close();
  }

  async #openOrReload(reload: boolean): Promise<void> {
    const { identity, ports, log, tell } = this.#options;
    const wasOpen = this.#isOpen;
    if (wasOpen && !reload) return;
    const material = identity.tlsMaterial();
    try {
      for (const port of ports) {
        if (port.isOpen) port.reload(material);
        else await port.open(material);
      }
    } catch (error) {
      // What our rules let pass and the runtime does not take: the port must not go on with something else.
      const message = isFault(error) ? error.message : `tls: the runtime refuses the certificates, got ${(error as Error).message}`;
      this.#problems = [message];
      for (const port of ports) void port.close();
      throw error;
    }
    this.#problems = [];
    this.#failed = "";
    log("info", wasOpen ? "certificates reloaded" : "ports opened", { agentPort: ports[0]?.port ?? 0, frontPort: ports[1]?.port ?? 0 });
    tell({ action: "gate", subject: "certificates pass", origin: "local", result: wasOpen ? "certificates reloaded" : "ports opened" });
    this.#opened.resolve();
  }

  /** Every request is checked when it begins; this ends those that were begun before the revocation. */
  async #cutRevoked(): Promise<void> {
    const { ports, store, log, tell } = this.#options;
    const revoked = new Set<string>();
    for (const spkiSha256Hex of new Set(ports.flatMap((port) => port.busyPeers()))) {
      const hash = hexToBytes(spkiSha256Hex);
      const known = hash === null ? null : await store.reader.call("deviceByCertificate", [hash]);
      if (known === null || known.revoked) revoked.add(spkiSha256Hex);
    }
    if (revoked.size === 0) return;
    const count = ports.reduce((sum, port) => sum + port.cut(revoked), 0);
    if (count === 0) return;
    log("warning", "requests of revoked devices cut", { count });
    for (const spkiSha256Hex of revoked) tell({ action: "revoke", subject: `requests of certificate ${spkiSha256Hex}`, origin: "agent port", result: "cut" });
  }
}
