/**
 * A port that can be closed and opened again while the node runs, always under the same number: each opening is a TLS server
 * of its own, so requests that were begun on the one before finish while it drains.
 */
import { findFreePort } from "./free-port-node.ts";
import type { TlsMaterial, TlsServer } from "./tls-server.ts";

export interface GatedPortOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly create: (material: TlsMaterial) => TlsServer;
  readonly closeGraceMs: number;
}

export class GatedPort {
  readonly #options: GatedPortOptions;
  #port: number;
  #open: TlsServer | null = null;
  readonly #draining = new Map<TlsServer, Promise<void>>();

  constructor(options: GatedPortOptions) {
    this.#options = options;
    this.#port = options.port;
  }

  /** The port's number; 0 only before `open` or `reserve` with any free one. */
  get port(): number {
    return this.#port;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Settles on a number without opening: for a node that starts with its ports closed. */
  async reserve(): Promise<void> {
    if (this.#port === 0) this.#port = await findFreePort(this.#options.host);
  }

  async open(material: TlsMaterial): Promise<void> {
    if (this.#open !== null) return;
    const server = this.#options.create(material);
    try {
      this.#port = await server.listen(this.#options.host, this.#port);
    } catch (error) {
      await server.close(0);
      throw error;
    }
    this.#open = server;
  }

  /** New handshakes use `material`; connections and requests under way go on. */
  reload(material: TlsMaterial): void {
    this.#open?.reload(material);
  }

  /** Accepts nothing more from now on; resolves when what was begun is done, or was cut after the grace. */
  async close(): Promise<void> {
    const server = this.#open;
    this.#open = null;
    if (server !== null) {
      const drained = server.close(this.#options.closeGraceMs).finally(() => this.#draining.delete(server));
      this.#draining.set(server, drained);
    }
    await Promise.all(this.#draining.values());
  }

  busyPeers(): string[] {
    return this.#servers().flatMap((server) => [...server.busyPeers()]);
  }

  /** Cuts requests of these keys that are under way, and returns their number. */
  cut(spkiSha256Hexes: ReadonlySet<string>): number {
    return this.#servers().reduce((count, server) => count + server.cut(spkiSha256Hexes), 0);
  }

  #servers(): TlsServer[] {
    return [...this.#draining.keys(), ...(this.#open === null ? [] : [this.#open])];
  }
}
