/** The audit of the node's own ports, as they are served. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createSystemClock } from "@holdfast/base/node";
import { tlsPolicy } from "@holdfast/pki";
import { createTestAuthority, type TestAuthority } from "../testing/certificates.ts";
import { createTlsServer, type TlsProfile } from "../tls-server.ts";
import type { CipherAuditReport } from "./report.ts";
import { isClean, logLevelOf } from "./report.ts";
import { auditPort, namesOf, SKIP_OPENSSL } from "./testing/weak-server.ts";

const LIMITED = { skip: SKIP_OPENSSL, timeout: 60_000 };

let authority: TestAuthority | null = null;
before(() => {
  if (SKIP_OPENSSL === false) authority = createTestAuthority("test root"); // openssl makes its certificates.
});
after(() => authority?.[Symbol.dispose]());

async function auditOwn(profile: TlsProfile, demandClientCertificate: boolean): Promise<CipherAuditReport> {
  assert.ok(authority !== null);
  const leaf = authority.issue("node", "serverAuth");
  const server = createTlsServer({
    profile,
    material: { certificateChain: leaf.cert, privateKey: leaf.key, authorities: authority.root },
    demandClientCertificate,
    clock: createSystemClock(),
    handler: () => assert.fail("the audit sends no request"),
  });
  const port = await server.listen("127.0.0.1", 0);
  try {
    return await auditPort(port);
  } finally {
    await server.close(100);
  }
}

describe("the cipher audit of our own ports", () => {
  it("finds none reachable under modern, with a client certificate demanded or not", LIMITED, async () => {
    for (const demand of [true, false]) {
      const report = await auditOwn(tlsPolicy("modern"), demand);
      assert.deepEqual([report.summary, report.findings, report.failures, report.ports[0]?.reachableProtocols], ["none reachable", [], [], ["TLS 1.3"]]);
      assert.deepEqual([isClean(report), logLevelOf(report)], [true, "info"]);
    }
  });

  it("finds none reachable under intermediate", LIMITED, async () => {
    for (const demand of [true, false]) {
      const report = await auditOwn(tlsPolicy("intermediate"), demand);
      assert.deepEqual([report.summary, report.failures, report.ports[0]?.reachableProtocols], ["none reachable", [], ["TLS 1.2", "TLS 1.3"]]);
    }
  });

  it("names what a port lets in that was opened too wide", LIMITED, async () => {
    const report = await auditOwn({ minVersion: "TLSv1", maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA" }, true);
    assert.deepEqual(namesOf(report).sort(), [
      "TLS 1.0 CBC with SHA-1 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
      "TLS 1.0 obsolete protocol",
      "TLS 1.1 CBC with SHA-1 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
      "TLS 1.1 obsolete protocol",
      "TLS 1.2 CBC with SHA-1 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    ]);
    assert.deepEqual([isClean(report), logLevelOf(report)], [false, "warning"]);
  });
});
