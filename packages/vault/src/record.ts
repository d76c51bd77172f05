/**
 * Sealing and opening of records (docs/format.md §3, §4): context and key by kind, the frame written straight around the
 * sealed bytes, which lie where the caller wants them: a pack is copied nowhere between its buffer and the upload slot.
 */
import { assert, type Bytes, equalBytes, Fault, type Random } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto/hash";
import type { EpochKeys } from "@holdfast/crypto/key";
import { aes256Gcm, type InputKey, type Suite, suiteById } from "@holdfast/crypto/suite";
import {
  encodeCanonical,
  encodeFrameHead,
  FORMAT_VERSION,
  FRAME_BYTES_MAX,
  parseFrame,
  parseFrameHead,
  RECORD_KINDS,
  type RecordId,
  type RecordKind,
  type VaultId,
} from "@holdfast/protocol";

/** Kinds whose body is sealed under an epoch. */
export type SealedKind = Exclude<RecordKind, typeof RECORD_KINDS.slot | typeof RECORD_KINDS.journalEntry | typeof RECORD_KINDS.receipt>;

export interface SealedRecord {
  readonly recordId: RecordId;
  /** The whole frame: a view on the caller's slot, or fresh memory. */
  readonly frame: Uint8Array;
}

export interface RecordSealer {
  /** Length of the frame of a record with so much plaintext: what a slot must hold. */
  frameBytes(plainBytes: number): number;
  /** Seals into the front of `slot`, which may be shared memory and must not overlap `plaintext`. */
  seal(kind: SealedKind, plaintext: Uint8Array, slot?: Uint8Array): Promise<SealedRecord>;
  /** The same without a promise, for workers; `null` where the runtime has no synchronous crypto of use. */
  readonly sealSync: ((kind: SealedKind, plaintext: Uint8Array, slot?: Uint8Array) => SealedRecord) | null;
}

export interface RecordOpener {
  /**
   * Plaintext of the record in `frame`, in fresh memory. With `recordId`, the frame must have that id.
   * Another kind or id, or whatever does not authenticate: `integrity`. An epoch whose keys are not here: `missing`.
   */
  open(kind: SealedKind, frame: Uint8Array, recordId?: RecordId): Promise<Bytes>;
  readonly openSync: ((kind: SealedKind, frame: Uint8Array, recordId?: RecordId) => Bytes) | null;
  /**
   * Ready to open parts of a record that is not fetched whole. `front` begins with the frame's head and the suite's header:
   * `RANGE_FRONT_BYTES` are always enough.
   */
  startRange(kind: SealedKind, front: Uint8Array): RecordRange;
}

/** A record of which parts are opened. */
export interface RecordRange {
  readonly epoch: number;
  /** Length of the plaintext, unproven until its last byte has been opened. */
  readonly plainBytes: number;
  /** Bytes of the frame to fetch for the plaintext bytes `start` to `end − 1`. */
  frameSpan(start: number, end: number): { readonly start: number; readonly end: number };
  /** Those plaintext bytes, authenticated, from exactly the bytes of `frameSpan(start, end)`. */
  open(start: number, end: number, fetched: Uint8Array): Promise<Bytes>;
}

/** Bytes from the start of a frame that `startRange` needs at most. */
export const RANGE_FRONT_BYTES = 14 + aes256Gcm.headerBytes;

/** Seals under the keys of one epoch of one vault, always with suite 1; workers pass its synchronous form. */
export function createRecordSealer(vaultId: VaultId, keys: EpochKeys, random: Random, suite: Suite = aes256Gcm): RecordSealer {
  const { sealSync } = suite;
  const start = (kind: SealedKind, plaintext: Uint8Array, slot: Uint8Array | undefined) => {
    const sealedBytes = suite.sealedBytes(plaintext.length);
    const head = encodeFrameHead(kind, suite.id, keys.epoch, sealedBytes);
    const frameBytes = head.length + sealedBytes;
    if (frameBytes > FRAME_BYTES_MAX) throw new Fault("limit", `record: got ${frameBytes} bytes, want at most ${FRAME_BYTES_MAX}`);
    const whole = slot ?? new Uint8Array(frameBytes);
    assert(frameBytes <= whole.length, "record: slot is long enough");
    whole.set(head);
    return { frame: whole.subarray(0, frameBytes), headBytes: head.length, key: keyOf(kind, keys), context: contextOf(vaultId, suite.id, kind, keys.epoch) };
  };
  return {
    frameBytes(plainBytes) {
      const sealedBytes = suite.sealedBytes(plainBytes);
      return encodeFrameHead(RECORD_KINDS.contentPack, suite.id, keys.epoch, sealedBytes).length + sealedBytes;
    },
    async seal(kind, plaintext, slot) {
      const { frame, headBytes, key, context } = start(kind, plaintext, slot);
      await suite.seal(random, key, context, plaintext, frame, headBytes);
      return { recordId: sha256(frame) as RecordId, frame };
    },
    sealSync:
      sealSync === null
        ? null
        : (kind, plaintext, slot) => {
            const { frame, headBytes, key, context } = start(kind, plaintext, slot);
            sealSync(random, key, context, plaintext, frame, headBytes);
            return { recordId: sha256(frame) as RecordId, frame };
          },
  };
}

/** Opens records of one vault. `keysOf` gives the keys of an epoch, or `null`; `suiteOf` may give workers the synchronous form of a suite. */
export function createRecordOpener(vaultId: VaultId, keysOf: (epoch: number) => EpochKeys | null, suiteOf: (id: number) => Suite = suiteById): RecordOpener {
  const secretsFor = (kind: SealedKind, head: { kind: RecordKind; suite: number; epoch: number }) => {
    if (head.kind !== kind) throw new Fault("integrity", `record: got kind ${head.kind}, want ${kind}`);
    const suite = suiteOf(head.suite);
    const keys = keysOf(head.epoch);
    if (keys === null) throw new Fault("missing", `record: no keys for epoch ${head.epoch}`);
    return { suite, key: keyOf(kind, keys), context: contextOf(vaultId, suite.id, kind, head.epoch) };
  };
  const start = (kind: SealedKind, frame: Uint8Array, recordId: RecordId | undefined) => {
    if (recordId !== undefined && !equalBytes(sha256(frame), recordId)) throw new Fault("integrity", "record: does not have its id");
    const head = parseFrame(frame);
    return { ...secretsFor(kind, head), body: head.body };
  };
  return {
    async open(kind, frame, recordId) {
      const { suite, key, context, body } = start(kind, frame, recordId);
      return suite.open(key, context, body);
    },
    openSync:
      aes256Gcm.openSync === null
        ? null
        : (kind, frame, recordId) => {
            const { suite, key, context, body } = start(kind, frame, recordId);
            assert(suite.openSync !== null, "record: suite opens synchronously");
            return suite.openSync(key, context, body);
          },
    startRange(kind, front) {
      const head = parseFrameHead(front);
      if (head === null) throw new Fault("format", "frame: truncated");
      const { suite, key, context } = secretsFor(kind, head);
      const plainBytes = suite.plainBytes(head.bodyBytes);
      const header = front.subarray(head.bodyOffset, head.bodyOffset + suite.headerBytes);
      if (plainBytes === null || header.length !== suite.headerBytes) throw new Fault("format", "record: truncated");
      return createRange(suite, suite.createOpener(key, context, header), { epoch: head.epoch, plainBytes, bodyOffset: head.bodyOffset });
    },
  };
}

function createRange(suite: Suite, opener: ReturnType<Suite["createOpener"]>, at: { epoch: number; plainBytes: number; bodyOffset: number }): RecordRange {
  return {
    epoch: at.epoch,
    plainBytes: at.plainBytes,
    frameSpan(start, end) {
      const { sealedStart, sealedEnd } = suite.span(at.plainBytes, start, end);
      return { start: at.bodyOffset + sealedStart, end: at.bodyOffset + sealedEnd };
    },
    async open(start, end, fetched) {
      const { firstSegment, lastIncluded, skipBytes } = suite.span(at.plainBytes, start, end);
      const plaintext = await opener.openSegments(firstSegment, fetched, lastIncluded);
      if (plaintext.length < skipBytes + end - start) throw new Fault("integrity", "sealed: does not authenticate");
      return plaintext.subarray(skipBytes, skipBytes + end - start);
    },
  };
}

/** CBOR `[1, suite, vault id, kind, epoch]`: nothing opens under another vault, kind, suite or epoch. */
export function contextOf(vaultId: VaultId, suiteId: number, kind: RecordKind, epoch: number): Bytes {
  return encodeCanonical([FORMAT_VERSION, suiteId, vaultId, kind, epoch]);
}

function keyOf(kind: SealedKind, keys: EpochKeys): InputKey {
  return kind === RECORD_KINDS.contentPack || kind === RECORD_KINDS.contentIndex ? keys.sealContent : keys.sealStructure;
}
