/**
 * A small vault in memory for tests of the restoring side: objects, packs, indexes and snapshots made by hand through the
 * vault package, honest or not, on the memory node of the testkit, with as much of a session as reading needs.
 */
import { assert, type Bytes, bytesToHex, compareBytes, utf8 } from "@holdfast/base";
import { createNodeDisk, createSystemClock } from "@holdfast/base/node";
import { asEpochSecret, createObjectIdHasher, deriveEpochKeys, type EpochKeys } from "@holdfast/crypto";
import { type LeaseId, type ObjectId, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import { createMemoryNode, createSeededRandom, JournalBuilder, type MemoryNode, snapshotBody, type TestKey, testKey } from "@holdfast/testkit";
import {
  type Compressor,
  type ContentItem,
  createContentBuilder,
  createFolderBuilder,
  createIndexBuilder,
  createPackWriter,
  createRecordSealer,
  type Entry,
  encodeSnapshot,
  FILE_KINDS,
  lineOf,
  OBJECT_KINDS,
  type ObjectKind,
  PACK_CLASSES,
  type PackClass,
  type PackWriter,
  packBufferBytes,
  type SealedKind,
  type Snapshot,
  splitSeedOf,
} from "@holdfast/vault";
import { createZstdCompressor } from "@holdfast/vault/node";
import type { RestoreSession } from "../restore/restore.ts";

/** Bytes are a chunk, a number is a hole of that length. */
export type Piece = Uint8Array | number;

const PACK_OBJECTS = 4_096;

export class VaultBuilder {
  readonly node: MemoryNode;
  readonly journal: JournalBuilder;
  readonly device: TestKey = testKey(2);
  readonly keys: EpochKeys;
  /** Record ids of content packs, in the order they were closed. */
  readonly contentPacks: RecordId[] = [];
  readonly structurePacks: RecordId[] = [];
  readonly indexes: RecordId[] = [];
  readonly #random = createSeededRandom(1);
  readonly #compressor: Compressor;
  readonly #hashObject: ReturnType<typeof createObjectIdHasher>;
  readonly #sealer: ReturnType<typeof createRecordSealer>;
  readonly #writers: Readonly<Record<PackClass, PackWriter>>;
  readonly #known = new Set<string>();
  readonly #closed: { packClass: PackClass; plaintext: Bytes; directory: Bytes }[] = [];
  #lease: LeaseId | null = null;

  static async create(): Promise<VaultBuilder> {
    return new VaultBuilder(await createZstdCompressor());
  }

  private constructor(compressor: Compressor) {
    this.#compressor = compressor;
    this.journal = new JournalBuilder(testKey(1), this.device).begin();
    const vault = this.journal.owner.vaultId;
    this.keys = deriveEpochKeys(asEpochSecret(this.#random.bytes(32)), vault, 0);
    this.node = createMemoryNode({ vault, account: this.journal.account, clock: createSystemClock(), random: this.#random, pageItems: 3 });
    this.#hashObject = createObjectIdHasher(this.keys.objectId);
    this.#sealer = createRecordSealer(vault, this.keys, this.#random);
    const writer = (packClass: PackClass) => createPackWriter(packClass, new Uint8Array(packBufferBytes(PACK_OBJECTS)), PACK_OBJECTS);
    this.#writers = { [PACK_CLASSES.content]: writer(PACK_CLASSES.content), [PACK_CLASSES.structure]: writer(PACK_CLASSES.structure) };
  }

  /** What a reader needs, and it sees every change of `node` and `journal`. */
  session(): RestoreSession {
    return {
      ports: { clock: createSystemClock(), random: createSeededRandom(7), disk: createNodeDisk() },
      vault: this.journal.owner.vaultId,
      keys: new Map([[0, this.keys]]),
      store: this.node.store(),
      journal: () => this.journal.state,
      receivedMs: () => null,
    };
  }

  /** Stores an object, once. */
  put(kind: ObjectKind, plaintext: Uint8Array): ObjectId {
    const objectId = this.#hashObject(kind, plaintext);
    const key = bytesToHex(objectId);
    if (this.#known.has(key)) return objectId;
    this.#known.add(key);
    const packClass = kind === OBJECT_KINDS.chunk ? PACK_CLASSES.content : PACK_CLASSES.structure;
    const compressed = this.#compressor.compress(plaintext);
    const stored = compressed ?? plaintext;
    if (!this.#writers[packClass].fits(stored.length)) this.closePack(packClass);
    this.#writers[packClass].append(objectId, kind, compressed === null ? 0 : 1, stored, plaintext.length);
    return objectId;
  }

  /** Ends the open pack: what follows lies in another. */
  closePack(packClass: PackClass = PACK_CLASSES.content): void {
    const writer = this.#writers[packClass];
    if (writer.objectCount === 0) return;
    const { plaintext, directory } = writer.close();
    this.#closed.push({ packClass, plaintext: new Uint8Array(plaintext), directory: new Uint8Array(directory) });
    writer.clear();
  }

  /** Entry of a file made of `pieces`. */
  file(name: string | Uint8Array, pieces: readonly Piece[], changes: Partial<Entry> = {}): Entry {
    const items: ContentItem[] = pieces.map((piece) =>
      typeof piece === "number" ? { objectId: null, plainBytes: piece } : { objectId: this.put(OBJECT_KINDS.chunk, piece), plainBytes: piece.length },
    );
    const content = createContentBuilder((kind, plaintext) => this.put(kind, plaintext));
    for (const { objectId, plainBytes } of items) {
      if (objectId === null) content.addHole(plainBytes);
      else content.addChunk(objectId, plainBytes);
    }
    const sizeBytes = items.reduce((sum, item) => sum + item.plainBytes, 0);
    return this.entry(name, { sizeBytes, content: items.length === 0 ? null : content.finish(), ...changes });
  }

  folder(name: string | Uint8Array, entries: readonly Entry[], changes: Partial<Entry> = {}): Entry {
    return this.entry(name, { kind: FILE_KINDS.folder, mode: 0o755, subtree: this.tree(entries), ...changes });
  }

  /** Tree of a folder with these entries, in any order. */
  tree(entries: readonly Entry[]): ObjectId {
    const builder = createFolderBuilder(splitSeedOf(this.keys.chunker), (kind, plaintext) => this.put(kind, plaintext));
    for (const entry of [...entries].sort((left, right) => compareBytes(left.name, right.name))) builder.add(entry);
    return builder.finish();
  }

  /** Any entry: an empty file of this process, but for `changes`. */
  entry(name: string | Uint8Array, changes: Partial<Entry> = {}): Entry {
    return {
      name: typeof name === "string" ? utf8(name) : name,
      kind: FILE_KINDS.file,
      mode: 0o644,
      uid: process.geteuid?.() ?? 0,
      gid: process.getegid?.() ?? 0,
      user: null,
      group: null,
      modified: { seconds: 1_600_000_000, nanoseconds: 123_456_789 },
      sizeBytes: 0,
      linkTarget: null,
      device: null,
      xattrs: [],
      inode: null,
      content: null,
      subtree: null,
      flags: 0,
      ...changes,
    };
  }

  /** Makes everything durable and appends a snapshot with these entries in its root; the id of its journal entry. */
  async commit(entries: readonly Entry[], changes: Partial<Snapshot> = {}): Promise<RecordId> {
    return this.commitTree(this.tree(entries), changes);
  }

  async commitTree(root: ObjectId, changes: Partial<Snapshot> = {}): Promise<RecordId> {
    await this.flush();
    const source = { host: changes.host ?? "host", paths: changes.paths ?? [utf8("/data")], setName: null };
    const time = { seconds: 1_700_000_000, nanoseconds: 0 };
    const snapshot: Snapshot = {
      ...source,
      started: time,
      ended: time,
      root,
      line: lineOf(this.keys.objectId, source),
      totals: { files: 0, folders: 0, others: 0, plainBytes: 0 },
      tags: [],
      agentVersion: "0",
      runtime: "test",
      failures: [],
      failureCount: 0,
      losses: [],
      isPartial: false,
      ...changes,
    };
    const record = await this.#store(RECORD_KINDS.snapshot, encodeSnapshot(snapshot));
    return this.journal.append(snapshotBody(record, { line: snapshot.line, complete: !snapshot.isPartial }));
  }

  /** Seals and stores the packs so far, and an index for each class. */
  async flush(): Promise<void> {
    this.closePack(PACK_CLASSES.content);
    this.closePack(PACK_CLASSES.structure);
    const builders = { [PACK_CLASSES.content]: createIndexBuilder(PACK_CLASSES.content), [PACK_CLASSES.structure]: createIndexBuilder(PACK_CLASSES.structure) };
    for (const { packClass, plaintext, directory } of this.#closed.splice(0)) {
      const isContent = packClass === PACK_CLASSES.content;
      const recordId = await this.#store(isContent ? RECORD_KINDS.contentPack : RECORD_KINDS.structurePack, plaintext);
      (isContent ? this.contentPacks : this.structurePacks).push(recordId);
      builders[packClass].add({ recordId, frameBytes: this.#sealer.frameBytes(plaintext.length), plainBytes: plaintext.length, directory });
    }
    for (const packClass of [PACK_CLASSES.content, PACK_CLASSES.structure]) {
      if (builders[packClass].packCount === 0) continue;
      const kind = packClass === PACK_CLASSES.content ? RECORD_KINDS.contentIndex : RECORD_KINDS.structureIndex;
      this.indexes.push(await this.#store(kind, builders[packClass].build(this.journal.owner.vaultId, this.device.deviceId, this.device)));
    }
  }

  /** Flips a bit in the middle of a record, so that it no longer hashes to its id. */
  damage(record: RecordId): void {
    const frame = this.node.records.get(bytesToHex(record));
    assert(frame !== undefined, "vault builder: record is there");
    const at = frame.length >> 1;
    frame[at] = (frame[at] as number) ^ 1;
  }

  remove(record: RecordId): void {
    assert(this.node.records.delete(bytesToHex(record)), "vault builder: record is there");
  }

  async #store(kind: SealedKind, plaintext: Uint8Array): Promise<RecordId> {
    const { recordId, frame } = await this.#sealer.seal(kind, plaintext);
    const store = this.node.store();
    this.#lease ??= (await store.lease(null)).lease as LeaseId;
    await store.put([{ id: recordId, parts: [frame] }], this.#lease);
    return recordId;
  }
}
