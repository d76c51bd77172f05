/** zstd of the runtime: `Bun.zstd*`, else `node:zlib` (Node 22+, Deno), else WebAssembly (Node 20). Level 3 everywhere. */
import * as zlib from "node:zlib";
import { type Compressor, createCompressor, type ZstdLibrary } from "../zstd.ts";

const LEVEL = 3;

interface BunZstd {
  zstdCompressSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  zstdDecompressSync(frame: Uint8Array): Uint8Array;
}

/** The compressor of this runtime. Asynchronous only because WebAssembly is compiled once where nothing is built in. */
export async function createZstdCompressor(): Promise<Compressor> {
  return createCompressor(await zstdLibrary());
}

async function zstdLibrary(): Promise<ZstdLibrary> {
  if (typeof zlib.zstdDecompressSync !== "function") return wasmLibrary();
  const bun = (globalThis as { Bun?: BunZstd }).Bun;
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: LEVEL };
  return {
    compress:
      bun === undefined
        ? // Deno writes the content size into the header only when it is told, and with output of more than one piece appends an empty frame.
          (bytes) => zlib.zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length, chunkSize: compressBound(bytes.length) })
        : (bytes) => bun.zstdCompressSync(bytes, { level: LEVEL }),
    // Bun's own call allocates by the content size in the frame, which has been checked, and makes no stream object for each frame.
    // The chunk size of the other makes the output one buffer: nothing is joined afterwards.
    decompress:
      bun !== undefined
        ? (frame) => bun.zstdDecompressSync(frame)
        : (frame, bytesMax) => zlib.zstdDecompressSync(frame, { maxOutputLength: Math.max(1, bytesMax), chunkSize: Math.max(64, bytesMax) }),
  };
}

/** More than any frame of `plainBytes` bytes takes. */
function compressBound(plainBytes: number): number {
  return plainBytes + (plainBytes >> 8) + 1_024;
}

/** The one instance: a second `init` of the package corrupts the memory of the first. */
let wasmOnce: Promise<ZstdLibrary> | null = null;

/** Needs the frame's content size to have been checked: it allocates by it. */
function wasmLibrary(): Promise<ZstdLibrary> {
  wasmOnce ??= import("@bokuweb/zstd-wasm").then(async (wasm) => {
    await wasm.init();
    return { compress: (bytes) => wasm.compress(bytes, LEVEL), decompress: (frame) => wasm.decompress(frame) };
  });
  return wasmOnce;
}
