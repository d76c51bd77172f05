/**
 * The main thread's part while workers pack: sends frames as they come, remembers them once they are durable, and writes
 * indexes over them. The shared frame slots bound what is in flight.
 */
import { type LeaseId, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import { createIndexBuilder, createRecordSealer, DIRECTORY_ENTRY_BYTES, type IndexBuilder, PACK_CLASSES, type PackClass } from "@holdfast/vault";
import { collectGarbage } from "../platform/collect-garbage.ts";
import type { VaultSession } from "../session/session.ts";
import type { LocalIndex } from "../state/local-index.ts";
import type { PackMessage } from "./object-store.ts";
import type { SharedRun } from "./shared-memory.ts";

export interface UploadTotals {
  newObjects: number;
  newPlainBytes: number;
  newStoredBytes: number;
  bytesSent: number;
}

export class PackUploads {
  readonly totals: UploadTotals = { newObjects: 0, newPlainBytes: 0, newStoredBytes: 0, bytesSent: 0 };
  /** Record ids of this run's packs by the ordinal that the shared table has for them. */
  readonly recordIds = new Map<number, RecordId>();
  readonly #session: VaultSession;
  readonly #lease: LeaseId;
  readonly #shared: SharedRun;
  readonly #index: LocalIndex;
  readonly #builders: Readonly<Record<PackClass, IndexBuilder>> = {
    [PACK_CLASSES.content]: createIndexBuilder(PACK_CLASSES.content),
    [PACK_CLASSES.structure]: createIndexBuilder(PACK_CLASSES.structure),
  };
  readonly #inFlight = new Set<Promise<void>>();
  #received = 0;
  #failure: unknown = null;
  /** One index at a time, in order. */
  #indexing: Promise<void> = Promise.resolve();

  constructor(session: VaultSession, lease: LeaseId, shared: SharedRun, index: LocalIndex) {
    this.#session = session;
    this.#lease = lease;
    this.#shared = shared;
    this.#index = index;
  }

  /** Packs that workers have sent so far. */
  get received(): number {
    return this.#received;
  }

  /** Throws what an upload failed with. */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  /** Takes a sealed pack from a worker. */
  add(message: PackMessage, onFailure: () => void): void {
    this.#received++;
    this.totals.newObjects += message.directory.byteLength / DIRECTORY_ENTRY_BYTES;
    this.totals.newPlainBytes += message.newPlainBytes;
    this.totals.newStoredBytes += message.plainBytes;
    const { frameSlot } = message;
    if (frameSlot === null) return;
    this.recordIds.set(message.ordinal, message.recordId);
    const upload = this.#send(message, frameSlot)
      .catch((error: unknown) => {
        this.#failure ??= error;
        onFailure();
      })
      .finally(() => {
        this.#shared.releaseFrame(frameSlot);
        collectGarbage();
        this.#inFlight.delete(upload);
      });
    this.#inFlight.add(upload);
  }

  /** Adds packs of earlier, interrupted runs that no index names yet and that the node still has. */
  addUnindexed(): void {
    for (const pack of this.#index.unindexed()) this.#builders[pack.packClass].add({ ...pack, directory: this.#index.directory(pack) });
  }

  /** Resolves once everything taken so far is durable and named by a durable index. */
  async settle(): Promise<void> {
    await Promise.all([...this.#inFlight]);
    this.check();
    for (const builder of Object.values(this.#builders)) this.#flush(builder);
    await this.#indexing;
    this.check();
  }

  async #send(message: PackMessage, frameSlot: number): Promise<void> {
    const frame = this.#shared.frame(frameSlot).subarray(0, message.frameBytes);
    await this.#session.store.put([{ id: message.recordId, parts: [frame] }], this.#lease);
    this.totals.bytesSent += message.frameBytes;
    const pack = { ...message, directory: new Uint8Array(message.directory) };
    this.#index.addPack(pack);
    const builder = this.#builders[message.packClass];
    builder.add(pack);
    if (builder.isDue) this.#flush(builder);
  }

  /** Seals and sends an index of what `builder` holds, after those before it. */
  #flush(builder: IndexBuilder): void {
    if (builder.packCount === 0) return;
    const session = this.#session;
    const packIds = builder.recordIds();
    const packClass = builder === this.#builders[PACK_CLASSES.content] ? PACK_CLASSES.content : PACK_CLASSES.structure;
    const plaintext = builder.build(session.vault, session.device, session.signer);
    builder.clear();
    this.#indexing = this.#indexing.then(async () => {
      const kind = packClass === PACK_CLASSES.content ? RECORD_KINDS.contentIndex : RECORD_KINDS.structureIndex;
      const sealer = createRecordSealer(session.vault, session.currentKeys(), session.ports.random);
      const { recordId, frame } = await sealer.seal(kind, plaintext);
      await session.store.put([{ id: recordId, parts: [frame] }], this.#lease);
      this.totals.bytesSent += frame.length;
      this.#index.addIndex(recordId, packIds);
    });
    this.#indexing.catch((error: unknown) => {
      this.#failure ??= error;
    });
  }
}
