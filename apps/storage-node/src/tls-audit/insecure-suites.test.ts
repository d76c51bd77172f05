import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { INSECURE_SUITES, insecureSuiteOf } from "./insecure-suites.ts";
import { AUDIT_PROTOCOLS } from "./protocols.ts";
import { classOfSuite } from "./suite-class.ts";
import { SKIP_OPENSSL } from "./testing/weak-server.ts";

describe("insecure suites", () => {
  it("are many, each with its own code", () => {
    assert.ok(INSECURE_SUITES.length > 300, String(INSECURE_SUITES.length));
    assert.equal(new Set(INSECURE_SUITES.map(({ code }) => code)).size, INSECURE_SUITES.length);
  });

  const samples: readonly (readonly [number, string, string, string])[] = [
    [0x0001, "TLS_RSA_WITH_NULL_MD5", "NULL encryption", "critical"],
    [0x0003, "TLS_RSA_EXPORT_WITH_RC4_40_MD5", "EXPORT", "critical"],
    [0x0004, "TLS_RSA_WITH_RC4_128_MD5", "RC4", "high"],
    [0x0009, "TLS_RSA_WITH_DES_CBC_SHA", "DES", "critical"],
    [0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "3DES", "high"],
    [0x0018, "TLS_DH_anon_WITH_RC4_128_MD5", "anonymous key exchange", "critical"],
    [0x0025, "TLS_KRB5_WITH_IDEA_CBC_MD5", "MD5", "high"],
    [0x0007, "TLS_RSA_WITH_IDEA_CBC_SHA", "IDEA or SEED", "medium"],
    [0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", "static-RSA key exchange", "medium"],
    [0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", "static-RSA key exchange", "medium"],
    [0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "CBC with SHA-1", "medium"],
    [0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "CBC", "info"],
    [0x1305, "TLS_AES_128_CCM_8_SHA256", "short authentication tag", "info"],
    [0xc0b4, "TLS_SHA256_SHA256", "NULL encryption", "critical"],
    [0xfeff, "SSL_RSA_FIPS_WITH_3DES_EDE_CBC_SHA", "3DES", "high"],
  ];
  for (const [code, name, suiteClass, severity] of samples) {
    it(`${name} is ${severity}: ${suiteClass}`, () => assert.deepEqual(insecureSuiteOf(code), { code, name, class: suiteClass, severity }));
  }

  it("bear the codes and names that openssl knows, and miss none that it has", { skip: SKIP_OPENSSL }, () => {
    const listing = execFileSync("openssl", ["ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], { encoding: "utf8" });
    const known = [...listing.matchAll(/0x(..),0x(..) - (\S+)/g)].map(([, high, low, name]) => ({ code: Number.parseInt(`${high}${low}`, 16), name }));
    assert.ok(known.length > 100);
    for (const { code, name } of known) assert.equal(insecureSuiteOf(code)?.name ?? null, classOfSuite(name as string) === null ? null : name, name);
  });

  it("are all offered in some version, and never beside sound ones", () => {
    const offered = new Set(AUDIT_PROTOCOLS.flatMap(({ insecureSuites }) => insecureSuites));
    assert.deepEqual(
      INSECURE_SUITES.filter(({ code }) => !offered.has(code)),
      [],
    );
    for (const { soundSuites } of AUDIT_PROTOCOLS)
      assert.deepEqual(
        soundSuites.filter((code) => insecureSuiteOf(code) !== null),
        [],
      );
  });
});
