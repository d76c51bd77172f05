/**
 * PEM (RFC 7468) in the strict form: labelled base64 between two lines, nothing but white space around it.
 * The library's own reader skips what it does not understand; a file that is half garbage should be refused.
 */
import { type Bytes, base64ToBytes, bytesToBase64, Fault } from "@holdfast/base";

/** `X509 CRL`, because OpenSSL and BoringSSL do not know the label `CRL`. */
export type PemLabel = "CERTIFICATE" | "CERTIFICATE REQUEST" | "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" | "X509 CRL";

export interface PemLimits {
  readonly textBytesMax: number;
  readonly blockCountMax: number;
}

const LINE_CHARACTERS = 64; // RFC 7468 §2.
const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,32})-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n?-----END ([A-Z0-9 ]{1,32})-----/y;
const WHITE = /\s*/y;

/** One block with a final newline, so that blocks may simply be put one after the other. */
export function encodePem(label: PemLabel, der: Uint8Array): string {
  const base64 = bytesToBase64(der);
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += LINE_CHARACTERS) lines.push(base64.slice(at, at + LINE_CHARACTERS));
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** DER of every block of `text`, in order; none for white space. Another label, text between blocks or bad base64: `format`. */
export function parsePem(label: PemLabel, text: string, limits: PemLimits): Bytes[] {
  if (text.length > limits.textBytesMax) {
    throw new Fault("format", `pem: too long, got ${text.length} characters, want at most ${limits.textBytesMax}`);
  }
  const blocks: Bytes[] = [];
  let at = skipWhite(text, 0);
  while (at < text.length) {
    BLOCK.lastIndex = at;
    const match = BLOCK.exec(text);
    if (match === null) throw new Fault("format", "pem: something else than a block, want BEGIN, base64, END");
    if (match[1] !== label || match[3] !== label) throw new Fault("format", `pem: wrong label, got ${match[1]}, want ${label}`);
    const der = base64ToBytes((match[2] as string).replace(/[\r\n]/g, ""));
    if (der === null || der.length === 0) throw new Fault("format", "pem: not base64");
    blocks.push(der);
    if (blocks.length > limits.blockCountMax) throw new Fault("format", `pem: too many blocks, want at most ${limits.blockCountMax}`);
    at = skipWhite(text, BLOCK.lastIndex);
  }
  return blocks;
}

/** The one block of `text`; none or more than one: `format`. */
export function parseOnePem(label: PemLabel, text: string, textBytesMax: number): Bytes {
  const blocks = parsePem(label, text, { textBytesMax, blockCountMax: 1 });
  const der = blocks[0];
  if (der === undefined) throw new Fault("format", `pem: empty, want one ${label}`);
  return der;
}

function skipWhite(text: string, from: number): number {
  WHITE.lastIndex = from;
  WHITE.exec(text);
  return WHITE.lastIndex;
}
