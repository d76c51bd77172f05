/**
 * Compression of objects (docs/format.md §7, codec 1): one zstd frame (RFC 8878) whose header carries the content size.
 * The library is behind a port; what is read from a vault is bounded here, before the library sees it.
 */
import { type Bytes, Fault } from "@holdfast/base";

/** zstd of one object at a time, synchronously: it runs inside workers. */
export interface Compressor {
  /** One zstd frame shorter than `bytes`, in fresh memory, or `null` when it does not shrink: store it raw. */
  compress(bytes: Uint8Array): Uint8Array | null;
  /** The `plainBytes` bytes in the one frame `stored`. Anything else, also a frame that claims another size: `format`. */
  decompress(stored: Uint8Array, plainBytes: number): Bytes;
}

/** The two calls of a zstd library. */
export interface ZstdLibrary {
  compress(bytes: Uint8Array): Uint8Array;
  /** Never gives, and where the library can tell never makes, more than `bytesMax` bytes. Throws on damage. */
  decompress(frame: Uint8Array, bytesMax: number): Uint8Array;
}

const FRAME_MAGIC = 0xfd2fb528;
/** Window that a reader grants: the longest object. */
const WINDOW_BYTES_MAX = 8 * 1024 * 1024;
const BLOCK_HEADER_BYTES = 3;
const BLOCK_TYPE_RLE = 1;
const BLOCK_TYPE_RESERVED = 3;

/** Objects from this length on are probed before they are compressed whole. */
const PROBE_FROM_BYTES = 256 * 1024;
/** Many short pieces: four of 4 KiB missed a chunk of an executable that shrinks by a fifth. */
const PROBE_PIECES = 16;
const PROBE_PIECE_BYTES = 1024;

/** A compressor over `library`. Long objects are probed: pieces of it that do not shrink let the whole be stored raw. */
export function createCompressor(library: ZstdLibrary): Compressor {
  const probe = new Uint8Array(PROBE_PIECES * PROBE_PIECE_BYTES);
  return {
    compress(bytes) {
      if (bytes.length >= PROBE_FROM_BYTES && !shrinksInPieces(library, bytes, probe)) return null;
      const frame = library.compress(bytes);
      return frame.length < bytes.length && isReadable(frame, bytes.length) ? frame : null;
    },
    decompress(stored, plainBytes) {
      checkFrame(stored, plainBytes);
      let plaintext: Uint8Array;
      try {
        plaintext = library.decompress(stored, plainBytes);
      } catch (cause) {
        throw new Fault("format", "zstd: does not decompress", { cause });
      }
      if (plaintext.length !== plainBytes) throw new Fault("format", `zstd: got ${plaintext.length} bytes, want ${plainBytes}`);
      // Not the platform's own kind of buffer: its `slice` does not copy.
      return new Uint8Array(plaintext.buffer as ArrayBuffer, plaintext.byteOffset, plainBytes);
    },
  };
}

function shrinksInPieces(library: ZstdLibrary, bytes: Uint8Array, probe: Uint8Array): boolean {
  const stride = Math.floor((bytes.length - PROBE_PIECE_BYTES) / (PROBE_PIECES - 1));
  for (let piece = 0; piece < PROBE_PIECES; piece++) {
    probe.set(bytes.subarray(piece * stride, piece * stride + PROBE_PIECE_BYTES), piece * PROBE_PIECE_BYTES);
  }
  return library.compress(probe).length < probe.length;
}

/** Whether a reader would take the frame. A library that writes it in another form costs space, never data: the object is stored raw. */
function isReadable(frame: Uint8Array, plainBytes: number): boolean {
  try {
    checkFrame(frame, plainBytes);
    return true;
  } catch {
    return false;
  }
}

/** Refuses what is not exactly one frame without dictionary that says it holds `plainBytes` bytes. Walks block headers, decodes nothing. */
export function checkFrame(stored: Uint8Array, plainBytes: number): void {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  if (stored.length < 6 || view.getUint32(0, true) !== FRAME_MAGIC) throw new Fault("format", "zstd: not a frame");
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  if ((descriptor & 0x0b) !== 0) throw new Fault("format", "zstd: frame has a dictionary or a reserved bit");
  const sizeOffset = isSingleSegment ? 5 : 6;
  const blocksOffset = sizeOffset + sizeBytes;
  if (sizeBytes === 0) throw new Fault("format", "zstd: frame does not say its content size");
  if (blocksOffset > stored.length) throw new Fault("format", "zstd: truncated");
  if (!isSingleSegment && windowBytes(view.getUint8(5)) > WINDOW_BYTES_MAX) throw new Fault("format", "zstd: window too large");
  const contentBytes = readContentSize(view, sizeOffset, sizeBytes);
  if (contentBytes !== plainBytes) throw new Fault("format", `zstd: frame claims ${contentBytes} bytes, want ${plainBytes}`);
  const end = skipBlocks(view, blocksOffset) + (hasChecksum ? 4 : 0);
  if (end !== stored.length) throw new Fault("format", "zstd: not exactly one frame");
}

/** RFC 8878 §3.1.1.1.2. */
function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function readContentSize(view: DataView, offset: number, sizeBytes: number): number {
  if (sizeBytes === 1) return view.getUint8(offset);
  if (sizeBytes === 2) return view.getUint16(offset, true) + 256;
  if (sizeBytes === 4) return view.getUint32(offset, true);
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000;
}

/** Offset after the last block. */
function skipBlocks(view: DataView, from: number): number {
  let offset = from;
  for (;;) {
    if (offset + BLOCK_HEADER_BYTES > view.byteLength) throw new Fault("format", "zstd: truncated");
    const header = view.getUint16(offset, true) | (view.getUint8(offset + 2) << 16);
    const type = (header >> 1) & 3;
    if (type === BLOCK_TYPE_RESERVED) throw new Fault("format", "zstd: reserved block type");
    offset += BLOCK_HEADER_BYTES + (type === BLOCK_TYPE_RLE ? 1 : header >> 3);
    if ((header & 1) !== 0) return offset;
  }
}
