/** A storage node's private authority for tests: a root and an intermediate, made when first asked, a hundred days old. */
import {
  type Authority,
  createIntermediate,
  createKeyPair,
  createRoot,
  DAY_MS,
  encodeChain,
  encodePem,
  type IssuePorts,
  issueAgentLeaf,
  issueCrl,
  issueNodeLeaf,
  parseCertificatePem,
  parsePem,
} from "@holdfast/pki";

export interface IssuedFiles {
  /** Leaf, then intermediate. */
  readonly certificate: string;
  readonly root: string;
}

export interface MemoryAuthority {
  /** A client certificate for the key in `csrPem`, made `daysAgo`: 30 days is its life. */
  issue(csrPem: string, device: Uint8Array, daysAgo?: number): Promise<IssuedFiles>;
  /** For a server on localhost that demands client certificates, or does not. */
  serverTls(
    demandsClient: boolean,
  ): Promise<{ cert: string; key: string; ca: string; requestCert: boolean; rejectUnauthorized: boolean; minVersion: "TLSv1.3" }>;
  /** A list that revokes the leaf of `chainPem`. */
  revocationList(chainPem: string): Promise<string>;
}

const AGE_DAYS = 100;

export function createMemoryAuthority({ clock, random }: IssuePorts): MemoryAuthority {
  const portsOf = (daysAgo: number): IssuePorts => ({ clock: { ...clock, nowMs: () => clock.nowMs() - daysAgo * DAY_MS }, random });
  let made: Promise<readonly [Authority, Authority]> | null = null;
  const make = async (): Promise<readonly [Authority, Authority]> => {
    const root = await createRoot(portsOf(AGE_DAYS), "test root");
    return [root, await createIntermediate(portsOf(AGE_DAYS), root, "test intermediate")];
  };
  const authorities = (): Promise<readonly [Authority, Authority]> => {
    made ??= make();
    return made;
  };
  return {
    async issue(csrPem, device, daysAgo = 0) {
      const [root, intermediate] = await authorities();
      const leaf = await issueAgentLeaf(portsOf(daysAgo), intermediate, csrPem, device);
      return { certificate: encodeChain(leaf, intermediate.certificatePem), root: root.certificatePem };
    },
    async serverTls(demandsClient) {
      const [root, intermediate] = await authorities();
      const keys = await createKeyPair();
      const leaf = await issueNodeLeaf(portsOf(0), intermediate, keys, ["localhost", "127.0.0.1"]);
      return {
        cert: encodeChain(leaf, intermediate.certificatePem),
        key: keys.privateKeyPem,
        ca: root.certificatePem,
        requestCert: demandsClient,
        rejectUnauthorized: demandsClient,
        minVersion: "TLSv1.3",
      };
    },
    async revocationList(chainPem) {
      const [, intermediate] = await authorities();
      const [leaf] = parsePem("CERTIFICATE", chainPem, { textBytesMax: 65_536, blockCountMax: 4 });
      const { serial } = await parseCertificatePem(encodePem("CERTIFICATE", leaf ?? new Uint8Array(0)));
      const revoked = [{ serial, revokedAtMs: clock.nowMs(), reason: "key-compromise" }] as const;
      return issueCrl(portsOf(0), intermediate, { number: 1, lifetimeMs: DAY_MS, revoked });
    },
  };
}
