import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Bytes } from "@holdfast/base";
import { type CrlRequest, issueCrl, parseCrl } from "./crl.ts";
import { createIntermediate, createRoot, parseCertificatePem } from "./issue.ts";
import { importSigningKeys } from "./key.ts";
import { parseOnePem } from "./pem.ts";
import { CRL_PEM_BYTES_MAX, DAY_MS } from "./profiles.ts";
import { NOW_MS, portsAt, withBrokenSignature } from "./testing/authority.ts";
import { Extension, Name, X509CrlGenerator } from "./x509.ts";

const ports = portsAt(NOW_MS);
const root = await createRoot(ports, "root");
const intermediate = await createIntermediate(ports, root, "intermediate");
const issuer = await parseCertificatePem(intermediate.certificatePem);

const REQUEST: CrlRequest = {
  number: 7,
  lifetimeMs: DAY_MS,
  revoked: [
    { serial: "00AB", revokedAtMs: NOW_MS - 5000, reason: "key-compromise" },
    { serial: "80", revokedAtMs: NOW_MS - 4000, reason: "superseded" },
    { serial: "f00", revokedAtMs: NOW_MS - 3000, reason: "cessation-of-operation" },
    { serial: "1234567890abcdef1234567890abcdef12345678", revokedAtMs: NOW_MS - 2000, reason: "privilege-withdrawn" },
  ],
};

describe("revocation lists", () => {
  it("read back what was written, in canonical serials", async () => {
    const pem = await issueCrl(ports, intermediate, REQUEST);
    assert.match(pem, /^-----BEGIN X509 CRL-----\n[\s\S]+\n-----END X509 CRL-----\n$/);
    const crl = parseCrl(parseOnePem("X509 CRL", pem, CRL_PEM_BYTES_MAX));
    assert.deepEqual(
      [...crl.revokedAtMsBySerial],
      [
        ["ab", NOW_MS - 5000],
        ["80", NOW_MS - 4000],
        ["f00", NOW_MS - 3000],
        ["1234567890abcdef1234567890abcdef12345678", NOW_MS - 2000],
      ],
    );
    assert.equal(crl.thisUpdateMs, NOW_MS);
    assert.equal(crl.nextUpdateMs, NOW_MS + DAY_MS);
    assert.deepEqual(crl.issuerDer, issuer.subjectDer);
  });

  it("verify under their issuer only, and not with a bit changed", async () => {
    const der = parseOnePem("X509 CRL", await issueCrl(ports, intermediate, REQUEST), CRL_PEM_BYTES_MAX);
    assert.equal(await parseCrl(der).isSignedBy(issuer), true);
    assert.equal(await parseCrl(der).isSignedBy(await parseCertificatePem(root.certificatePem)), false);
    assert.equal(await parseCrl(withBrokenSignature(der)).isSignedBy(issuer), false);
  });

  it("may be empty", async () => {
    const pem = await issueCrl(ports, intermediate, { ...REQUEST, revoked: [] });
    assert.equal(parseCrl(parseOnePem("X509 CRL", pem, CRL_PEM_BYTES_MAX)).revokedAtMsBySerial.size, 0);
  });

  it("take numbers of any size", async () => {
    for (const number of [0, 127, 128, 255, 256, 65_535, Number.MAX_SAFE_INTEGER]) await issueCrl(ports, intermediate, { ...REQUEST, number });
    await assert.rejects(issueCrl(ports, intermediate, { ...REQUEST, number: -1 }), { name: "Fault", code: "input" });
  });

  it("are not made with a serial twice or a serial that is none", async () => {
    for (const serials of [["ab", "00AB"], ["xy"], [""], ["1".repeat(41)]]) {
      const revoked = serials.map((serial) => ({ serial, revokedAtMs: NOW_MS, reason: "superseded" }) as const);
      await assert.rejects(issueCrl(ports, intermediate, { ...REQUEST, revoked }), { name: "Fault", code: "input" });
    }
  });

  it("are not made with the key of another", async () => {
    const mixed = { certificatePem: intermediate.certificatePem, privateKeyPem: root.privateKeyPem };
    await assert.rejects(issueCrl(ports, mixed, REQUEST), { name: "Fault", code: "certificate" });
  });

  it("are refused when partial: a critical extension, as of a delta list", async () => {
    const delta = await makeCrl({ nextUpdate: new Date(NOW_MS + DAY_MS), extensions: [new Extension("2.5.29.27", true, Uint8Array.of(2, 1, 1))] });
    assert.throws(() => parseCrl(delta), { name: "Fault", code: "format" });
  });

  it("are refused without a next update, where the library would lose every serial", async () => {
    const endless = await makeCrl({ entries: [{ serialNumber: "01", reason: 1 }] });
    assert.throws(() => parseCrl(endless), { name: "Fault", code: "format" });
  });

  it("are refused as garbage, cut short, or with bytes left over", async () => {
    const der = parseOnePem("X509 CRL", await issueCrl(ports, intermediate, REQUEST), CRL_PEM_BYTES_MAX);
    for (const bytes of [
      new Uint8Array(0),
      der.slice(0, -1),
      Uint8Array.from([...der, 0]),
      Uint8Array.of(0x30, 0),
      parseOnePem("CERTIFICATE", root.certificatePem, 65_536),
    ]) {
      assert.throws(() => parseCrl(bytes), { name: "Fault", code: "format" });
    }
  });
});

/** A list by the library itself, which may hold what ours never do. */
async function makeCrl(change: Partial<Parameters<typeof X509CrlGenerator.create>[0]>): Promise<Bytes> {
  const { privateKey: signingKey } = await importSigningKeys(intermediate.privateKeyPem);
  const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" };
  const x509 = await X509CrlGenerator.create({ issuer: new Name(issuer.subjectDer), signingAlgorithm, signingKey, ...change });
  return new Uint8Array(x509.rawData);
}
