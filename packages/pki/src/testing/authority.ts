/** For tests only: a fixed clock, counted "randomness", and a maker of certificates that may break any rule. */
import { type Bytes, bytesToHex, type Clock, concatBytes, type Random } from "@holdfast/base";
import type { IssuePorts } from "../issue.ts";
import { spkiHash } from "../key.ts";
import { encodePem } from "../pem.ts";
import { DAY_MS } from "../profiles.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "../x509.ts";

export const NOW_MS = Date.UTC(2026, 5, 1);

export function clockAt(nowMs: number): Clock {
  return { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: () => Promise.reject(new Error("no sleeping in tests")) };
}

/** Bytes that count up, so that no two draws are equal. */
export function countingRandom(): Random {
  let next = 1;
  return {
    bytes(byteCount) {
      const bytes = new Uint8Array(byteCount).fill(0xff);
      new DataView(bytes.buffer).setUint32(byteCount - 4, next++);
      return bytes;
    },
  };
}

export function portsAt(nowMs: number): IssuePorts {
  return { clock: clockAt(nowMs), random: countingRandom() };
}

/** What generateKey gives, for any algorithm. */
export interface TestKeys {
  readonly privateKey: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
  readonly publicKey: Awaited<ReturnType<typeof crypto.subtle.importKey>>;
}

export type TestAlgorithm = "P-256" | "P-384" | "RSA-1024" | "RSA-2048" | "Ed25519";

export async function testKeys(algorithm: TestAlgorithm): Promise<TestKeys> {
  if (algorithm.startsWith("RSA-")) {
    const modulusLength = Number(algorithm.slice(4));
    const rsa = { name: "RSASSA-PKCS1-v1_5", modulusLength, publicExponent: Uint8Array.of(1, 0, 1), hash: "SHA-256" };
    return (await crypto.subtle.generateKey(rsa, true, ["sign", "verify"])) as TestKeys;
  }
  if (algorithm === "Ed25519") return (await crypto.subtle.generateKey({ name: "Ed25519" }, true, ["sign", "verify"])) as unknown as TestKeys;
  return (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: algorithm }, true, ["sign", "verify"])) as TestKeys;
}

export async function privateKeyPemOf(keys: TestKeys): Promise<string> {
  return encodePem("PRIVATE KEY", new Uint8Array((await crypto.subtle.exportKey("pkcs8", keys.privateKey)) as ArrayBuffer));
}

export interface TestCertificate {
  readonly subject: string;
  readonly keys: TestKeys;
  readonly pem: string;
  readonly keyPem: string;
}

/** What a test certificate says; every default is right for the kind, so a test names only what it breaks. */
export interface TestRequest {
  readonly subject: string;
  /** `null`: signed by itself. */
  readonly issuer: TestCertificate | null;
  readonly algorithm?: TestAlgorithm;
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  readonly keyUsages?: number | null;
  readonly extendedUsages?: readonly ("serverAuth" | "clientAuth" | "codeSigning")[];
  readonly names?: readonly { readonly type: "dns" | "ip"; readonly value: string }[];
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly hash?: string;
  readonly extraExtensions?: readonly Extension[];
  /** Another subject than the issuer's is written into the issuer field. */
  readonly issuerSubject?: string;
  readonly serial?: string;
}

let serialCount = 0x1000;

export async function makeCertificate(request: TestRequest): Promise<TestCertificate> {
  const keys = await testKeys(request.algorithm ?? "P-256");
  const signingKey = await withHash((request.issuer?.keys ?? keys).privateKey, request.hash ?? "SHA-256");
  const isAuthority = request.isAuthority ?? false;
  const usages = isAuthority ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature;
  const extensions: Extension[] = [new BasicConstraintsExtension(isAuthority, request.pathLength, true)];
  const keyId = await keyIdOf(keys);
  extensions.push(new SubjectKeyIdentifierExtension(keyId));
  extensions.push(new AuthorityKeyIdentifierExtension(request.issuer === null ? keyId : await keyIdOf(request.issuer.keys)));
  if (request.keyUsages !== null) extensions.push(new KeyUsagesExtension(request.keyUsages ?? usages, true));
  if (request.extendedUsages !== undefined) {
    extensions.push(new ExtendedKeyUsageExtension(request.extendedUsages.map((usage) => ExtendedKeyUsage[usage])));
  }
  if (request.names !== undefined) extensions.push(new SubjectAlternativeNameExtension([...request.names]));
  extensions.push(...(request.extraExtensions ?? []));
  const x509 = await X509CertificateGenerator.create({
    serialNumber: request.serial ?? (serialCount++).toString(16),
    subject: new Name([{ CN: [request.subject] }]),
    issuer: new Name([{ CN: [request.issuerSubject ?? request.issuer?.subject ?? request.subject] }]),
    notBefore: new Date(request.notBeforeMs ?? NOW_MS - DAY_MS),
    notAfter: new Date(request.notAfterMs ?? NOW_MS + DAY_MS),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: { ...signingKey.algorithm, hash: request.hash ?? "SHA-256" },
    extensions,
  });
  const pem = encodePem("CERTIFICATE", new Uint8Array(x509.rawData));
  return { subject: request.subject, keys, pem, keyPem: await privateKeyPemOf(keys) };
}

async function keyIdOf(keys: TestKeys): Promise<string> {
  const spki = new Uint8Array((await crypto.subtle.exportKey("spki", keys.publicKey)) as ArrayBuffer);
  return bytesToHex((await spkiHash(spki)).subarray(0, 20));
}

/** WebCrypto binds an RSA key to one hash, so for another the key is imported again. */
async function withHash(key: TestKeys["privateKey"], hash: string): Promise<TestKeys["privateKey"]> {
  if (!key.algorithm.name.startsWith("RSA")) return key;
  const pkcs8 = (await crypto.subtle.exportKey("pkcs8", key)) as ArrayBuffer;
  return crypto.subtle.importKey("pkcs8", pkcs8, { name: key.algorithm.name, hash }, true, ["sign"]);
}

/** `der` with one bit of its last byte flipped: still the same shape, with a signature that does not verify. */
export function withBrokenSignature(der: Bytes): Bytes {
  return concatBytes(der.subarray(0, -1), Uint8Array.of((der.at(-1) as number) ^ 1));
}
