/** Reads a server's certificates by a whole handshake: the only way under TLS 1.3, where they are encrypted. */
import { connect, type DetailedPeerCertificate } from "node:tls";
import { copyBytes } from "@holdfast/base";
import type { FetchChain } from "./dial.ts";
import { CHAIN_CERTIFICATES_MAX } from "./server-answer.ts";

export const fetchChainNode: FetchChain = ({ host, port, serverName, signal }) =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(null);
    const socket = connect({
      host,
      port,
      ...(serverName === undefined ? {} : { servername: serverName }),
      rejectUnauthorized: false, // The audit looks at bad certificates; nothing is sent and nothing believed.
      minVersion: "TLSv1",
    });
    const finish = (chain: readonly Uint8Array[] | null): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve(chain);
    };
    const onAbort = (): void => finish(null);
    signal.addEventListener("abort", onAbort, { once: true });
    // A server that demands a certificate refuses ours only after it has shown its own (RFC 8446 §2).
    socket.on("secureConnect", () => finish(chainOf(socket.getPeerCertificate(true))));
    socket.on("error", () => finish(null));
    socket.on("close", () => finish(null));
  });

function chainOf(leaf: DetailedPeerCertificate): readonly Uint8Array[] | null {
  const chain: Uint8Array[] = [];
  const seen = new Set<DetailedPeerCertificate>();
  for (let next: DetailedPeerCertificate | undefined = leaf; next?.raw !== undefined && !seen.has(next); next = next.issuerCertificate) {
    seen.add(next);
    chain.push(copyBytes(next.raw));
    if (chain.length === CHAIN_CERTIFICATES_MAX) break;
  }
  return chain.length === 0 ? null : chain;
}
