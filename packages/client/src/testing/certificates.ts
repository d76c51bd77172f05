/** For tests only: a private PKI with the clock of today, and server certificates that are wrong in one respect each. */
import type { TlsOptions } from "node:tls";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import {
  type Authority,
  createCsr,
  createIntermediate,
  createKeyPair,
  createRoot,
  DAY_MS,
  encodeChain,
  issueAgentLeaf,
  issueNodeLeaf,
  tlsPolicy,
} from "@holdfast/pki";

export interface TestPki {
  readonly rootPem: string;
  /** Options of a server with a certificate for `names`, issued `daysAgo`: 90 days is its life. */
  server(names?: readonly string[], daysAgo?: number): Promise<TlsOptions>;
  client(): Promise<{ readonly certificatePem: string; readonly keyPem: string }>;
}

const AUTHORITY_DAYS_AGO = 100;

export async function createTestPki(): Promise<TestPki> {
  const portsOf = (daysAgo: number) => ({
    clock: { ...createSystemClock(), nowMs: () => Date.now() - daysAgo * DAY_MS },
    random: createSystemRandom(),
  });
  const root = await createRoot(portsOf(AUTHORITY_DAYS_AGO), "test root");
  const issuer: Authority = await createIntermediate(portsOf(AUTHORITY_DAYS_AGO), root, "test intermediate");
  return {
    rootPem: root.certificatePem,
    async server(names = ["localhost", "127.0.0.1"], daysAgo = 0) {
      const keys = await createKeyPair();
      const leaf = await issueNodeLeaf(portsOf(daysAgo), issuer, keys, names);
      return { ...tlsPolicy("intermediate"), cert: encodeChain(leaf, issuer.certificatePem), key: keys.privateKeyPem };
    },
    async client() {
      const { privateKeyPem } = await createKeyPair();
      const leaf = await issueAgentLeaf(portsOf(0), issuer, await createCsr(privateKeyPem), new Uint8Array(16).fill(7));
      return { certificatePem: encodeChain(leaf, issuer.certificatePem), keyPem: privateKeyPem };
    },
  };
}
