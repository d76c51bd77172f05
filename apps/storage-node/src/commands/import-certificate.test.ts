/** Certificates of an operator's own authority, which the machine's openssl makes here. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { NodeFixture } from "../testing/node-fixture.ts";
import { issueIntermediate } from "./certificate.ts";
import { type ImportOptions, importCertificate } from "./import-certificate.ts";

const SKIP: string | false = spawnSync("openssl", ["version"]).status === 0 ? false : "NOT RUN: openssl is not on PATH";
if (SKIP !== false) console.warn(SKIP);

const CONFIG = `[ca]
default_ca=own
[own]
dir=.
database=index.txt
serial=serial
crlnumber=crlnumber
new_certs_dir=.
default_md=sha256
default_days=300
default_crl_days=300
policy=policy
copy_extensions=copy
unique_subject=no
[policy]
commonName=supplied
[issuing]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[leaf]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
[short]
basicConstraints=critical,CA:TRUE,pathlen:0
keyUsage=critical,cRLSign
subjectKeyIdentifier=hash
`;

const LIMITED = { timeout: 60_000 };

let folder: string;
let node: NodeFixture;

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
}

/** A key and a certificate by `issuer`, with the extensions of a section of CONFIG. */
function issue(name: string, issuer: string, section: string, curve = "P-256", names = ""): void {
  openssl("genpkey", "-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`, "-out", `${name}.key`);
  const san = names === "" ? [] : ["-addext", `subjectAltName=${names}`];
  openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=Example ${name}`, ...san, "-out", `${name}.csr`);
  const signer = ["ca", "-batch", "-config", "ca.cnf", "-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`];
  openssl(...signer, "-extensions", section, "-in", `${name}.csr`, "-out", `${name}.pem`, "-notext");
}

function importOptions(name: string, change: Partial<ImportOptions> = {}): ImportOptions {
  const ports = { disk: createNodeDisk(), clock: createSystemClock(), random: createSystemRandom(), data: node.folder.path };
  return { ...ports, certificatePath: join(folder, `${name}.pem`), keyPath: join(folder, `${name}.key`), enrollAgain: false, ...change };
}

const ownRoot = (): Partial<ImportOptions> => ({ rootPath: join(folder, "root.pem"), rootCrlPath: join(folder, "root.crl") });
const filesOf = (): string =>
  JSON.stringify(["pki", "admin"].map((each) => node.folder.list(each).map((name) => [name, String(node.folder.read(`${each}/${name}`))])));

before(makeAll, LIMITED);

async function makeAll(): Promise<void> {
  if (SKIP !== false) return;
  folder = mkdtempSync(join(tmpdir(), "holdfast-own-ca-"));
  for (const [name, text] of [
    ["ca.cnf", CONFIG],
    ["index.txt", ""],
    ["serial", "01\n"],
    ["crlnumber", "01\n"],
  ] as const)
    writeFileSync(join(folder, name), text);
  openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", "root.key");
  openssl(
    "req",
    "-x509",
    "-key",
    "root.key",
    "-subj",
    "/O=Example/CN=Example root",
    "-days",
    "3000",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
    "-out",
    "root.pem",
  );
  openssl("ca", "-config", "ca.cnf", "-cert", "root.pem", "-keyfile", "root.key", "-gencrl", "-out", "root.crl");
  issue("issuing", "root", "issuing");
  issue("wide", "root", "issuing", "P-384");
  issue("mute", "root", "short");
  issue("ports", "issuing", "leaf", "P-256", "DNS:localhost,IP:127.0.0.1");
  issue("elsewhere", "issuing", "leaf", "P-256", "DNS:elsewhere.example");
  node = await NodeFixture.create();
  await node.stop();
}
after(async () => {
  if (SKIP !== false) return;
  await node[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

describe("certificates of an operator's own authority", { skip: SKIP }, () => {
  it("are refused with what is wrong, before anything is replaced", LIMITED, async () => {
    const files = filesOf();
    const refused: readonly [string, ImportOptions, RegExp][] = [
      ["another root than its own", importOptions("issuing"), /does not lead to our root/],
      ["no list of the new root", importOptions("issuing", { rootPath: join(folder, "root.pem") }), /--root-crl/],
      ["key of another", importOptions("issuing", { ...ownRoot(), keyPath: join(folder, "ports.key") }), /does not belong to the certificate/],
      ["a key that we cannot sign with", importOptions("wide", ownRoot()), /P-256/],
      ["an authority that may not sign", importOptions("mute", ownRoot()), /may not sign certificates/],
      ["a leaf of another authority", importOptions("ports"), /does not lead to our root|signature/],
      ["a leaf with another root", importOptions("ports", ownRoot()), /issuing certificate of the new root first/],
      [
        "a list that another signed",
        importOptions("issuing", { ...ownRoot(), rootCrlPath: join(node.folder.path, "pki/root.crl.pem") }),
        /--root-crl: is not signed/,
      ],
      ["no such file", importOptions("nowhere"), /cannot be read/],
    ];
    for (const [what, options, message] of refused) await assert.rejects(importCertificate(options), { name: "Fault", message }, what);
    assert.equal(filesOf(), files);
  });

  it("become what the node issues under: the node, its devices and their revocation work", LIMITED, async () => {
    assert.deepEqual((await importCertificate(importOptions("issuing", ownRoot()))).imported, "issuing certificate");
    await node.start();
    assert.equal(node.rootPem.trim(), readFileSync(join(folder, "root.pem"), "utf8").trim());
    assert.deepEqual(await node.node.services.identity.findings(), []);
    const [ada, lost] = [await node.enroll("ada"), await node.enroll("lost")];
    assert.equal((await ada.client.exchange({ target: "/v1/account" })).status, 200);
    await node.node.services.store.writer.call("revokeDevice", [lost.client.device]);
    await node.node.check();
    assert.notEqual(
      await lost.client.exchange({ target: "/v1/account" }).then(
        (answer) => answer.status,
        () => 403,
      ),
      200,
    );
    writeFileSync(join(folder, "leaf.pem"), ada.identity.cert.slice(0, ada.identity.cert.indexOf("-----END") + 26));
    writeFileSync(join(folder, "lists.pem"), node.node.services.identity.revocationLists().join(""));
    openssl(
      "verify",
      "-x509_strict",
      "-CAfile",
      "root.pem",
      "-untrusted",
      "issuing.pem",
      "-crl_check",
      "-CRLfile",
      "lists.pem",
      "-purpose",
      "sslclient",
      "leaf.pem",
    );
    await node.stop();
  });

  it("may be one for the ports, for the names that agents dial", LIMITED, async () => {
    const files = filesOf();
    await assert.rejects(importCertificate(importOptions("elsewhere")), { code: "certificate", message: /does not cover the configured name/ });
    assert.equal(filesOf(), files);
    assert.equal((await importCertificate(importOptions("ports"))).imported, "node certificate");
    await node.start();
    assert.deepEqual(await node.node.services.identity.findings(), []);
    assert.equal((await (await node.enroll("bob")).client.exchange({ target: "/v1/account" })).status, 200);
    await node.stop();
  });

  it("are not moved to another root while devices are pinned to one, unless told to", LIMITED, async () => {
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      "root2.key",
      "-subj",
      "/CN=Second root",
      "-days",
      "900",
      "-addext",
      "keyUsage=critical,keyCertSign,cRLSign",
      "-out",
      "root2.pem",
    );
    openssl("ca", "-config", "ca.cnf", "-cert", "root2.pem", "-keyfile", "root2.key", "-gencrl", "-out", "root2.crl");
    issue("second", "root2", "issuing");
    const other = { rootPath: join(folder, "root2.pem"), rootCrlPath: join(folder, "root2.crl") };
    const files = filesOf();
    await assert.rejects(importCertificate(importOptions("second", other)), { code: "conflict", message: /2 devices/ });
    assert.equal(filesOf(), files);
    await importCertificate(importOptions("second", { ...other, enrollAgain: true }));
    await node.start();
    assert.equal((await (await node.enroll("carol")).client.exchange({ target: "/v1/account" })).status, 200);
    await node.stop();
  });

  it("leave what needs the root's key to their authority, and say so", LIMITED, async () => {
    await assert.rejects(issueIntermediate(importOptions("issuing"), "a long passphrase"), { code: "missing", message: /--root-key/ });
    await node.start(); // What is closed at the end.
  });
});
