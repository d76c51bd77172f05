/**
 * One TLS port: TLS sockets are handed to an HTTP server, since this is the only way in this runtime that shows
 * the verified client certificate, honours CRL, versions and ciphers, and reloads certificates while running.
 *
 * Identity: only the verified leaf counts, named by the SHA-256 of its SubjectPublicKeyInfo. It hangs on the
 * socket and is read by `peerOf`.
 */
import { constants, createHash, X509Certificate } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { bytesToHex, type Clock, Fault } from "@holdfast/base";
import { createGuard, GUARD_LIMITS, type GuardLimits } from "./guard.ts";
import type { RefusedHandshake } from "./refused-handshakes.ts";

/** A TLS policy profile as data: docs/security.md, TLS policy. */
export interface TlsProfile {
  readonly minVersion: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** OpenSSL names for TLS 1.2 and below; TLS 1.3 suites cannot be chosen here. */
  readonly ciphers?: string;
}

/** Certificates and key of a port, all PEM. */
export interface TlsMaterial {
  readonly certificateChain: string;
  readonly privateKey: string;
  /**
   * Root and intermediates that client certificates must chain to. There is no revocation list beside them: a revoked device
   * gets its handshake, and the session check answers each of its requests with `denied`, which it can show to its user.
   */
  readonly authorities: string;
}

export interface TlsServerOptions {
  readonly profile: TlsProfile;
  readonly material: TlsMaterial;
  /** True on the agent port: a handshake without a valid client certificate fails. */
  readonly demandClientCertificate: boolean;
  readonly clock: Clock;
  readonly limits?: GuardLimits;
  /** Told of every handshake that was refused; not rate-limited. */
  readonly onRefused?: (refused: RefusedHandshake) => void;
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Who is at the other end of a socket, as TLS proved it. */
export interface TlsPeer {
  readonly spkiSha256Hex: string;
  readonly serialHex: string;
  readonly notAfterMs: number;
}

export interface TlsServer {
  /** Opens the port (0: any free one) and resolves to its number. */
  listen(host: string, port: number): Promise<number>;
  /** New handshakes use `material` from now on. Open connections stay: session checks look revocation up per request. */
  reload(material: TlsMaterial): void;
  /** Keys behind requests that are under way, as SHA-256 of SubjectPublicKeyInfo in hex. */
  busyPeers(): ReadonlySet<string>;
  /** Cuts requests of these keys that are under way, and returns their number. Idle connections stay: they are answered. */
  cut(spkiSha256Hexes: ReadonlySet<string>): number;
  /** Stops accepting, lets running requests finish for `graceMs`, then cuts. */
  close(graceMs: number): Promise<void>;
  readonly connectionCount: number;
}

/** Header bytes of one request; more is refused by the parser. */
export const HEADER_BYTES_MAX: number = 16 * 1024;

/** On every answer of both ports. Two years are what preload lists ask for; nothing here is ever a page. */
const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  ["strict-transport-security", "max-age=63072000"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'"],
  ["referrer-policy", "no-referrer"],
  ["cache-control", "no-store"],
];

const peersBySocket = new WeakMap<Socket, TlsPeer>();

/** The verified peer of a request's socket, or `null` on a port that demands no certificate. */
export function peerOf(socket: Socket): TlsPeer | null {
  return peersBySocket.get(socket) ?? null;
}

/** A TLS port that is not open yet; `listen` opens it. */
export function createTlsServer(options: TlsServerOptions): TlsServer {
  const limits = options.limits ?? GUARD_LIMITS;
  const guard = createGuard(limits, options.clock);
  const httpServer = createHttpServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
    guard.begin(request, response);
    for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
    options.handler(request, response);
  });
  httpServer.on("clientError", (_error, socket) => socket.destroy());

  const server = createServer({ ...secureContextOptions(options, options.material), handshakeTimeout: limits.handshakeMsMax });
  server.on("connection", (socket: Socket) => {
    socket.on("error", () => socket.destroy());
    guard.admit(socket);
  });
  const tellRefused = (socket: Socket, error: unknown): void => options.onRefused?.(describeRefusal(socket, error, options.profile));
  server.on("tlsClientError", (error, socket) => {
    tellRefused(socket, error);
    socket.destroy();
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.destroyed) return;
    socket.on("error", () => socket.destroy());
    if (options.demandClientCertificate && !attachPeer(socket)) {
      tellRefused(socket, { code: "CLIENT_CERTIFICATE_NOT_VERIFIED" });
      socket.destroy();
      return;
    }
    guard.watch(socket);
    httpServer.emit("connection", socket);
  });

  return {
    listen: (host, port) => listen(server, host, port),
    reload: (material) => server.setSecureContext(secureContextOptions(options, material)),
    busyPeers: () => new Set(guard.busySockets().flatMap((socket) => peerOf(socket)?.spkiSha256Hex ?? [])),
    cut(spkiSha256Hexes) {
      const doomed = guard.busySockets().filter((socket) => spkiSha256Hexes.has(peerOf(socket)?.spkiSha256Hex ?? ""));
      for (const socket of doomed) socket.destroy();
      return doomed.length;
    },
    async close(graceMs) {
      server.close();
      await guard.drain(graceMs);
      guard.stop();
    },
    get connectionCount() {
      return guard.connectionCount;
    },
  };
}

function secureContextOptions(options: TlsServerOptions, material: TlsMaterial): TlsOptions {
  return {
    cert: material.certificateChain,
    key: material.privateKey,
    ca: material.authorities,
    minVersion: options.profile.minVersion,
    maxVersion: options.profile.maxVersion,
    ...(options.profile.ciphers === undefined ? {} : { ciphers: options.profile.ciphers }),
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_TICKET, // A ticket would outlive a revocation.
    requestCert: options.demandClientCertificate,
    rejectUnauthorized: options.demandClientCertificate,
    ALPNProtocols: ["http/1.1"],
  };
}

/** The runtime hands out no ClientHello: versions are known only where the refusal itself speaks of them. */
function describeRefusal(socket: Socket, error: unknown, profile: TlsProfile): RefusedHandshake {
  const code = (error as { readonly code?: unknown } | null)?.code;
  const reason = typeof code === "string" ? code : "handshake failed";
  const offered = reason === "ERR_SSL_UNSUPPORTED_PROTOCOL" ? `none of ${profile.minVersion} to ${profile.maxVersion}` : "unknown";
  return { address: socket.remoteAddress ?? "unknown", offered, reason };
}

function listen(server: ReturnType<typeof createServer>, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => reject(new Fault("transport", `port: cannot listen on ${host}:${port}`, { cause }));
    server.once("error", refuse);
    server.listen(port, host, () => {
      server.off("error", refuse);
      const address = server.address();
      if (address === null || typeof address === "string") return reject(new Fault("internal", "port: no address after listen"));
      resolve(address.port);
    });
  });
}

/** False when TLS did not verify the certificate, whatever the handshake said: runtimes have been wrong about it. */
function attachPeer(socket: TLSSocket): boolean {
  if (socket.authorized !== true) return false;
  const raw = socket.getPeerCertificate(false)?.raw;
  if (!(raw instanceof Uint8Array) || raw.length === 0) return false;
  const leaf = new X509Certificate(raw);
  // A chain whose first certificate is an authority's verifies too; ours never are.
  if (leaf.ca) return false;
  const spki = leaf.publicKey.export({ type: "spki", format: "der" });
  peersBySocket.set(socket, {
    spkiSha256Hex: bytesToHex(createHash("sha256").update(spki).digest()),
    serialHex: leaf.serialNumber.toLowerCase(),
    notAfterMs: Date.parse(leaf.validTo),
  });
  return true;
}
