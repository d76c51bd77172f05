/** A store in a temporary folder with one account and vault, and an owner and device that can write its journal: for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bytes, concatBytes, equalBytes } from "@holdfast/base";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { sha256 } from "@holdfast/crypto/hash";
import { asSigningSeed, createSigner, generateSigningKey, type Signer } from "@holdfast/crypto/signature";
import {
  type AccountId,
  asAccountId,
  asDeviceId,
  asLeaseId,
  asLineId,
  asRecordId,
  asVaultId,
  type DeviceId,
  digestRecordIds,
  type EntryBody,
  encodeEntryPayload,
  encodeFrame,
  encodeJournalEntry,
  type LeaseId,
  type LineId,
  OWNER_KINDS,
  type RecordId,
  type RecordKind,
  type RecordsAnswer,
  verifyReceipt,
} from "@holdfast/protocol";
import { BodyBudget } from "../body-budget.ts";
import { openStore, type Store, type StoreOptions } from "../store/store.ts";
import type { VaultRef } from "../store/writer-worker.ts";
import { receiveRecords } from "../upload.ts";
import { nodeVerifier } from "../verifier.ts";

const systemClock = createSystemClock();
const systemRandom = createSystemRandom();

export interface TestFrame {
  readonly id: RecordId;
  readonly frame: Bytes;
}

/** A frame of `kind` whose body is `bodyBytes` random bytes. */
export function randomFrame(kind: RecordKind, bodyBytes: number): TestFrame {
  return frameOf(kind, systemRandom.bytes(Math.max(bodyBytes, 1)));
}

export function frameOf(kind: RecordKind, body: Bytes): TestFrame {
  const frame = encodeFrame(kind, kind === 2 ? 0 : 1, 0, body);
  return { id: asRecordId(sha256(frame)), frame };
}

/** Keys that a test may fix. */
export interface FixtureKeys {
  readonly owner: Signer;
  readonly device: Signer;
  readonly account: AccountId;
  readonly nodeSeed: Bytes;
}

export interface FixtureOptions extends Partial<StoreOptions> {
  readonly keys?: FixtureKeys;
  readonly lease?: LeaseId;
}

/** Who writes: keys of an owner and of one device, and the chain as they know it. */
export class TestAccount {
  readonly owner: Signer;
  readonly deviceSigner: Signer;
  readonly account: AccountId;
  readonly vault: VaultRef["vault"];
  readonly device: DeviceId;
  head: { seq: number; entry: RecordId } | null = null;
  lastReceipt: RecordId | null = null;

  constructor(keys: Partial<FixtureKeys> = {}) {
    this.owner = keys.owner ?? createSigner(generateSigningKey(systemRandom).seed);
    this.deviceSigner = keys.device ?? createSigner(generateSigningKey(systemRandom).seed);
    this.account = keys.account ?? asAccountId(systemRandom.bytes(16));
    this.vault = asVaultId(sha256(this.owner.publicKey).slice(0, 16));
    this.device = asDeviceId(sha256(this.deviceSigner.publicKey).slice(0, 16));
  }

  get ref(): VaultRef {
    return { vault: this.vault, account: this.account };
  }

  /** Signs the next entry of the chain. */
  sign(body: EntryBody, place?: { seq: number; previous: RecordId | null }): Bytes {
    const seq = place?.seq ?? (this.head === null ? 0 : this.head.seq + 1);
    const previous = place === undefined ? (this.head?.entry ?? null) : place.previous;
    const payload = encodeEntryPayload({ vault: this.vault, account: this.account, device: this.device, seq, previous, timeMs: 1_800_000_000_000 + seq, body });
    const ownerSignature = OWNER_KINDS.has(body.kind) ? this.owner.sign("owner", payload) : null;
    return encodeJournalEntry(payload, this.deviceSigner.sign("journal", payload), ownerSignature);
  }

  /** Notes that `entry` was accepted, after verifying its receipt. */
  accept(entry: Bytes, receipt: Bytes, nodeKey: Uint8Array): void {
    const id = asRecordId(sha256(entry));
    const seq = this.head === null ? 0 : this.head.seq + 1;
    const verified = verifyReceipt(receipt, nodeKey, { vault: this.vault, seq, entry: id, previous: this.lastReceipt }, nodeVerifier);
    this.head = { seq, entry: id };
    this.lastReceipt = verified.receipt;
  }

  genesis(config: RecordId): EntryBody {
    return { kind: 1, ownerKey: this.owner.publicKey, containerKey: systemRandom.bytes(32), config, deviceKey: this.deviceSigner.publicKey };
  }

  admission(): EntryBody {
    return { kind: 2, deviceKey: this.deviceSigner.publicKey, roles: ["agent", "maintainer"], label: "first" };
  }

  snapshot(
    record: RecordId,
    options: {
      base?: RecordId | null;
      count: number;
      additions: readonly RecordId[];
      drops?: readonly RecordId[];
      line?: LineId;
      supersedes?: RecordId;
      complete?: boolean;
    },
  ): EntryBody {
    return {
      kind: 9,
      snapshot: record,
      line: options.line ?? asLineId(new Uint8Array(32).fill(7)),
      complete: options.complete ?? true,
      needs: {
        base: options.base ?? null,
        count: options.count,
        additionsDigest: digestRecordIds(options.additions, nodeVerifier.sha256),
        dropsDigest: digestRecordIds(options.drops ?? [], nodeVerifier.sha256),
      },
      supersedes: options.supersedes ?? null,
    };
  }
}

export class VaultFixture implements AsyncDisposable {
  readonly folder: string;
  readonly nodeSigner: Signer;
  readonly account: TestAccount;
  readonly budget: BodyBudget = new BodyBudget(systemClock, 48 * 1024 * 1024, 5000);
  readonly lease: LeaseId;
  store!: Store;
  readonly #options: Partial<StoreOptions>;
  readonly #nodeSeed: Bytes;

  private constructor(folder: string, { keys, lease, ...options }: FixtureOptions) {
    this.folder = folder;
    this.account = new TestAccount(keys);
    this.lease = lease ?? asLeaseId(systemRandom.bytes(16));
    this.#options = options;
    this.#nodeSeed = keys?.nodeSeed ?? systemRandom.bytes(32);
    this.nodeSigner = createSigner(asSigningSeed(this.#nodeSeed));
  }

  static async create(options: FixtureOptions = {}): Promise<VaultFixture> {
    const fixture = new VaultFixture(options.folder ?? mkdtempSync(join(tmpdir(), "holdfast-store-")), options);
    await fixture.open();
    await fixture.store.writer.call("addInvite", [
      {
        secret: systemRandom.bytes(16),
        accountName: "test",
        edition: "ese",
        quotaBytes: null,
        roles: ["agent"],
        accountId: fixture.account.account,
        nowMs: 1,
        expiresAtMs: 2,
      },
    ]);
    await fixture.store.writer.call("createVault", [fixture.account.ref]);
    await fixture.store.writer.call("lease", [fixture.account.ref, fixture.lease, fixture.account.device]);
    return fixture;
  }

  async open(options: Partial<StoreOptions> = {}): Promise<void> {
    this.store = await openStore({ reserveBytes: 0, ...this.#options, ...options, folder: this.folder, nodeSeed: this.#nodeSeed });
  }

  async reopen(options: Partial<StoreOptions> = {}): Promise<void> {
    await this.store.close();
    await this.open(options);
  }

  put(
    frames: readonly TestFrame[],
    options: { pieceBytes?: number; digest?: Bytes; quotaBytes?: number; body?: Bytes; lease?: LeaseId } = {},
  ): Promise<RecordsAnswer> {
    const body = options.body ?? concatBytes(...frames.map((frame) => frame.frame));
    const idsDigest = options.digest ?? sha256(concatBytes(...frames.map((frame) => frame.id)));
    return this.putBody(inPieces(body, options.pieceBytes ?? 65_536), { ...options, digest: idsDigest });
  }

  putBody(body: AsyncIterable<Uint8Array>, options: { digest?: Bytes; quotaBytes?: number; lease?: LeaseId } = {}): Promise<RecordsAnswer> {
    const { account, lease } = this;
    const context = {
      ref: account.ref,
      device: account.device,
      lease: options.lease ?? lease,
      quotaBytes: options.quotaBytes ?? null,
      idsDigest: options.digest ?? new Uint8Array(32),
    };
    return receiveRecords(body, context, this.store, this.budget);
  }

  /** The whole frame under `id`, or `null`. */
  async get(id: RecordId): Promise<Bytes | null> {
    const { vault } = this.account;
    const place = await this.store.reader.call("place", [vault, id]);
    if (place === null) return null;
    const parts: Bytes[] = [];
    for (let index = 0, byteCount = 0; byteCount < place.byteCount; index++) {
      const part = await this.store.reader.call("part", [vault, place, index]);
      parts.push(part);
      byteCount += part.length;
    }
    return concatBytes(...parts);
  }

  async has(frame: TestFrame): Promise<boolean> {
    const stored = await this.get(frame.id);
    return stored !== null && equalBytes(stored, frame.frame);
  }

  async missing(ids: readonly RecordId[]): Promise<Bytes> {
    return this.store.writer.call("missing", [this.account.ref, concatBytes(...ids), this.lease, this.account.device]);
  }

  /** Commits an entry as the account's device; its receipt is verified. */
  async commit(body: EntryBody, additions: readonly RecordId[] = [], drops: readonly RecordId[] = []): Promise<RecordId> {
    const entry = this.account.sign(body);
    const receipt = await this.commitBytes(entry, additions, drops);
    this.account.accept(entry, receipt, this.nodeSigner.publicKey);
    return asRecordId(sha256(entry));
  }

  commitBytes(entry: Bytes, additions: readonly RecordId[] = [], drops: readonly RecordId[] = []): Promise<Bytes> {
    return this.store.writer.call("commit", [this.account.ref, entry, concatBytes(...additions), concatBytes(...drops), this.account.device]);
  }

  /** Genesis and the first device's admission. */
  async found(): Promise<void> {
    const config = randomFrame(1, 100);
    await this.put([config]);
    await this.commit(this.account.genesis(config.id));
    await this.commit(this.account.admission());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function* inPieces(bytes: Bytes, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += pieceBytes) yield bytes.subarray(offset, offset + pieceBytes);
}
