import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, bytesToHex } from "@holdfast/base";
import { checkCertificate } from "./gate.ts";
import {
  type Authority,
  createCsr,
  createIntermediate,
  createRoot,
  encodeChain,
  issueAgentLeaf,
  issueNodeLeaf,
  parseCertificatePem,
  spkiHashOfCertificate,
} from "./issue.ts";
import { createKeyPair, isPrivateKeyOf, publicKeyOf, spkiHash } from "./key.ts";
import { encodePem, parseOnePem } from "./pem.ts";
import { CERTIFICATE_PROFILES, DAY_MS } from "./profiles.ts";
import { NOW_MS, portsAt, privateKeyPemOf, testKeys, withBrokenSignature } from "./testing/authority.ts";
import { Name, Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } from "./x509.ts";

const DEVICE_ID = Uint8Array.of(0xde, 0xad, 0x00, 0x01);

const ports = portsAt(NOW_MS);
const root = await createRoot(ports, "Test root");
const intermediate = await createIntermediate(ports, root, "Test intermediate");

describe("issuing", () => {
  it("makes a node leaf that passes the gate", async () => {
    const keys = await createKeyPair();
    const certPem = await issueNodeLeaf(ports, intermediate, keys, ["Node.Example.", "127.0.0.1", "2001:DB8:0::1"]);
    const files = { certPem, chainPem: intermediate.certificatePem, keyPem: keys.privateKeyPem, rootPem: root.certificatePem };
    for (const name of ["node.example", "NODE.example.", "127.0.0.1", "2001:db8::1", "[2001:db8::1]"]) {
      assert.deepEqual(await checkCertificate({ ...files, usage: "server", name, nowMs: NOW_MS }), []);
    }
    const asClient = await checkCertificate({ ...files, usage: "client", nowMs: NOW_MS });
    assert.deepEqual(
      asClient.map(({ rule }) => rule),
      ["usage"],
    );
  });

  it("makes an agent leaf that passes the gate, named by the device id", async () => {
    const keys = await createKeyPair();
    const certPem = await issueAgentLeaf(ports, intermediate, await createCsr(keys.privateKeyPem), DEVICE_ID);
    const files = { certPem, chainPem: intermediate.certificatePem, keyPem: keys.privateKeyPem, rootPem: root.certificatePem };
    assert.deepEqual(await checkCertificate({ ...files, usage: "client", nowMs: NOW_MS }), []);
    const leaf = await parseCertificatePem(certPem);
    assert.equal(leaf.subject, "CN=dead0001");
    assert.deepEqual(leaf.hostNames, []);
  });

  it("keeps every certificate within its profile", async () => {
    const keys = await createKeyPair();
    const made = {
      root: root.certificatePem,
      intermediate: intermediate.certificatePem,
      node: await issueNodeLeaf(ports, intermediate, keys, ["a.example"]),
      agent: await issueAgentLeaf(ports, intermediate, await createCsr(keys.privateKeyPem), DEVICE_ID),
    };
    for (const [kind, pem] of Object.entries(made)) {
      const profile = CERTIFICATE_PROFILES[kind as keyof typeof made];
      const certificate = await parseCertificatePem(pem);
      assert.equal(certificate.notAfterMs - certificate.notBeforeMs, profile.lifetimeMsMax);
      assert.equal(certificate.pathLength, profile.pathLength);
      assert.equal(certificate.isAuthority, profile.pathLength !== null);
      assert.deepEqual(certificate.extendedUsages ?? [], profile.extendedUsages);
      assert.equal(certificate.keyKind, "EC P-256");
      assert.equal(certificate.signatureHash, "SHA-256");
      assert.ok(certificate.notBeforeMs < NOW_MS);
    }
    assert.deepEqual(
      [CERTIFICATE_PROFILES.intermediate, CERTIFICATE_PROFILES.node, CERTIFICATE_PROFILES.agent].map(({ lifetimeMsMax }) => lifetimeMsMax / DAY_MS),
      [365, 90, 30],
    );
  });

  it("lets no certificate outlive its issuer", async () => {
    const issuer = await parseCertificatePem(intermediate.certificatePem);
    const late = portsAt(issuer.notAfterMs - DAY_MS);
    const leaf = await parseCertificatePem(await issueNodeLeaf(late, intermediate, await createKeyPair(), ["a.example"]));
    assert.equal(leaf.notAfterMs, issuer.notAfterMs);
  });

  it("draws positive serial numbers of 16 bytes, each another", async () => {
    const serials = new Set<string>();
    for (let index = 0; index < 5; index++) {
      const { serial } = await parseCertificatePem((await createRoot(ports, "r")).certificatePem);
      assert.match(serial, /^[4-7][0-9a-f]{31}$/);
      serials.add(serial);
    }
    assert.equal(serials.size, 5);
  });

  it("refuses an issuer that is out of date", async () => {
    const late = portsAt(NOW_MS + 366 * DAY_MS);
    await assert.rejects(issueNodeLeaf(late, intermediate, await createKeyPair(), ["a.example"]), { name: "Fault", code: "certificate" });
  });

  it("refuses a leaf as the issuer", async () => {
    const keys = await createKeyPair();
    const leaf: Authority = { certificatePem: await issueNodeLeaf(ports, intermediate, keys, ["a.example"]), privateKeyPem: keys.privateKeyPem };
    await assert.rejects(issueNodeLeaf(ports, leaf, keys, ["a.example"]), { name: "Fault", code: "certificate" });
  });

  it("refuses an issuer whose key is another one", async () => {
    const mixed = { certificatePem: intermediate.certificatePem, privateKeyPem: root.privateKeyPem };
    await assert.rejects(issueNodeLeaf(ports, mixed, await createKeyPair(), ["a.example"]), { name: "Fault", code: "certificate" });
  });

  it("refuses host names that are none", async () => {
    const keys = await createKeyPair();
    for (const names of [[], [""], ["*.example"], ["a b"], ["a.example", "1.2.3"], Array.from({ length: 65 }, () => "a")]) {
      await assert.rejects(issueNodeLeaf(ports, intermediate, keys, names), { name: "Fault", code: "input" });
    }
  });

  it("refuses a common name with anything that could be read as structure", async () => {
    await assert.rejects(createRoot(ports, "a, O=b"), { name: "Fault", code: "input" });
  });
});

describe("certificate requests", () => {
  it("give nothing but the key: subject and names in them are ignored", async () => {
    const keys = await testKeys("P-256");
    const request = await Pkcs10CertificateRequestGenerator.create({
      name: new Name([{ CN: ["admin"] }]),
      keys,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "node.example" }])],
    });
    const csrPem = encodePem("CERTIFICATE REQUEST", new Uint8Array(request.rawData));
    const leaf = await parseCertificatePem(await issueAgentLeaf(ports, intermediate, csrPem, DEVICE_ID));
    assert.equal(leaf.subject, "CN=dead0001");
    assert.deepEqual(leaf.hostNames, []);
    assert.ok(await isPrivateKeyOf(await privateKeyPemOf(keys), leaf.publicKeySpki, leaf.keyKind));
  });

  it("are refused without proof of possession", async () => {
    const csr = await createCsr((await createKeyPair()).privateKeyPem);
    const broken = encodePem("CERTIFICATE REQUEST", withBrokenSignature(parseOnePem("CERTIFICATE REQUEST", csr, 8192)));
    await assert.rejects(issueAgentLeaf(ports, intermediate, broken, DEVICE_ID), { name: "Fault", code: "certificate" });
  });

  it("are refused when the key in them was swapped for another's", async () => {
    const mine = parseOnePem("CERTIFICATE REQUEST", await createCsr((await createKeyPair()).privateKeyPem), 8192);
    const theirs = (await createKeyPair()).publicKeySpki;
    const at = indexOf(mine, theirs.subarray(0, 26)); // Everything of the key but its point is the same for all of P-256.
    mine.set(theirs, at);
    await assert.rejects(issueAgentLeaf(ports, intermediate, encodePem("CERTIFICATE REQUEST", mine), DEVICE_ID), {
      name: "Fault",
      code: "certificate",
    });
  });

  it("are refused with a key that is not P-256", async () => {
    for (const algorithm of ["P-384", "RSA-2048"] as const) {
      const keys = await testKeys(algorithm);
      const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: { ...keys.privateKey.algorithm, hash: "SHA-256" } });
      const csrPem = encodePem("CERTIFICATE REQUEST", new Uint8Array(request.rawData));
      await assert.rejects(issueAgentLeaf(ports, intermediate, csrPem, DEVICE_ID), { name: "Fault", code: "certificate" });
    }
  });

  it("are refused as garbage, too long, or with bytes left over", async () => {
    const der = parseOnePem("CERTIFICATE REQUEST", await createCsr((await createKeyPair()).privateKeyPem), 8192);
    const longer = encodePem("CERTIFICATE REQUEST", Uint8Array.from([...der, 0]));
    for (const csrPem of ["", "x", longer, encodePem("CERTIFICATE REQUEST", Uint8Array.of(0x30, 0)), encodePem("CERTIFICATE REQUEST", new Uint8Array(9000))]) {
      await assert.rejects(issueAgentLeaf(ports, intermediate, csrPem, DEVICE_ID), { name: "Fault", code: "format" });
    }
  });
});

describe("keys", () => {
  it("have one hash, in the key pair, the private key and the certificate", async () => {
    const keys = await createKeyPair();
    const certPem = await issueNodeLeaf(ports, intermediate, keys, ["a.example"]);
    const hash = bytesToHex(await spkiHash(keys.publicKeySpki));
    assert.equal(bytesToHex(await spkiHash(await publicKeyOf(keys.privateKeyPem))), hash);
    assert.equal(bytesToHex(await spkiHashOfCertificate(certPem)), hash);
    assert.notEqual(bytesToHex(await spkiHashOfCertificate(root.certificatePem)), hash);
  });

  it("that are none are refused without being quoted", async () => {
    const pem = (await createKeyPair()).privateKeyPem.replace("PRIVATE KEY", "EC KEY");
    await assert.rejects(createCsr(pem), (error: Error) => {
      assert.equal(error.name, "Fault");
      assert.ok(!`${error.message}${error.cause}`.includes(pem.slice(40, 60)));
      return true;
    });
  });

  it("chain their certificates leaf first, each ending in a newline", () => {
    assert.equal(encodeChain("a", "b\n", "c"), "a\nb\nc\n");
  });
});

function indexOf(bytes: Bytes, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) if (part.every((byte, index) => bytes[at + index] === byte)) return at;
  throw new Error("not there");
}
