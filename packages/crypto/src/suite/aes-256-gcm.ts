/**
 * Suite 1: C2SP chunked-encryption with AES-256-GCM and SHA-512, "Cobblestone-256" (https://c2sp.org/chunked-encryption, docs/format.md §3).
 *
 *     salt 24 ‖ commitment 32 ‖ segments of 16,384 + 16 bytes ‖ last segment, always shorter, at least its 16-byte tag
 *
 * The random salt gives every sealing a key, base nonce and commitment of its own; segment n has the nonce base nonce XOR n.
 */
import { assert, type Bytes, concatBytes, equalBytesConstantTime, type Random, utf8 } from "@holdfast/base";
import { SEGMENT_BYTES } from "@holdfast/protocol/limits";
import { hkdfExpandSha512 } from "../hash.ts";
import { AES_KEY_BYTES, type AesGcm, type AesGcmAsyncKey, type AesGcmSyncKey, GCM_NONCE_BYTES, GCM_TAG_BYTES, platformAesGcm } from "./aes.ts";
import { nodeAesGcm } from "./aes-node.ts";
import { INPUT_KEY_BYTES, type InputKey, type Plaintext, type SegmentOpener, type SegmentSealer, type SegmentSpan, type Suite, sealedFault } from "./suite.ts";

const SALT_BYTES = 24;
const COMMITMENT_BYTES = 32;
const HEADER_BYTES = SALT_BYTES + COMMITMENT_BYTES;
const SEALED_SEGMENT_BYTES = SEGMENT_BYTES + GCM_TAG_BYTES;
const SEGMENTS_MAX = 2 ** 38; // "Message chunking": the counter must not reach it.
const PLAIN_BYTES_MAX = SEGMENTS_MAX * SEGMENT_BYTES - 1;
const INFO_PREFIX = utf8("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0");
const SEGMENTS_IN_FLIGHT = 64; // Bounds the promises and copies of an asynchronous adapter to about 1 MiB.

/** Suite 1 over the AES of this runtime. */
export const aes256Gcm: Suite = createAes256Gcm(platformAesGcm);

/** Suite 1 for workers, which must not wait for promises: synchronous in every runtime but browsers. Same bytes. */
export const aes256GcmSync: Suite = platformAesGcm.kind === "sync" ? aes256Gcm : createAes256Gcm(nodeAesGcm);

/** Suite 1 over a given AES; tests compare the adapters with it. */
export function createAes256Gcm(aes: AesGcm): Suite {
  return {
    id: 1,
    name: "aes-256-gcm",
    headerBytes: HEADER_BYTES,
    segmentBytes: SEGMENT_BYTES,
    sealedSegmentBytes: SEALED_SEGMENT_BYTES,
    sealedBytes,
    plainBytes,
    span,
    async seal(random, key, context, plaintext, out, outOffset) {
      const { header, text, target } = startSealing(random, key, context, plaintext, out, outOffset);
      await sealRun(aes, text, segmentsOf(plaintext, true), 0, target.subarray(header.length));
      return target;
    },
    sealSync:
      aes.kind === "async"
        ? null
        : (random, key, context, plaintext, out, outOffset) => {
            const { header, text, target } = startSealing(random, key, context, plaintext, out, outOffset);
            sealRunSync(aes.importKey(text.key), text, segmentsOf(plaintext, true), 0, target.subarray(header.length));
            return target;
          },
    async open(key, context, sealed) {
      const { text, plaintext } = startOpening(key, context, sealed);
      await openRun(aes, text, 0, sealed.subarray(HEADER_BYTES), plaintext);
      return plaintext;
    },
    openSync:
      aes.kind === "async"
        ? null
        : (key, context, sealed) => {
            const { text, plaintext } = startOpening(key, context, sealed);
            openRunSync(aes.importKey(text.key), text, 0, sealed.subarray(HEADER_BYTES), plaintext);
            return plaintext;
          },
    createSealer: (random, key, context) => createSegmentSealer(aes, random, key, context),
    createOpener: (key, context, header) => createSegmentOpener(aes, deriveCommitted(key, context, header)),
  };
}

// Lengths.

function sealedBytes(plainBytes: number): number {
  assert(plainBytes >= 0 && plainBytes <= PLAIN_BYTES_MAX, `suite 1: cannot seal ${plainBytes} bytes`);
  return HEADER_BYTES + plainBytes + GCM_TAG_BYTES * (Math.floor(plainBytes / SEGMENT_BYTES) + 1);
}

function plainBytes(sealedBytes: number): number | null {
  return sealedBytes < HEADER_BYTES ? null : plainBytesOfRun(sealedBytes - HEADER_BYTES);
}

/** Plaintext bytes of segments up to the last one, or `null` when the last one would be full, cut or absent. */
function plainBytesOfRun(runBytes: number): number | null {
  const fullSegments = Math.floor(runBytes / SEALED_SEGMENT_BYTES);
  const lastBytes = runBytes - fullSegments * SEALED_SEGMENT_BYTES;
  return lastBytes < GCM_TAG_BYTES || fullSegments >= SEGMENTS_MAX ? null : fullSegments * SEGMENT_BYTES + lastBytes - GCM_TAG_BYTES;
}

function span(plainBytes: number, start: number, end: number): SegmentSpan {
  assert(start >= 0 && start < end && end <= plainBytes, `suite 1: range ${start} to ${end} is not in ${plainBytes} bytes`);
  const firstSegment = Math.floor(start / SEGMENT_BYTES);
  const lastSegment = Math.floor((end - 1) / SEGMENT_BYTES);
  const lastIncluded = lastSegment === Math.floor(plainBytes / SEGMENT_BYTES);
  return {
    firstSegment,
    sealedStart: HEADER_BYTES + firstSegment * SEALED_SEGMENT_BYTES,
    sealedEnd: lastIncluded ? sealedBytes(plainBytes) : HEADER_BYTES + (lastSegment + 1) * SEALED_SEGMENT_BYTES,
    lastIncluded,
    skipBytes: start - firstSegment * SEGMENT_BYTES,
  };
}

// Keys.

/** What one salt gives. */
interface TextKeys {
  readonly key: Bytes;
  readonly baseNonce: Bytes;
  readonly commitment: Bytes;
}

/** "Key derivation": key ‖ base nonce ‖ commitment. */
function derive(inputKey: InputKey, salt: Uint8Array, context: Uint8Array): TextKeys {
  assert(inputKey.length === INPUT_KEY_BYTES, "suite 1: input key has not 32 bytes");
  const bytes = hkdfExpandSha512(inputKey, concatBytes(INFO_PREFIX, salt, context), AES_KEY_BYTES + GCM_NONCE_BYTES + COMMITMENT_BYTES);
  return {
    key: bytes.slice(0, AES_KEY_BYTES),
    baseNonce: bytes.slice(AES_KEY_BYTES, AES_KEY_BYTES + GCM_NONCE_BYTES),
    commitment: bytes.slice(AES_KEY_BYTES + GCM_NONCE_BYTES),
  };
}

/** The keys of a header that commits to them, else the `integrity` fault. */
function deriveCommitted(inputKey: InputKey, context: Uint8Array, header: Uint8Array): TextKeys {
  if (header.length !== HEADER_BYTES) throw sealedFault();
  const text = derive(inputKey, header.subarray(0, SALT_BYTES), context);
  if (!equalBytesConstantTime(text.commitment, header.subarray(SALT_BYTES))) throw sealedFault();
  return text;
}

/** Base nonce XOR `segment`, of which 38 bits may be set. */
function nonceOf(baseNonce: Bytes, segment: number): Bytes {
  assert(segment < SEGMENTS_MAX, "suite 1: too many segments");
  const nonce = baseNonce.slice();
  const view = new DataView(nonce.buffer);
  view.setUint32(8, view.getUint32(8) ^ (segment % 2 ** 32));
  view.setUint8(7, view.getUint8(7) ^ Math.floor(segment / 2 ** 32));
  return nonce;
}

// Sealing.

function startSealing(random: Random, key: InputKey, context: Uint8Array, plaintext: Plaintext, out: Uint8Array | undefined, outOffset = 0) {
  const byteCount = sealedBytes(byteCountOf(plaintext));
  const whole = out ?? new Uint8Array(outOffset + byteCount);
  assert(outOffset + byteCount <= whole.length, "suite 1: no room for the sealed bytes");
  const { header, text } = drawHeader(random, key, context);
  const target = whole.subarray(outOffset, outOffset + byteCount);
  target.set(header);
  return { header, text, target };
}

function drawHeader(random: Random, key: InputKey, context: Uint8Array): { header: Bytes; text: TextKeys } {
  const salt = random.bytes(SALT_BYTES);
  const text = derive(key, salt, context);
  return { header: concatBytes(salt, text.commitment), text };
}

function byteCountOf(plaintext: Plaintext): number {
  return plaintext instanceof Uint8Array ? plaintext.length : plaintext.reduce((sum, part) => sum + part.length, 0);
}

/** The plaintext cut into segments, each as views on the parts. `withLast`: ends with the short segment, which may be empty. */
function* segmentsOf(plaintext: Plaintext, withLast: boolean): Generator<readonly Uint8Array[]> {
  let segment: Uint8Array[] = [];
  let missingBytes = SEGMENT_BYTES;
  for (const part of plaintext instanceof Uint8Array ? [plaintext] : plaintext) {
    for (let offset = 0; offset < part.length; ) {
      const piece = part.subarray(offset, offset + missingBytes);
      segment.push(piece);
      offset += piece.length;
      missingBytes -= piece.length;
      if (missingBytes > 0) continue;
      yield segment;
      segment = [];
      missingBytes = SEGMENT_BYTES;
    }
  }
  if (withLast) yield segment;
}

async function sealRun(aes: AesGcm, text: TextKeys, segments: Iterable<readonly Uint8Array[]>, firstSegment: number, out: Uint8Array): Promise<void> {
  if (aes.kind === "sync") return sealRunSync(aes.importKey(text.key), text, segments, firstSegment, out);
  const key: AesGcmAsyncKey = await aes.importKey(text.key);
  let inFlight: Promise<void>[] = [];
  let index = 0;
  for (const parts of segments) {
    inFlight.push(key.seal(nonceOf(text.baseNonce, firstSegment + index), parts, out, index * SEALED_SEGMENT_BYTES));
    index++;
    if (inFlight.length < SEGMENTS_IN_FLIGHT) continue;
    await Promise.all(inFlight);
    inFlight = [];
  }
  await Promise.all(inFlight);
}

function sealRunSync(key: AesGcmSyncKey, text: TextKeys, segments: Iterable<readonly Uint8Array[]>, firstSegment: number, out: Uint8Array): void {
  let index = 0;
  for (const parts of segments) {
    key.seal(nonceOf(text.baseNonce, firstSegment + index), parts, out, index * SEALED_SEGMENT_BYTES);
    index++;
  }
}

function createSegmentSealer(aes: AesGcm, random: Random, inputKey: InputKey, context: Uint8Array): SegmentSealer {
  const { header, text } = drawHeader(random, inputKey, context);
  let nextSegment = 0;
  let done = false;
  return {
    header,
    async sealSegments(plaintext, last) {
      const byteCount = byteCountOf(plaintext);
      const fullSegments = Math.floor(byteCount / SEGMENT_BYTES);
      assert(!done, "suite 1: the last segment is sealed already");
      assert(last || byteCount === fullSegments * SEGMENT_BYTES, "suite 1: only the last segment may be short");
      const firstSegment = nextSegment;
      nextSegment += fullSegments; // Counted before the wait, so that no nonce can be taken twice.
      done = last;
      const out = new Uint8Array(byteCount + GCM_TAG_BYTES * (fullSegments + (last ? 1 : 0)));
      await sealRun(aes, text, segmentsOf(plaintext, last), firstSegment, out);
      return out;
    },
  };
}

// Opening.

function startOpening(key: InputKey, context: Uint8Array, sealed: Uint8Array): { text: TextKeys; plaintext: Bytes } {
  const byteCount = plainBytes(sealed.length);
  if (byteCount === null) throw sealedFault();
  const text = deriveCommitted(key, context, sealed.subarray(0, HEADER_BYTES));
  return { text, plaintext: new Uint8Array(byteCount) };
}

async function openRun(aes: AesGcm, text: TextKeys, firstSegment: number, sealed: Uint8Array, out: Uint8Array): Promise<void> {
  if (aes.kind === "sync") return openRunSync(aes.importKey(text.key), text, firstSegment, sealed, out);
  const key: AesGcmAsyncKey = await aes.importKey(text.key);
  const segmentCount = Math.ceil(sealed.length / SEALED_SEGMENT_BYTES);
  for (let start = 0; start < segmentCount; start += SEGMENTS_IN_FLIGHT) {
    const inFlight: Promise<boolean>[] = [];
    for (let index = start; index < Math.min(start + SEGMENTS_IN_FLIGHT, segmentCount); index++) {
      inFlight.push(key.open(nonceOf(text.baseNonce, firstSegment + index), segmentAt(sealed, index), out, index * SEGMENT_BYTES));
    }
    if ((await Promise.all(inFlight)).includes(false)) throw sealedFault();
  }
}

function openRunSync(key: AesGcmSyncKey, text: TextKeys, firstSegment: number, sealed: Uint8Array, out: Uint8Array): void {
  for (let index = 0; index * SEALED_SEGMENT_BYTES < sealed.length; index++) {
    if (!key.open(nonceOf(text.baseNonce, firstSegment + index), segmentAt(sealed, index), out, index * SEGMENT_BYTES)) throw sealedFault();
  }
}

function segmentAt(sealed: Uint8Array, index: number): Uint8Array {
  return sealed.subarray(index * SEALED_SEGMENT_BYTES, (index + 1) * SEALED_SEGMENT_BYTES);
}

function createSegmentOpener(aes: AesGcm, text: TextKeys): SegmentOpener {
  return {
    async openSegments(firstSegment, sealed, lastIncluded) {
      const fullSegments = Math.floor(sealed.length / SEALED_SEGMENT_BYTES);
      const isWhole = sealed.length === fullSegments * SEALED_SEGMENT_BYTES;
      const byteCount = lastIncluded ? plainBytesOfRun(sealed.length) : isWhole ? fullSegments * SEGMENT_BYTES : null;
      if (byteCount === null || firstSegment + fullSegments >= SEGMENTS_MAX) throw sealedFault();
      const plaintext = new Uint8Array(byteCount);
      await openRun(aes, text, firstSegment, sealed, plaintext);
      return plaintext;
    },
  };
}
