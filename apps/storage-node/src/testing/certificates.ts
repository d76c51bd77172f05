/** Certificates for tests of the TLS port, made by the machine's openssl: a second implementation beside our own pki package. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestLeaf {
  readonly cert: string;
  readonly key: string;
}

export interface TestAuthority extends Disposable {
  readonly root: string;
  issue(name: string, usage: "serverAuth" | "clientAuth", dates?: { readonly notBefore: string; readonly notAfter: string }): TestLeaf;
  revoke(leaf: TestLeaf): void;
  revocationList(): string;
}

const CONFIG = `[ca]
default_ca=own
[own]
dir=.
database=index.txt
serial=serial
crlnumber=crlnumber
new_certs_dir=.
default_md=sha256
default_days=30
default_crl_days=30
policy=policy
copy_extensions=copy
unique_subject=no
[policy]
commonName=supplied
`;

/** A fresh root in a temporary folder. */
export function createTestAuthority(name: string): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-ca-"));
  const run = (...args: string[]): string => execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] }).toString();
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const signer = ["ca", "-batch", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key"];
  let leafCount = 0;
  writeFileSync(join(folder, "ca.cnf"), CONFIG);
  writeFileSync(join(folder, "index.txt"), "");
  writeFileSync(join(folder, "serial"), "01\n");
  writeFileSync(join(folder, "crlnumber"), "01\n");
  run(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "root.key",
    "-out",
    "root.pem",
    "-subj",
    `/CN=${name}`,
    "-days",
    "30",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
  );

  return {
    root: read("root.pem"),
    issue(leafName, usage, dates) {
      const file = `leaf-${leafCount++}`;
      run(
        "req",
        ...newKey,
        "-keyout",
        `${file}.key`,
        "-out",
        `${file}.csr`,
        "-subj",
        `/CN=${leafName}`,
        "-addext",
        `extendedKeyUsage=${usage}`,
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
      );
      const validity = dates === undefined ? [] : ["-startdate", dates.notBefore, "-enddate", dates.notAfter];
      run(...signer, ...validity, "-in", `${file}.csr`, "-out", `${file}.pem`, "-notext");
      return { cert: read(`${file}.pem`), key: read(`${file}.key`) };
    },
    revoke(leaf) {
      writeFileSync(join(folder, "revoked.pem"), leaf.cert);
      run(...signer, "-revoke", "revoked.pem", "-crl_reason", "keyCompromise");
    },
    revocationList() {
      run(...signer, "-gencrl", "-out", "crl.pem");
      return read("crl.pem");
    },
    [Symbol.dispose]() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
