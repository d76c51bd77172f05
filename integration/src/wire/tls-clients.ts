/** What TLS clients that are not ours say of a port: `openssl s_client`, `sslscan` and `testssl.sh`. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TlsIdentity } from "../../../apps/storage-node/src/testing/test-client.ts";
import { run } from "../harness/run.ts";

export const PROTOCOLS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
export type Protocol = (typeof PROTOCOLS)[number];

const OPENSSL_FLAGS = { TLSv1: "-tls1", "TLSv1.1": "-tls1_1", "TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3" } as const;
const LIMIT_MS = 600_000;

/** A port, with a folder for files and, on the agent port, who knocks. */
export interface Target {
  readonly port: number;
  readonly rootPem: string;
  readonly identity: TlsIdentity | null;
  readonly scratch: string;
}

/** The protocols at which `openssl s_client` completes a handshake, at its lowest security level: what is refused is refused by the port. */
export async function acceptedProtocols(target: Target): Promise<Protocol[]> {
  const accepted: Protocol[] = [];
  for (const protocol of PROTOCOLS) if ((await handshake(target, [OPENSSL_FLAGS[protocol]])) !== null) accepted.push(protocol);
  return accepted;
}

/** Protocol and cipher of a handshake with `options`, or `null` when the port refuses. */
export async function handshake(target: Target, options: readonly string[]): Promise<{ readonly protocol: string; readonly cipher: string } | null> {
  const { port, identity, scratch, rootPem } = target;
  const at = (name: string): string => join(scratch, name);
  await Bun.write(at("client-root.pem"), rootPem);
  const files = identity === null ? [] : ["-cert", at("client.pem"), "-cert_chain", at("client.pem"), "-key", at("client-key.pem")];
  if (identity !== null) {
    await Bun.write(at("client.pem"), identity.cert);
    await Bun.write(at("client-key.pem"), identity.key);
  }
  const command = ["openssl", "s_client", "-connect", `127.0.0.1:${port}`, "-servername", "localhost", "-CAfile", at("client-root.pem"), ...files];
  const ran = await run([...command, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", ...options], { limitMs: 20_000 });
  const found = /^(?:New|Reused), (\S+), Cipher is (\S+)$/m.exec(ran.stdout);
  return found === null || found[2] === "(NONE)"
    ? null
    : { protocol: /^ *Protocol *: (\S+)$/m.exec(ran.stdout)?.[1] ?? (found[1] as string), cipher: found[2] as string };
}

/** Enabled protocols as `sslscan` prints them: `TLSv1.0`, … */
export async function scannedProtocols(port: number): Promise<string[]> {
  const { stdout } = await run(["sslscan", "--no-colour", "--certs", "--pk", "--sni-name=localhost", `127.0.0.1:${port}`], { limitMs: LIMIT_MS });
  return [...stdout.matchAll(/^(SSLv\d|TLSv[\d.]+) +enabled$/gm)].map(([, name]) => name as string);
}

export interface ScanFinding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** What the scanner says of itself or of the machine's name server, not of the port. */
const NOT_OF_THE_PORT = new Set(["engine_problem", "DNS_CAArecord", "service", "scanProblem", "scanTime"]);

/** Findings of `testssl` above INFO. */
export async function testsslFindings(target: Target): Promise<{ readonly checks: number; readonly findings: readonly ScanFinding[] }> {
  const [root, out] = [join(target.scratch, "testssl-root.pem"), join(target.scratch, `testssl-${target.port}.json`)];
  await Bun.write(root, target.rootPem);
  rmSync(out, { force: true });
  const options = ["--quiet", "--color", "0", "--warnings", "off", "--add-ca", root, "--ip", "127.0.0.1", "--jsonfile", out];
  await run(["testssl", ...options, `localhost:${target.port}`], { limitMs: LIMIT_MS });
  const all = JSON.parse(readFileSync(out, "utf8")) as ScanFinding[];
  return { checks: all.length, findings: all.filter(({ id, severity }) => !["OK", "INFO"].includes(severity) && !NOT_OF_THE_PORT.has(id)) };
}
