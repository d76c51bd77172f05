/**
 * Where the threads of a run put objects: id, claim in the shared table, compression, open pack, and when a pack is full
 * its sealed frame in a shared slot. Pack workers keep one for content; the walker keeps one for structure.
 */
import { discardBytes, Fault, type Random } from "@holdfast/base";
import type { EpochKeys } from "@holdfast/crypto/key";
import { createObjectIdHasher } from "@holdfast/crypto/object-id";
import { aes256GcmSync } from "@holdfast/crypto/suite";
import { type ObjectId, RECORD_KINDS, type RecordId, type VaultId } from "@holdfast/protocol";
import {
  type ClosedPack,
  type Compressor,
  createPackDealer,
  createPackWriter,
  createRecordSealer,
  DIRECTORY_ENTRY_BYTES,
  OBJECT_NEW,
  type ObjectKind,
  type ObjectTable,
  PACK_CLASSES,
  type PackClass,
  packBufferBytes,
} from "@holdfast/vault";
import type { SharedRun } from "./shared-memory.ts";

/** A sealed pack that waits in a frame slot; sent to the main thread. */
export interface PackMessage {
  readonly type: "pack";
  /** `null` in a dry run: nothing was sealed. */
  readonly frameSlot: number | null;
  readonly frameBytes: number;
  readonly recordId: RecordId;
  readonly packClass: PackClass;
  readonly plainBytes: number;
  readonly ordinal: number;
  /** A buffer, not a view: Deno looks through messages element by element. */
  readonly directory: ArrayBuffer;
  readonly newPlainBytes: number;
}

export interface ObjectStoreOptions {
  readonly shared: SharedRun;
  readonly table: ObjectTable;
  readonly compressor: Compressor;
  readonly random: Random;
  readonly keys: EpochKeys;
  readonly vault: VaultId;
  readonly packClass: PackClass;
  readonly dryRun: boolean;
  readonly post: (message: PackMessage) => void;
  /** Frees what compression left behind: `Bun.gc`; elsewhere nothing. */
  readonly collect: () => void;
}

export interface ObjectStore {
  /** Stores `plaintext` unless it is known, and returns its id. */
  put(kind: ObjectKind, plaintext: Uint8Array): ObjectId;
  /** Closes and sends what is open. */
  flush(): void;
}

/** Thrown out of a worker's work when the run was given up elsewhere. */
export class RunAborted extends Error {
  override readonly name = "RunAborted";
}

/** Content is dealt over two packs; structure goes into one. */
const OPEN_PACKS_BY_CLASS = { [PACK_CLASSES.content]: 2, [PACK_CLASSES.structure]: 1 } as const;

export function createObjectStore(options: ObjectStoreOptions): ObjectStore {
  const { shared, table, compressor, packClass } = options;
  const hashObject = createObjectIdHasher(options.keys.objectId);
  const { sealSync } = createRecordSealer(options.vault, options.keys, options.random, aes256GcmSync);
  const recordKind = packClass === PACK_CLASSES.content ? RECORD_KINDS.contentPack : RECORD_KINDS.structurePack;
  const writers = Array.from({ length: OPEN_PACKS_BY_CLASS[packClass] }, () => createPackWriter(packClass, new Uint8Array(packBufferBytes())));

  const close = (pack: ClosedPack): void => {
    const directory = pack.directory.slice();
    const ordinal = shared.nextPackOrdinal();
    const plainBytes = pack.plaintext.length;
    const about = { type: "pack" as const, packClass, plainBytes, ordinal, directory: directory.buffer as ArrayBuffer, newPlainBytes: plainBytesOf(directory) };
    if (options.dryRun) {
      options.post({ ...about, frameSlot: null, frameBytes: plainBytes, recordId: new Uint8Array(32) as RecordId });
    } else {
      if (sealSync === null) throw new Fault("input", "this runtime has no synchronous AES");
      const frameSlot = shared.takeFrame();
      if (frameSlot === null) throw new RunAborted();
      const { frame, recordId } = sealSync(recordKind, pack.plaintext, shared.frame(frameSlot));
      options.post({ ...about, frameSlot, frameBytes: frame.length, recordId });
    }
    for (let at = 0; at < directory.length; at += DIRECTORY_ENTRY_BYTES) table.set(directory.subarray(at, at + 32), ordinal);
    options.collect();
  };
  const dealer = createPackDealer(writers as [ReturnType<typeof createPackWriter>], options.random, close);

  return {
    put(kind, plaintext) {
      const objectId = hashObject(kind, plaintext);
      if (table.claim(objectId) !== OBJECT_NEW) return objectId;
      const compressed = compressor.compress(plaintext);
      dealer.add(objectId, kind, compressed === null ? 0 : 1, compressed ?? plaintext, plaintext.length);
      if (compressed !== null) discardBytes(compressed); // The dealer copied it.
      return objectId;
    },
    flush: () => dealer.flush(),
  };
}

function plainBytesOf(directory: Uint8Array): number {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  let byteCount = 0;
  for (let at = 44; at < directory.length; at += DIRECTORY_ENTRY_BYTES) byteCount += view.getUint32(at);
  return byteCount;
}
