/**
 * Everything that changes one vault. A vault is a folder: `vault.db` and its segments (vault-schema.ts).
 *
 * Order of every write: parts are committed and fsynced in their segment, then vault.db names them. So after a crash at
 * any instant a record is whole or absent; parts without a record are left-overs, removed at the next opening.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { assert, assertDefined, type Bytes, bytesToHex, type Clock, Fault, type Random } from "@holdfast/base";
import type { Signer } from "@holdfast/crypto/signature";
import { type AccountId, applyEntry, type DeviceId, emptyJournal, type JournalState, type LeaseId, type RecordId, type VaultId } from "@holdfast/protocol";
import { asc, eq, sql } from "drizzle-orm";
import { nodeVerifier } from "../verifier.ts";
import { checkpoint, connectWriter, type Database, DiskFault, inTransaction, syncFolder, translated } from "./database.ts";
import { type Commit, commitEntry } from "./journal-writer.ts";
import { VAULT_MIGRATIONS } from "./migrations.ts";
import { addRecords, addStaging, findFrames, type NewRecord, partCountOf, putLease, removeStaging, renewLeases, requireLease } from "./record-writer.ts";
import { CHECKPOINT_BYTES, type FramePlace, type NewPart, SegmentWriter } from "./segment-writer.ts";
import { journal, staging, vaultState } from "./vault-schema.ts";

export interface VaultWriterOptions {
  readonly folder: string;
  readonly vault: VaultId;
  readonly account: AccountId;
  readonly segmentBytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly nodeSigner: Signer;
  /** Check vault.db as a whole before use: after a disk fault. */
  readonly checkFile?: boolean;
}

/** One step of an upload. `upload` is the caller's number for a request; `frameIndex` counts its frames. */
export type UploadStep =
  | { readonly kind: "part"; readonly upload: number; readonly frameIndex: number; readonly partIndex: number; readonly bytes: Bytes }
  | {
      readonly kind: "finish";
      readonly upload: number;
      readonly frames: readonly FinishedFrame[];
      readonly lease: LeaseId;
      readonly device: DeviceId;
      readonly quotaBytes: number | null;
    }
  | { readonly kind: "abort"; readonly upload: number };

/** A frame whose parts have all been sent and whose bytes hash to `id`. */
export interface FinishedFrame {
  readonly id: RecordId;
  readonly kind: number;
  readonly byteCount: number;
}

/** What a step came to. Other steps of the same group do not depend on it. */
export type StepResult =
  | { readonly kind: "done" }
  | { readonly kind: "finished"; readonly stored: number; readonly present: number }
  | { readonly kind: "refused"; readonly fault: Fault };

interface Upload {
  readonly places: FramePlace[];
  readonly partCounts: number[];
}

const LINEAGE_BYTES = 16;
/** Rows written to vault.db count as this many bytes towards its next checkpoint. */
const BYTES_PER_STEP = 16 * 1024;

export class VaultWriter {
  readonly #options: VaultWriterOptions;
  readonly #database: Database;
  readonly #segments: SegmentWriter;
  readonly #uploads = new Map<number, Upload>();
  /** Frames to remove with the next group. */
  #leftOvers: FramePlace[];
  #nextFrameNo: number;
  #journalState: JournalState | null = null;
  #bytesSinceCheckpoint = 0;

  private constructor(options: VaultWriterOptions, database: Database, segments: SegmentWriter, nextFrameNo: number, leftOvers: FramePlace[]) {
    this.#options = options;
    this.#database = database;
    this.#segments = segments;
    this.#nextFrameNo = nextFrameNo;
    this.#leftOvers = leftOvers;
  }

  /** Opens the vault's folder, creating it when it is new, and removes what a crash left over. */
  static async open(options: VaultWriterOptions): Promise<VaultWriter> {
    return translated("vault", async () => {
      mkdirSync(options.folder, { recursive: true, mode: 0o700 });
      syncFolder(join(options.folder, ".."));
      const database = await connectWriter(join(options.folder, "vault.db"), VAULT_MIGRATIONS);
      const segments = await SegmentWriter.open(options.folder, options.segmentBytesMax);
      try {
        if (options.checkFile === true) await checkFile(database);
        const state = await readOrCreateState(database, options);
        await segments.removeFramesFrom(state.nextFrameNo);
        const leftOvers = await database.db.select().from(staging);
        const writer = new VaultWriter(options, database, segments, state.nextFrameNo, leftOvers);
        await writer.removeLeftOvers();
        return writer;
      } catch (error) {
        segments.close();
        database.close();
        throw error;
      }
    });
  }

  /** Whether frames wait to be removed: call `removeLeftOvers` when there is nothing else to do. */
  get hasLeftOvers(): boolean {
    return this.#leftOvers.length > 0;
  }

  /** Whether no upload is under way. */
  get isIdle(): boolean {
    return this.#uploads.size === 0;
  }

  removeLeftOvers(): Promise<StepResult[]> {
    return this.#leftOvers.length === 0 ? Promise.resolve([]) : this.applySteps([]);
  }

  /** Makes a group of steps durable: one commit per segment, then one of vault.db. A throw means that nothing of it is. */
  async applySteps(steps: readonly UploadStep[]): Promise<StepResult[]> {
    const removed = this.#leftOvers;
    const newParts: NewPart[] = [];
    const refused = new Map<UploadStep, Fault>();
    for (const step of steps) {
      if (step.kind !== "part") continue;
      const place = await this.#placeOf(step);
      if (place === null) refused.set(step, new Fault("transport", "upload: was interrupted, send it again"));
      else newParts.push({ ...place, partIndex: step.partIndex, bytes: step.bytes });
    }
    await this.#segments.write(newParts, removed);
    this.#leftOvers = [];
    const results = await inTransaction(this.#database, "vault", async (transaction) => {
      await removeStaging(
        transaction,
        removed.map((place) => place.frameNo),
      );
      const named = new Set<number>();
      const results: StepResult[] = [];
      for (const step of steps) {
        const fault = refused.get(step);
        if (fault !== undefined) results.push({ kind: "refused", fault });
        else if (step.kind === "part") results.push({ kind: "done" });
        else if (step.kind === "abort") results.push(this.#abort(step.upload));
        else results.push(await this.#finish(transaction, step, named));
      }
      await removeStaging(transaction, [...named]);
      const unnamed = [...this.#uploads.values()].flatMap((upload) => upload.places);
      await addStaging(transaction, [...unnamed, ...this.#leftOvers]);
      await transaction.update(vaultState).set({ nextFrameNo: this.#nextFrameNo });
      return results;
    });
    await this.#checkpointWhenDue((steps.length + removed.length) * BYTES_PER_STEP);
    return results;
  }

  /** Opens a lease or renews it; resolves to when it ends. */
  async lease(lease: LeaseId, device: DeviceId): Promise<number> {
    const expiresAtMs = await inTransaction(this.#database, "vault", (transaction) => putLease(transaction, lease, device, this.#options.clock.nowMs()));
    await this.#checkpointWhenDue(BYTES_PER_STEP);
    return expiresAtMs;
  }

  /** Which of `ids` are not stored; renews the lease on the others. */
  async missing(ids: readonly RecordId[], lease: LeaseId, device: DeviceId): Promise<RecordId[]> {
    const found = await inTransaction(this.#database, "vault", async (transaction) => {
      await requireLease(transaction, lease, device);
      const frames = await findFrames(transaction, ids, true);
      await renewLeases(transaction, [...frames.values()], this.#options.clock.nowMs());
      return frames;
    });
    await this.#checkpointWhenDue(BYTES_PER_STEP);
    return ids.filter((id) => !found.has(bytesToHex(id)));
  }

  /** Appends a journal entry: see journal-writer.ts. */
  async commit(commit: Omit<Commit, "receivedMs">): Promise<{ readonly receipt: Bytes; readonly revokedDevice: DeviceId | null }> {
    const state = await this.#journal();
    const committed = await inTransaction(this.#database, "journal", (transaction) =>
      commitEntry(transaction, state, { ...commit, receivedMs: this.#options.clock.nowMs() }, this.#options.nodeSigner),
    );
    this.#journalState = committed.state;
    await this.#checkpointWhenDue(BYTES_PER_STEP + 64 * (commit.additions.length + commit.drops.length));
    return { receipt: committed.receipt, revokedDevice: committed.revokedDevice };
  }

  /** Copies the WALs back and closes. */
  async close(): Promise<void> {
    await this.#segments.checkpointAll();
    await checkpoint(this.#database);
    this.abandon();
  }

  /** Closes without another write: after a disk fault. */
  abandon(): void {
    this.#segments.close();
    this.#database.close();
  }

  async #placeOf(step: Extract<UploadStep, { kind: "part" }>): Promise<FramePlace | null> {
    let upload = this.#uploads.get(step.upload);
    if (upload === undefined) {
      if (step.frameIndex !== 0 || step.partIndex !== 0) return null; // The vault was reopened since the upload began.
      upload = { places: [], partCounts: [] };
      this.#uploads.set(step.upload, upload);
    }
    if (step.frameIndex === upload.places.length) {
      upload.places.push({ frameNo: this.#nextFrameNo++, segmentNo: await this.#segments.segmentForNewFrame() });
      upload.partCounts.push(0);
    }
    const place = assertDefined(upload.places[step.frameIndex], "frames of an upload come in order");
    assert(upload.partCounts[step.frameIndex] === step.partIndex, "parts of a frame come in order");
    upload.partCounts[step.frameIndex] = step.partIndex + 1;
    return place;
  }

  #abort(uploadNo: number): StepResult {
    this.#leftOvers.push(...(this.#uploads.get(uploadNo)?.places ?? []));
    this.#uploads.delete(uploadNo);
    return { kind: "done" };
  }

  /** Names the frames of an upload as records. Those that are stored already become left-overs. */
  async #finish(transaction: Parameters<typeof addRecords>[0], step: Extract<UploadStep, { kind: "finish" }>, named: Set<number>): Promise<StepResult> {
    const upload = this.#uploads.get(step.upload);
    if (upload === undefined) return { kind: "refused", fault: new Fault("transport", "upload: was interrupted, send it again") };
    this.#uploads.delete(step.upload);
    assert(upload.places.length === step.frames.length, "every frame of the upload has arrived");
    const { fresh, spare } = await this.#sortFrames(transaction, step.frames, upload);
    try {
      await requireLease(transaction, step.lease, step.device);
      await this.#checkQuota(transaction, fresh, step.quotaBytes);
    } catch (fault) {
      if (!(fault instanceof Fault) || fault instanceof DiskFault) throw fault;
      this.#leftOvers.push(...upload.places);
      return { kind: "refused", fault };
    }
    const nowMs = this.#options.clock.nowMs();
    await addRecords(transaction, fresh, step.device, nowMs);
    const present = await findFrames(
      transaction,
      step.frames.map((frame) => frame.id),
      false,
    );
    await renewLeases(transaction, [...present.values()], nowMs);
    for (const record of fresh) named.add(record.frameNo);
    this.#leftOvers.push(...spare);
    return { kind: "finished", stored: fresh.length, present: spare.length };
  }

  async #sortFrames(
    transaction: Parameters<typeof addRecords>[0],
    frames: readonly FinishedFrame[],
    upload: Upload,
  ): Promise<{ fresh: NewRecord[]; spare: FramePlace[] }> {
    const known = new Set(
      (
        await findFrames(
          transaction,
          frames.map((frame) => frame.id),
          false,
        )
      ).keys(),
    );
    const fresh: NewRecord[] = [];
    const spare: FramePlace[] = [];
    frames.forEach((frame, index) => {
      const place = assertDefined(upload.places[index], "a place for every frame");
      assert(upload.partCounts[index] === partCountOf(frame.byteCount), "every part of the frame has arrived");
      const hex = bytesToHex(frame.id);
      if (known.has(hex)) spare.push(place);
      else fresh.push({ ...frame, ...place });
      known.add(hex);
    });
    return { fresh, spare };
  }

  async #checkQuota(transaction: Parameters<typeof addRecords>[0], fresh: readonly NewRecord[], quotaBytes: number | null): Promise<void> {
    if (quotaBytes === null) return;
    const [state] = await transaction.select({ storedBytes: vaultState.storedBytes }).from(vaultState);
    const usedBytes = assertDefined(state, "the vault has a state").storedBytes;
    const wantedBytes = fresh.reduce((sum, record) => sum + record.byteCount, 0);
    if (usedBytes + wantedBytes <= quotaBytes) return;
    throw new Fault("quota", `account: over its quota, got ${usedBytes} + ${wantedBytes} bytes, want at most ${quotaBytes}`, {
      detail: { level: "account", usedBytes, wantedBytes, quotaBytes },
    });
  }

  /** State of the chain, verified from genesis the first time. */
  async #journal(): Promise<JournalState> {
    if (this.#journalState !== null) return this.#journalState;
    const rows = await this.#database.db.select({ frame: journal.entryFrame }).from(journal).orderBy(asc(journal.seq));
    let state = emptyJournal(this.#options.vault, this.#options.account);
    for (const row of rows) state = applyEntry(state, row.frame, nodeVerifier, true).state;
    this.#journalState = state;
    return state;
  }

  async #checkpointWhenDue(byteCount: number): Promise<void> {
    this.#bytesSinceCheckpoint += byteCount;
    if (this.#bytesSinceCheckpoint < CHECKPOINT_BYTES) return;
    this.#bytesSinceCheckpoint = 0;
    await checkpoint(this.#database);
  }
}

async function readOrCreateState(database: Database, options: VaultWriterOptions): Promise<typeof vaultState.$inferSelect> {
  const row = {
    id: 1,
    vaultId: options.vault,
    accountId: options.account,
    lineage: options.random.bytes(LINEAGE_BYTES),
    nextFrameNo: 1,
    storedBytes: 0,
    createdAtMs: options.clock.nowMs(),
  };
  await inTransaction(database, "vault", async (transaction) => {
    await transaction.insert(vaultState).values(row).onConflictDoNothing();
  });
  const [state] = await database.db.select().from(vaultState).where(eq(vaultState.id, sql`1`));
  const found = assertDefined(state, "the state was just inserted");
  if (bytesToHex(found.vaultId) !== bytesToHex(options.vault) || bytesToHex(found.accountId) !== bytesToHex(options.account)) {
    throw new Fault("integrity", "vault: its folder holds another vault");
  }
  return found;
}

async function checkFile(database: Database): Promise<void> {
  const { rows } = await database.client.execute("SELECT quick_check FROM pragma_quick_check LIMIT 1");
  if (rows[0]?.[0] !== "ok") throw new DiskFault("integrity", "vault: its database is damaged");
}
