/** Compares with something we did not write: what we issue must open in OpenSSL, and the gate must judge as `openssl verify` does. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { issueCrl } from "./crl.ts";
import { checkCertificate, type GateInput } from "./gate.ts";
import { createCsr, createIntermediate, createRoot, issueAgentLeaf, issueNodeLeaf, parseCertificatePem } from "./issue.ts";
import { createKeyPair } from "./key.ts";
import { lockPrivateKey, unlockPrivateKey } from "./key-file-node.ts";
import { parseOnePem } from "./pem.ts";
import { DAY_MS } from "./profiles.ts";
import { countingRandom, NOW_MS, portsAt } from "./testing/authority.ts";
import { gateCases } from "./testing/gate-cases.ts";

const isThere = spawnSync("openssl", ["version"]).status === 0;
if (!isThere) console.warn("SKIPPED: openssl is not on PATH, so nothing is compared with it");
const options = isThere ? {} : { skip: "openssl is not on PATH" };

const folder = mkdtempSync(join(tmpdir(), "holdfast-pki-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let fileCount = 0;
function fileOf(text: string): string {
  const path = join(folder, `${fileCount++}.pem`);
  writeFileSync(path, text);
  return path;
}

function openssl(...args: string[]): { isOk: boolean; text: string } {
  const run = spawnSync("openssl", args, { encoding: "utf8" });
  return { isOk: run.status === 0, text: `${run.stdout}${run.stderr}` };
}

function opensslVerify(input: GateInput): { isOk: boolean; text: string } {
  const args = ["verify", "-x509_strict", "-auth_level", "2", "-attime", String(Math.floor(input.nowMs / 1000))];
  args.push("-CAfile", fileOf(input.rootPem ?? ""), "-purpose", input.usage === "server" ? "sslserver" : "sslclient");
  if (input.name !== undefined) args.push(/^[\d.]+$/.test(input.name) ? "-verify_ip" : "-verify_hostname", input.name);
  if (input.chainPem) args.push("-untrusted", fileOf(input.chainPem));
  if (input.crlPem) args.push("-crl_check", "-CRLfile", fileOf(input.crlPem));
  return openssl(...args, fileOf(input.certPem ?? ""));
}

const cases = (await gateCases()).filter((gateCase) => gateCase.openssl !== null);

describe("the certificate gate beside openssl verify", () => {
  for (const { name, input, openssl: isAccepted } of cases) {
    it(`openssl ${isAccepted ? "accepts" : "refuses"} ${name}`, options, () => {
      const { isOk, text } = opensslVerify(input);
      assert.equal(isOk, isAccepted, text);
    });
  }

  it("is never more lenient than openssl", options, async () => {
    for (const { name, input } of cases) {
      if ((await checkCertificate(input)).length === 0) assert.ok(opensslVerify(input).isOk, name);
    }
  });
});

describe("what we issue, in openssl", () => {
  it("chains, requests, lists and locked keys all open", options, async () => {
    const ports = portsAt(NOW_MS);
    const root = await createRoot(ports, "root");
    const intermediate = await createIntermediate(ports, root, "intermediate");
    const keys = await createKeyPair();
    const csr = await createCsr(keys.privateKeyPem);
    const node = await issueNodeLeaf(ports, intermediate, keys, ["node.example", "2001:db8::1"]);
    const agent = await issueAgentLeaf(ports, intermediate, csr, Uint8Array.of(1, 2, 3));
    const { serial } = await parseCertificatePem(agent);
    const revocation = { serial, revokedAtMs: NOW_MS, reason: "key-compromise" } as const;
    const crlPem = await issueCrl(ports, intermediate, { number: 200, lifetimeMs: DAY_MS, revoked: [revocation] });
    const common = { chainPem: intermediate.certificatePem, keyPem: null, rootPem: root.certificatePem, nowMs: NOW_MS, crlPem };

    const good = opensslVerify({ ...common, certPem: node, usage: "server", name: "node.example" });
    assert.ok(good.isOk, good.text);
    const revoked = opensslVerify({ ...common, certPem: agent, usage: "client" });
    assert.match(revoked.text, /certificate revoked/);
    assert.ok(openssl("req", "-verify", "-noout", "-in", fileOf(csr)).isOk);
    const list = openssl("crl", "-noout", "-text", "-CAfile", fileOf(intermediate.certificatePem), "-in", fileOf(crlPem));
    assert.match(list.text, /verify OK/);
    assert.match(list.text, /CRL Number:\s+200[\s\S]+Key Compromise/);
    const text = openssl("x509", "-noout", "-text", "-in", fileOf(node)).text;
    assert.match(text, /DNS:node\.example, IP Address:2001:DB8:0:0:0:0:0:1/);
  });

  it("opens a locked key with the passphrase and not without", options, async () => {
    const { privateKeyPem } = await createKeyPair();
    const locked = fileOf(await lockPrivateKey(countingRandom(), privateKeyPem, "correct horse"));
    assert.ok(openssl("pkey", "-noout", "-check", "-in", locked, "-passin", "pass:correct horse").isOk);
    assert.ok(!openssl("pkey", "-noout", "-in", locked, "-passin", "pass:wrong horse").isOk);
  });

  it("refuses a key that openssl has locked, for its salt is of another size", options, async () => {
    const { privateKeyPem } = await createKeyPair();
    const args = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "5"];
    const locked = openssl(...args, "-in", fileOf(privateKeyPem), "-passout", "pass:correct horse");
    assert.ok(locked.isOk, locked.text);
    await assert.rejects(unlockPrivateKey(locked.text, "correct horse"), { name: "Fault", code: "format" });
  });

  it("reads a certificate and a list that openssl made", options, async () => {
    const keyPath = fileOf((await createKeyPair()).privateKeyPem);
    const made = openssl(
      "req",
      "-x509",
      "-new",
      "-key",
      keyPath,
      "-subj",
      "/O=Other/CN=made elsewhere",
      "-days",
      "10",
      "-addext",
      "subjectAltName=DNS:a.example,IP:::1",
    );
    assert.ok(made.isOk, made.text);
    const certificate = await parseCertificatePem(made.text);
    assert.equal(certificate.isAuthority, true);
    assert.deepEqual(certificate.hostNames, [
      { kind: "dns", value: "a.example" },
      { kind: "ip", value: "::1" },
    ]);
    assert.ok(await certificate.isSignedBy(certificate));
    assert.ok(parseOnePem("CERTIFICATE", made.text, 65_536).length > 0);
  });
});
