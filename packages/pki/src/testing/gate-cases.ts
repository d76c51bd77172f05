/**
 * For tests only: the cases of the gate as data. One good chain, and chains that break one rule each, with the findings
 * that must come and the verdict of a verifier that we did not write.
 */
import type { Bytes } from "@holdfast/base";
import { issueCrl } from "../crl.ts";
import type { GateInput } from "../gate.ts";
import { encodePem, parseOnePem } from "../pem.ts";
import { DAY_MS } from "../profiles.ts";
import { BasicConstraintsExtension, Extension, KeyUsageFlags } from "../x509.ts";
import { makeCertificate, NOW_MS, portsAt, type TestCertificate, type TestRequest, withBrokenSignature } from "./authority.ts";

export interface GateCase {
  readonly name: string;
  readonly input: GateInput;
  /** As in `leaf dates`, in order; none is a pass. */
  readonly findings: readonly string[];
  /** Whether `openssl verify` accepts it; `null` where it is not asked, because it sees no key or no file there. */
  readonly openssl: boolean | null;
}

interface Base {
  readonly root: TestCertificate;
  readonly intermediate: TestCertificate;
  readonly leaf: TestCertificate;
  readonly input: GateInput;
}

const NAMES = [
  { type: "dns", value: "node.example" },
  { type: "ip", value: "127.0.0.1" },
] as const;

const ROOT = { subject: "root", issuer: null, isAuthority: true, pathLength: 1 } as const;

export async function gateCases(): Promise<GateCase[]> {
  const base = await makeBase();
  return [
    { name: "a good server chain", input: base.input, findings: [], openssl: true },
    { name: "a name that is an address", input: { ...base.input, name: "127.0.0.1" }, findings: [], openssl: true },
    {
      name: "a chain file that also holds leaf and root",
      input: { ...base.input, chainPem: base.leaf.pem + base.intermediate.pem + base.root.pem },
      findings: [],
      openssl: true,
    },
    ...(await fileCases(base)),
    ...(await leafCases(base)),
    ...(await chainCases(base)),
    ...(await strengthCases(base)),
    ...(await revocationCases(base)),
  ];
}

async function makeBase(): Promise<Base> {
  const root = await makeCertificate(ROOT);
  const intermediate = await makeCertificate({ subject: "intermediate", issuer: root, isAuthority: true, pathLength: 0 });
  const leaf = await makeCertificate({ subject: "leaf", issuer: intermediate, extendedUsages: ["serverAuth"], names: NAMES });
  const input = {
    certPem: leaf.pem,
    chainPem: intermediate.pem,
    keyPem: leaf.keyPem,
    rootPem: root.pem,
    usage: "server",
    name: "node.example",
    nowMs: NOW_MS,
  } as const;
  return { root, intermediate, leaf, input };
}

async function fileCases({ input, leaf }: Base): Promise<GateCase[]> {
  const other = await makeCertificate({ subject: "other", issuer: null });
  const otherKind = await makeCertificate({ subject: "other", issuer: null, algorithm: "RSA-2048" });
  const cut = encodePem("CERTIFICATE", parseOnePem("CERTIFICATE", leaf.pem, 65_536).subarray(0, 200) as Bytes);
  const longer = encodePem("CERTIFICATE", Uint8Array.from([...parseOnePem("CERTIFICATE", leaf.pem, 65_536), 0]));
  const cases: [string, Partial<GateInput>, string[]][] = [
    ["no certificate", { certPem: null }, ["leaf present"]],
    ["no root", { rootPem: null }, ["root present"]],
    ["no private key", { keyPem: null }, ["private key present"]],
    ["nothing at all", { certPem: null, chainPem: null, keyPem: " \n", rootPem: "" }, ["leaf present", "root present", "private key present"]],
    ["a garbage certificate", { certPem: "garbage" }, ["leaf parse"]],
    ["a certificate that is cut short", { certPem: cut }, ["leaf parse"]],
    ["a certificate with a byte left over", { certPem: longer }, ["leaf parse"]],
    ["two certificates for one", { certPem: leaf.pem + leaf.pem }, ["leaf parse"]],
    ["garbage between certificates", { chainPem: `${input.chainPem}x` }, ["intermediate 1 parse"]],
    ["a garbage root", { rootPem: input.keyPem }, ["root parse"]],
    ["a garbage private key", { keyPem: leaf.pem }, ["private key parse"]],
    ["the private key of another certificate", { keyPem: other.keyPem }, ["private key private-key"]],
    ["a private key of another kind", { keyPem: otherKind.keyPem }, ["private key private-key"]],
    ["a missing revocation list", { crlPem: null }, ["crl present"]],
    ["a garbage revocation list", { crlPem: "garbage" }, ["crl parse"]],
  ];
  return cases.map(([name, change, findings]) => ({ name, input: { ...input, ...change }, findings, openssl: null }));
}

async function leafCases({ input, intermediate, leaf }: Base): Promise<GateCase[]> {
  const withLeaf = async (name: string, change: Partial<TestRequest>, ...findings: string[]): Promise<GateCase> => {
    const made = await makeCertificate({ subject: "leaf", issuer: intermediate, extendedUsages: ["serverAuth"], names: NAMES, ...change });
    return { name, input: { ...input, certPem: made.pem, keyPem: made.keyPem }, findings, openssl: findings.length === 0 };
  };
  const unknown = new Extension("1.3.6.1.4.1.55555.1", true, Uint8Array.of(5, 0));
  const wildcard = await withLeaf("a wildcard name", { names: [{ type: "dns", value: "*.node.example" }] }, "leaf name");
  const authority = await withLeaf("an authority as a leaf", { isAuthority: true, keyUsages: KeyUsageFlags.digitalSignature }, "leaf authority");
  const addressAsDns = await withLeaf("an address written as a DNS name", { names: [{ type: "dns", value: "127.0.0.1" }] }, "leaf name");
  const twice = new BasicConstraintsExtension(false, undefined, true);
  return [
    { ...addressAsDns, input: { ...addressAsDns.input, name: "127.0.0.1" } },
    await withLeaf("an issuer name that is not the issuer's", { issuerSubject: "somebody else" }, "leaf chain"),
    await withLeaf("an extension given twice", { extraExtensions: [twice] }, "leaf parse"),
    await withLeaf("an expired leaf", { notAfterMs: NOW_MS - 1000 }, "leaf dates"),
    await withLeaf("a leaf that expires now", { notAfterMs: NOW_MS }, "leaf dates"),
    await withLeaf("a leaf with a second left", { notAfterMs: NOW_MS + 1000 }),
    await withLeaf("a leaf that is not valid yet", { notBeforeMs: NOW_MS + 1000 }, "leaf dates"),
    await withLeaf("a leaf in its first second", { notBeforeMs: NOW_MS }),
    await withLeaf("a client leaf on a server", { extendedUsages: ["clientAuth"] }, "leaf usage"),
    { ...(await withLeaf("a leaf without extended usages", { extendedUsages: [] }, "leaf usage")), openssl: null },
    await withLeaf("a leaf that may not sign", { keyUsages: KeyUsageFlags.dataEncipherment }, "leaf usage"),
    // OpenSSL lets a leaf without key usage pass; our profiles always write it.
    { ...(await withLeaf("a leaf without key usage", { keyUsages: null }, "leaf usage")), openssl: true },
    { ...authority, openssl: true }, // Its pathlen rule counts a final authority as a leaf.
    await withLeaf("a leaf that may sign certificates", { keyUsages: KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign }, "leaf authority"),
    await withLeaf("another name", { names: [{ type: "dns", value: "other.example" }] }, "leaf name"),
    { ...wildcard, input: { ...wildcard.input, name: "a.node.example" }, openssl: true }, // We issue none, so we honour none.
    await withLeaf("an unknown critical extension", { extraExtensions: [unknown] }, "leaf extension"),
    { name: "another address", input: { ...input, name: "127.0.0.2" }, findings: ["leaf name"], openssl: false },
    { name: "a server leaf on a client", input: { ...input, usage: "client", name: undefined }, findings: ["leaf usage"], openssl: false },
    { name: "a signature with one bit changed", input: { ...input, certPem: brokenPem(leaf.pem) }, findings: ["leaf chain"], openssl: false },
  ];
}

async function chainCases({ input, root, intermediate, leaf }: Base): Promise<GateCase[]> {
  const under = async (name: string, change: Partial<TestRequest>, ...findings: string[]): Promise<GateCase> => {
    const issuer = await makeCertificate({ subject: "intermediate", issuer: root, isAuthority: true, pathLength: 0, ...change });
    return { name, input: await leafUnder(input, [issuer]), findings, openssl: findings.length === 0 };
  };
  const otherRoot = await makeCertificate({ ...ROOT, subject: "other root" });
  const impostor = await makeCertificate(ROOT);
  const deep = await makeCertificate({ subject: "deep", issuer: intermediate, isAuthority: true });
  const expiredRoot = await makeCertificate({ ...ROOT, notAfterMs: NOW_MS - 1000 });
  const underExpired = await makeCertificate({ subject: "intermediate", issuer: expiredRoot, isAuthority: true });
  const plainRoot = await makeCertificate({ subject: "root", issuer: null });
  const underPlain = await makeCertificate({ subject: "intermediate", issuer: plainRoot, isAuthority: true });
  const direct = await makeCertificate({ subject: "leaf", issuer: root, extendedUsages: ["serverAuth"], names: NAMES });
  return [
    {
      name: "a leaf right under the root",
      input: { ...input, certPem: direct.pem, keyPem: direct.keyPem, chainPem: null },
      findings: [],
      openssl: true,
    },
    { name: "another root", input: { ...input, rootPem: otherRoot.pem }, findings: ["intermediate 1 chain"], openssl: false },
    { name: "another root of the same name", input: { ...input, rootPem: impostor.pem }, findings: ["intermediate 1 chain"], openssl: false },
    { name: "no intermediate", input: { ...input, chainPem: "" }, findings: ["leaf chain"], openssl: false },
    {
      name: "an expired root",
      input: { ...(await leafUnder(input, [underExpired])), rootPem: expiredRoot.pem },
      findings: ["root dates"],
      openssl: false,
    },
    {
      name: "a root that is no authority",
      input: { ...(await leafUnder(input, [underPlain])), rootPem: plainRoot.pem },
      findings: ["root authority"],
      openssl: false,
    },
    {
      name: "a chain that is too long",
      input: await leafUnder(input, [deep, intermediate]),
      findings: ["intermediate 2 path-length", "root path-length"],
      openssl: false,
    },
    {
      name: "a leaf signed by a leaf",
      input: await leafUnder(input, [leaf, intermediate]),
      findings: ["intermediate 1 authority", "intermediate 2 path-length", "root path-length"],
      openssl: false,
    },
    await under("an expired intermediate", { notAfterMs: NOW_MS - 1000 }, "intermediate 1 dates"),
    await under("an intermediate that is no authority", { isAuthority: false, keyUsages: KeyUsageFlags.keyCertSign }, "intermediate 1 authority"),
    await under("an intermediate that may not sign certificates", { keyUsages: KeyUsageFlags.cRLSign }, "intermediate 1 authority"),
    await under("an intermediate for clients only", { extendedUsages: ["clientAuth"] }, "intermediate 1 usage"),
    await under("an intermediate for both", { extendedUsages: ["clientAuth", "serverAuth"] }),
  ];
}

async function strengthCases({ input, root, intermediate }: Base): Promise<GateCase[]> {
  const kinds = [
    { name: "an RSA-2048 leaf", change: { algorithm: "RSA-2048" }, findings: [] },
    { name: "a P-384 leaf", change: { algorithm: "P-384" }, findings: [] },
    { name: "an Ed25519 leaf", change: { algorithm: "Ed25519" }, findings: [] },
    { name: "an RSA-1024 leaf", change: { algorithm: "RSA-1024" }, findings: ["leaf strength"] },
    { name: "a leaf signed with SHA-1", change: { hash: "SHA-1" }, findings: ["leaf strength"] },
  ] as const;
  const rsa = await makeCertificate({ subject: "intermediate", issuer: root, algorithm: "RSA-2048", isAuthority: true });
  const cases: GateCase[] = [];
  for (const { name, change, findings } of kinds) {
    const issuer = "hash" in change ? rsa : intermediate; // SHA-1 under RSA: not every runtime makes it under ECDSA.
    const request = { subject: "leaf", issuer, extendedUsages: ["serverAuth"], names: NAMES, ...change } as const;
    const made = await makeCertificate(request);
    const files = { certPem: made.pem, keyPem: made.keyPem, chainPem: issuer.pem };
    cases.push({ name, input: { ...input, ...files }, findings, openssl: findings.length === 0 });
  }
  return cases;
}

async function revocationCases({ input, root, intermediate }: Base): Promise<GateCase[]> {
  const leaf = await makeCertificate({ subject: "leaf", issuer: intermediate, extendedUsages: ["serverAuth"], names: NAMES, serial: "00c0ffee" });
  const crlOf = (issuer: TestCertificate, nowMs: number, ...serials: string[]): Promise<string> =>
    issueCrl(
      portsAt(nowMs),
      { certificatePem: issuer.pem, privateKeyPem: issuer.keyPem },
      { number: 1, lifetimeMs: DAY_MS, revoked: serials.map((serial) => ({ serial, revokedAtMs: NOW_MS - 1000, reason: "key-compromise" })) },
    );
  const files = { ...input, certPem: leaf.pem, keyPem: leaf.keyPem };
  const impostor = await makeCertificate({ subject: "intermediate", issuer: root, isAuthority: true });
  const clean = await crlOf(intermediate, NOW_MS, "c0ffef");
  const rootList = await crlOf(root, NOW_MS, "77");
  const revoked = await crlOf(intermediate, NOW_MS + 1000, "C0FFEE");
  const stolen = await makeCertificate({ subject: "intermediate", issuer: root, isAuthority: true, serial: "5701e4" });
  const mute = await makeCertificate({ subject: "intermediate", issuer: root, isAuthority: true, keyUsages: KeyUsageFlags.keyCertSign });
  const underMute = await leafUnder(input, [mute]);
  const cases: [string, GateInput, string[], boolean | null][] = [
    ["a serial that is not on the list", { ...files, crlPem: clean }, [], true],
    ["lists of both authorities", { ...files, crlPem: clean + rootList }, [], true],
    ["a revoked leaf", { ...files, crlPem: revoked }, ["leaf revoked"], false],
    ["a revoked leaf on the newer of two lists", { ...files, crlPem: revoked + clean }, ["leaf revoked"], null],
    ["a revoked leaf on the second, newer list", { ...files, crlPem: clean + revoked }, ["leaf revoked"], null],
    ["a list by an authority that may not sign lists", { ...underMute, crlPem: await crlOf(mute, NOW_MS) }, ["crl revoked"], false],
    ["a list that has ended", { ...files, crlPem: await crlOf(intermediate, NOW_MS - 2 * DAY_MS) }, ["crl revoked"], false],
    ["a list from the future", { ...files, crlPem: await crlOf(intermediate, NOW_MS + DAY_MS) }, ["crl revoked"], false],
    ["a list of another authority only", { ...files, crlPem: rootList }, ["crl revoked"], false],
    ["a list with a forged signature", { ...files, crlPem: await crlOf(impostor, NOW_MS) }, ["crl revoked"], false],
    [
      "a revoked intermediate",
      { ...(await leafUnder(input, [stolen])), crlPem: (await crlOf(stolen, NOW_MS)) + (await crlOf(root, NOW_MS, "5701e4")) },
      ["intermediate 1 revoked"],
      null,
    ],
  ];
  return cases.map(([name, changed, findings, openssl]) => ({ name, input: changed, findings, openssl }));
}

async function leafUnder(input: GateInput, authorities: readonly TestCertificate[]): Promise<GateInput> {
  const issuer = authorities[0] as TestCertificate;
  const leaf = await makeCertificate({ subject: "leaf", issuer, extendedUsages: ["serverAuth"], names: NAMES });
  return { ...input, certPem: leaf.pem, keyPem: leaf.keyPem, chainPem: authorities.map(({ pem }) => pem).join("") };
}

function brokenPem(pem: string): string {
  return encodePem("CERTIFICATE", withBrokenSignature(parseOnePem("CERTIFICATE", pem, 65_536)));
}
