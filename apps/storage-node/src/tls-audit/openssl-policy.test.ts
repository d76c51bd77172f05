import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { Fault, utf8 } from "@holdfast/base";
import { runOpensslNode } from "./openssl-node.ts";
import { type RunOpenssl, readOpensslPolicy } from "./openssl-policy.ts";
import { disk, SKIP_OPENSSL, WeakBench } from "./testing/weak-server.ts";

const noDisk = { readFile: () => null };
const policyFile = (min: string, ciphers: string): string => `
openssl_conf = init # as Debian has it
[init]
ssl_conf = ssl_sect
[other]
MinProtocol = SSLv3
[ssl_sect]
system_default = system_default_sect
[system_default_sect]
MinProtocol = ${min}
CipherString = ${ciphers}
`;

describe("the machine's OpenSSL policy", () => {
  it("is what openssl itself lists, and follows the system's file", { skip: SKIP_OPENSSL }, async () => {
    using bench = new WeakBench();
    const under =
      (config: string): RunOpenssl =>
      (args) =>
        new Promise((resolve) =>
          execFile("openssl", [...args], { env: { ...process.env, OPENSSL_CONF: config } }, (error, stdout) => resolve(error ? null : stdout)),
        );
    const weakPath = bench.file(policyFile("TLSv1", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"));
    const weak = await readOpensslPolicy(under(weakPath), disk, weakPath);
    assert.deepEqual([weak.minProtocol, weak.cipherString, weak.configPath], ["TLSv1", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", weakPath]);
    assert.ok(weak.allowedSuites.includes("TLS_RSA_WITH_NULL_MD5") && weak.allowedSuites.includes("TLS_DH_anon_WITH_AES_128_CBC_SHA"));
    const strictPath = bench.file(policyFile("TLSv1.3", "ECDHE+AESGCM:@SECLEVEL=2"));
    const strict = await readOpensslPolicy(under(strictPath), disk, strictPath);
    assert.deepEqual([strict.allowedSuites, strict.minProtocol], [[], "TLSv1.3"]);
    assert.ok(strict.availableSuites.length > 50);
  });

  it("of this machine can be read as it is", { skip: SKIP_OPENSSL }, async () => {
    const policy = await readOpensslPolicy(runOpensslNode, disk);
    assert.match(policy.version ?? "", /SSL \d/);
    assert.ok(policy.availableSuites.length >= policy.allowedSuites.length);
  });

  it("is unknown without openssl, and without its file", async () => {
    assert.equal((await readOpensslPolicy(async () => null, noDisk)).version, null);
    const denied = {
      readFile: (): never => {
        throw new Fault("transport", "disk: not allowed");
      },
    };
    const run: RunOpenssl = async ([command]) =>
      command === "version" ? 'OpenSSL 3.0.19 27 Jan 2026\nOPENSSLDIR: "/nowhere"' : " 0x00,0x0A - DES-CBC3-SHA SSLv3\n 0x13,0x01 - X\n";
    for (const some of [noDisk, denied]) {
      const policy = await readOpensslPolicy(run, some);
      assert.deepEqual(
        [policy.version, policy.allowedSuites, policy.configPath, policy.minProtocol],
        ["OpenSSL 3.0.19", ["TLS_RSA_WITH_3DES_EDE_CBC_SHA"], null, null],
      );
    }
  });

  it("comes to nothing in a file that leads in a circle, or holds no policy", async () => {
    for (const text of ["openssl_conf = a\n[a]\nssl_conf = a\nsystem_default = a\n", "[", "=\n[]\n= x", "\u0000"]) {
      const policy = await readOpensslPolicy(async () => "OpenSSL 3", { readFile: () => utf8(text) }, "file");
      assert.equal(policy.minProtocol, null);
    }
  });
});
