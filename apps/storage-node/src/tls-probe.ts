/**
 * Whether this runtime really speaks TLS 1.0: a handshake with itself on loopback, under a certificate made for it. Asking
 * is not enough, since a runtime may take the setting and then offer less.
 */
import { connect, createServer, type TLSSocket } from "node:tls";
import { Fault } from "@holdfast/base";
import { createKeyPair, createRoot, type IssuePorts, issueNodeLeaf, type TlsPolicy } from "@holdfast/pki";

const PROBE_MS_MAX = 5000;

/** Resolves when a handshake with the oldest version of `policy` came about. Otherwise `input`: the profile must not be used here. */
export async function proveLegacyTls(policy: TlsPolicy, ports: IssuePorts): Promise<void> {
  const root = await createRoot(ports, "Holdfast probe");
  const keys = await createKeyPair();
  const cert = await issueNodeLeaf(ports, root, keys, ["localhost"]);
  const got = await negotiated(policy, cert, keys.privateKeyPem).catch((error: unknown) => (error as Error).message);
  if (got === policy.minVersion) return;
  throw new Fault("input", `tls policy: this runtime does not offer what v8r4 promises, got ${got}, want ${policy.minVersion}; use intermediate`);
}

/** The protocol that a client which offers the oldest version alone ends up with. */
function negotiated(policy: TlsPolicy, cert: string, key: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    let client: TLSSocket | null = null;
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      client?.destroy();
      server.close();
      act();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    const timer = setTimeout(() => fail(new Error("no answer")), PROBE_MS_MAX);
    const server = createServer({ ...policy, cert, key }, (socket) => socket.on("error", () => socket.destroy()));
    server.on("error", fail);
    server.on("tlsClientError", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (address === null || typeof address === "string") return fail(new Error("no port"));
      const oldest = { minVersion: policy.minVersion, maxVersion: policy.minVersion, ciphers: policy.ciphers } as const;
      // Nothing is sent, and the peer is this process: whose certificate it is does not matter.
      const dialled = connect({ ...oldest, host: "127.0.0.1", port: address.port, ca: cert, checkServerIdentity: () => undefined, rejectUnauthorized: false });
      client = dialled;
      dialled.on("error", fail);
      dialled.on("secureConnect", () => {
        const protocol = dialled.getProtocol();
        finish(() => resolve(protocol));
      });
    });
  });
}
