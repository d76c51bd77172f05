/**
 * Certificate revocation lists (RFC 5280 §5): issue, parse, look up.
 *
 * OpenSSL and BoringSSL want the PEM label `X509 CRL`. Every entry has a reason, and never `unspecified`: the library
 * writes an entry without one as an empty list of extensions, on which BoringSSL refuses the whole CRL.
 * Runtimes that check with a CRL want one of each authority in the chain, the root's included.
 */
import { type Bytes, Fault } from "@holdfast/base";
import { type AlgorithmLike, type Certificate, canonicalSerial, signatureHashOf } from "./certificate.ts";
import { isOneSequence } from "./der.ts";
import { type Authority, type IssuePorts, parseCertificatePem } from "./issue.ts";
import { importSigningKeys, SIGNING_ALGORITHM } from "./key.ts";
import { encodePem } from "./pem.ts";
import { AuthorityKeyIdentifierExtension, Extension, Name, PublicKey, X509Crl, X509CrlGenerator, X509CrlReason } from "./x509.ts";

const REASONS = {
  "key-compromise": X509CrlReason.keyCompromise,
  superseded: X509CrlReason.superseded,
  "cessation-of-operation": X509CrlReason.cessationOfOperation,
  "privilege-withdrawn": X509CrlReason.privilegeWithdrawn,
} as const;

export type RevocationReason = keyof typeof REASONS;

export interface Revocation {
  /** Hex of the certificate's serial number. */
  readonly serial: string;
  readonly revokedAtMs: number;
  readonly reason: RevocationReason;
}

export interface CrlRequest {
  /** Grows with every list of this authority. */
  readonly number: number;
  readonly revoked: readonly Revocation[];
  /** Until when readers may rely on the list. */
  readonly lifetimeMs: number;
}

export interface Crl {
  readonly issuerDer: Bytes;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  /** When each serial (canonical hex) was revoked. */
  readonly revokedAtMsBySerial: ReadonlyMap<string, number>;
  readonly signatureHash: string;
  /** Whether the signature verifies under the key of `issuer`. Never throws. */
  isSignedBy(issuer: Certificate): Promise<boolean>;
}

const OID_CRL_NUMBER = "2.5.29.20";
const SERIAL_HEX = /^[0-9a-fA-F]{1,40}$/; // RFC 5280 §4.1.2.2: at most 20 bytes.

/** A list of all that `authority` has revoked, as PEM. A serial given twice or not in hex: `input`. */
export async function issueCrl(ports: IssuePorts, authority: Authority, request: CrlRequest): Promise<string> {
  const issuer = await parseCertificatePem(authority.certificatePem);
  const { privateKey } = await importSigningKeys(authority.privateKeyPem);
  const serials = request.revoked.map((revocation) => checkedSerial(revocation.serial));
  if (new Set(serials).size !== serials.length) throw new Fault("input", "crl: a serial is given twice");
  const thisUpdateMs = ports.clock.nowMs();
  const extensions = [new Extension(OID_CRL_NUMBER, false, encodeInteger(request.number))];
  if (issuer.subjectKeyId !== null) extensions.push(new AuthorityKeyIdentifierExtension(issuer.subjectKeyId));
  const x509 = await X509CrlGenerator.create({
    issuer: new Name(issuer.subjectDer),
    thisUpdate: new Date(thisUpdateMs),
    nextUpdate: new Date(thisUpdateMs + request.lifetimeMs),
    entries: request.revoked.map((revocation, index) => ({
      serialNumber: evenHex(serials[index] as string),
      revocationDate: new Date(revocation.revokedAtMs),
      reason: REASONS[revocation.reason],
    })),
    extensions,
    signingAlgorithm: SIGNING_ALGORITHM,
    signingKey: privateKey,
  });
  const der = new Uint8Array(x509.rawData);
  if (!(await parseCrl(der).isSignedBy(issuer))) {
    throw new Fault("certificate", "crl: the issuer's private key does not belong to its certificate");
  }
  return encodePem("X509 CRL", der);
}

/** Parses one DER list. Bytes left over, no next update, a critical extension (a partial or indirect list), a serial twice: `format`. */
export function parseCrl(der: Bytes): Crl {
  try {
    if (!isOneSequence(der)) throw new Fault("format", "crl: bytes left over");
    const x509 = new X509Crl(der);
    // RFC 5280 §5.1.2.5 demands it, and without it the library reads past the revoked serials and finds none.
    if (x509.nextUpdate === undefined) throw new Fault("format", "crl: names no next update");
    const extensions = [...x509.extensions, ...x509.entries.flatMap((entry) => entry.extensions)];
    if (extensions.some((extension) => extension.critical)) throw new Fault("format", "crl: critical extension");
    const revokedAtMsBySerial = new Map(x509.entries.map((entry) => [canonicalSerial(entry.serialNumber), entry.revocationDate.getTime()]));
    if (revokedAtMsBySerial.size !== x509.entries.length) throw new Fault("format", "crl: a serial is given twice");
    return {
      issuerDer: new Uint8Array(x509.issuerName.toArrayBuffer()),
      thisUpdateMs: x509.thisUpdate.getTime(),
      nextUpdateMs: x509.nextUpdate.getTime(),
      revokedAtMsBySerial,
      signatureHash: signatureHashOf(x509.signatureAlgorithm as AlgorithmLike),
      async isSignedBy(issuer) {
        try {
          return await x509.verify({ publicKey: new PublicKey(issuer.publicKeySpki) });
        } catch {
          return false;
        }
      },
    };
  } catch (cause) {
    throw new Fault("format", "crl: does not parse", { cause });
  }
}

function checkedSerial(serial: string): string {
  if (!SERIAL_HEX.test(serial)) throw new Fault("input", "crl: serial, want 1 to 40 hex digits");
  return canonicalSerial(serial);
}

function evenHex(hex: string): string {
  return hex.length % 2 === 0 ? hex : `0${hex}`;
}

/** DER INTEGER of a non-negative safe integer. */
function encodeInteger(value: number): Bytes {
  if (!Number.isSafeInteger(value) || value < 0) throw new Fault("input", `crl: number, got ${value}, want 0 or more`);
  let hex = evenHex(value.toString(16));
  if (Number.parseInt(hex.slice(0, 2), 16) > 0x7f) hex = `00${hex}`;
  const content = hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [0];
  return Uint8Array.from([0x02, content.length, ...content]);
}
