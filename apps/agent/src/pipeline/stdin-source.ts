/** A snapshot of standard input: one file with a name of the user's choosing, in the root of the tree. */
import { Fault, utf8 } from "@holdfast/base";
import { createContentBuilder, createCutter, FILE_KINDS, isName, OBJECT_KINDS } from "@holdfast/vault";
import type { ByteInput } from "../platform/index.ts";
import { IdList } from "./id-list.ts";
import type { ObjectStore } from "./object-store.ts";
import { COUNTERS, type SharedRun } from "./shared-memory.ts";
import type { Walker } from "./walker.ts";

const WINDOW_BYTES = 1024 * 1024;
const CHUNK_BUFFER_BYTES = 8 * 1024 * 1024;
const PRIVATE_MODE = 0o600;

/** Reads `input` to its end. */
export function storeStdin(input: ByteInput, name: string, nowMs: number, walker: Walker, content: ObjectStore, shared: SharedRun): void {
  const nameBytes = utf8(name);
  if (!isName(nameBytes)) throw new Fault("input", "stdin name: want 1 to 255 bytes without a slash");
  const { assembler } = walker;
  const ids = new IdList();
  const builder = createContentBuilder((kind, plaintext) => {
    const id = assembler.emit(kind, plaintext);
    ids.push(id);
    return id;
  });
  let sizeBytes = 0;
  const cutter = createCutter(walker.gear);
  const buffer = new Uint8Array(CHUNK_BUFFER_BYTES);
  let held = 0; // Bytes of the chunk that is not cut yet.
  const store = (byteCount: number): void => {
    const id = content.put(OBJECT_KINDS.chunk, buffer.subarray(0, byteCount));
    builder.addChunk(id, byteCount);
    ids.push(id);
    buffer.copyWithin(0, byteCount, held);
    held -= byteCount;
  };
  for (;;) {
    const readBytes = input.read(buffer.subarray(held, held + WINDOW_BYTES));
    if (readBytes === 0) break;
    const lengths: number[] = [];
    cutter.push(buffer, held, held + readBytes, (length) => lengths.push(length));
    held += readBytes;
    sizeBytes += readBytes;
    shared.count(COUNTERS.bytesDone, readBytes);
    for (const length of lengths) store(length);
  }
  const last = cutter.finish();
  if (last > 0) store(last);
  const built = builder.finish();
  const modified = { seconds: Math.floor(nowMs / 1_000), nanoseconds: Math.floor(nowMs % 1_000) * 1_000_000 };
  walker.single(
    {
      name: nameBytes,
      kind: FILE_KINDS.file,
      mode: PRIVATE_MODE,
      uid: 0,
      gid: 0,
      user: null,
      group: null,
      modified,
      sizeBytes,
      linkTarget: null,
      device: null,
      xattrs: [],
      inode: null,
      content: sizeBytes === 0 ? null : built,
      subtree: null,
      flags: 0,
    },
    ids.joined(),
  );
}
