import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFault } from "@holdfast/base";
import { type DialTls, dialRuntime, dialTls, tlsProfileNamed } from "./dial-policy.ts";
import { createHttpsNet } from "./https-net-node.ts";
import { createTestPki } from "./testing/certificates.ts";
import { SKIP_WITHOUT_OPENSSL, startOldServer } from "./testing/old-server.ts";

const GET = { method: "GET", target: "/", headers: {}, body: [] } as const;
/** What a GET over `tls` to a server that speaks `version` alone comes over, or the code of its fault. */
async function dialled(version: "-tls1" | "-tls1_1" | "-tls1_2", tls: DialTls): Promise<string> {
  const pki = await createTestPki();
  await using server = await startOldServer(await pki.server(), version);
  let protocol = "none told";
  const onProtocol = (told: string): void => {
    protocol = told;
  };
  await using net = createHttpsNet({ host: "localhost", port: server.port, rootPem: pki.rootPem, tls, onProtocol });
  try {
    assert.equal((await net.exchange(GET, 1_000_000)).status, 200);
    return protocol;
  } catch (error) {
    if (!isFault(error)) throw error;
    return error.code;
  }
}

describe("tls profiles for dialling", () => {
  it("know three names, and name where a wrong one was given", () => {
    assert.equal(tlsProfileNamed("intermediate", "--tls"), "intermediate");
    for (const name of ["", "Modern", "sslv3"]) assert.throws(() => tlsProfileNamed(name, "--tls"), { code: "input", message: /^--tls: got .*want modern/ });
  });

  it("are the storage node's own, whatever the runtime, but for v8r4", () => {
    for (const runtime of ["node", "bun", "deno"] as const) {
      assert.deepEqual([dialTls("modern", runtime).minVersion, dialTls("modern", runtime).maxVersion], ["TLSv1.3", "TLSv1.3"]);
      assert.deepEqual([dialTls("intermediate", runtime).minVersion, dialTls("intermediate", runtime).maxVersion], ["TLSv1.2", "TLSv1.3"]);
      for (const profile of ["modern", "intermediate"] as const) assert.doesNotMatch(dialTls(profile, runtime).ciphers, /SECLEVEL|RC4|3DES|NULL|MD5/);
    }
  });

  it("ask for security level 0 under Node, not under Bun, and refuse v8r4 under Deno", () => {
    assert.equal(dialTls("v8r4", "node").ciphers, `${dialTls("v8r4", "bun").ciphers}:@SECLEVEL=0`);
    assert.doesNotMatch(dialTls("v8r4", "bun").ciphers, /SECLEVEL|RC4|DES|NULL|MD5/);
    assert.throws(() => dialTls("v8r4", "deno"), { code: "input", message: /Deno cannot speak TLS 1\.0/ });
  });

  it("reach old servers under v8r4 alone", { skip: SKIP_WITHOUT_OPENSSL }, async () => {
    const runtime = dialRuntime();
    for (const version of ["-tls1", "-tls1_1"] as const) {
      for (const profile of ["modern", "intermediate"] as const)
        assert.equal(await dialled(version, dialTls(profile, runtime)), "transport", `${profile} ${version}`);
      if (runtime !== "deno") assert.equal(await dialled(version, dialTls("v8r4", runtime)), version === "-tls1" ? "TLSv1" : "TLSv1.1");
    }
    assert.equal(await dialled("-tls1_2", dialTls("modern", runtime)), "transport");
    assert.equal(await dialled("-tls1_2", dialTls("intermediate", runtime)), "TLSv1.2");
  });
});
