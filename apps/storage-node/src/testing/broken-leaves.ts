/** For tests of the certificate gate: leaves under a node's own intermediate that break one rule each, made by the machine's openssl. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface MadeLeaf {
  readonly cert: string;
  readonly key: string;
}

export interface LeafWish {
  readonly issuer: MadeLeaf;
  readonly names?: string;
  readonly usage?: string;
  readonly isAuthority?: boolean;
  /** As `openssl req -newkey` takes them. */
  readonly newKey?: readonly string[];
  readonly hash?: string;
  /** As in 20240101000000Z. */
  readonly from?: string;
  readonly until?: string;
}

const CONFIG = `[ca]
default_ca=own
[own]
database=index.txt
serial=serial
new_certs_dir=.
default_md=sha256
policy=policy
unique_subject=no
[policy]
commonName=supplied
`;
const P256 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const DAY_MS = 86_400_000;

/** A leaf that would pass the gate for localhost and 127.0.0.1, but for what `wish` changes. */
export function makeLeaf(wish: LeafWish): MadeLeaf {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-leaf-"));
  const run = (...args: string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const usages = wish.isAuthority ? "digitalSignature,keyCertSign,cRLSign" : "digitalSignature";
  const files = {
    "ca.cnf": CONFIG,
    "index.txt": "",
    serial: `${crypto.getRandomValues(new Uint8Array(8)).reduce((hex, byte) => hex + byte.toString(16).padStart(2, "0"), "4a")}\n`,
    "issuer.pem": wish.issuer.cert,
    "issuer.key": wish.issuer.key,
    "ext.cnf": `basicConstraints=critical,CA:${wish.isAuthority ? "TRUE" : "FALSE"}\nkeyUsage=critical,${usages}\nextendedKeyUsage=${wish.usage ?? "serverAuth"}\nsubjectAltName=${wish.names ?? "DNS:localhost,IP:127.0.0.1"}\n`,
  };
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });
    run("req", "-newkey", ...(wish.newKey ?? P256), "-nodes", "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=node");
    const dates = ["-startdate", wish.from ?? opensslTime(Date.now() - DAY_MS), "-enddate", wish.until ?? opensslTime(Date.now() + 10 * DAY_MS)];
    const signer = ["-batch", "-config", "ca.cnf", "-cert", "issuer.pem", "-keyfile", "issuer.key", "-extfile", "ext.cnf", "-md", wish.hash ?? "sha256"];
    run("ca", ...signer, ...dates, "-in", "leaf.csr", "-out", "leaf.pem", "-notext");
    return { cert: readFileSync(join(folder, "leaf.pem"), "utf8"), key: readFileSync(join(folder, "leaf.key"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As `openssl ca` takes a time: 20260131120000Z. */
export function opensslTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
}
