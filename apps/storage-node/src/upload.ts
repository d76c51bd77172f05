/**
 * Body of `POST records`: a CBOR sequence of frames, streamed into the store part by part.
 *
 * Each byte is hashed once, while it arrives. Nothing becomes a record before the whole body is here, every frame has
 * the form of one, and the ids in their order have the digest that the request's signature covers.
 */
import { assert, type Bytes, concatBytes, equalBytes, Fault } from "@holdfast/base";
import { createSha256, type Hasher, sha256 } from "@holdfast/crypto/hash";
import {
  asRecordId,
  type DeviceId,
  FRAME_HEAD_BYTES_MAX,
  FRAME_PART_BYTES,
  type LeaseId,
  parseFrameHead,
  RECORD_KINDS,
  RECORDS_PER_REQUEST_MAX,
  type RecordsAnswer,
  SLOT_BYTES_MAX,
} from "@holdfast/protocol";
import type { BodyBudget } from "./body-budget.ts";
import type { Store } from "./store/store.ts";
import type { FinishedFrame, UploadStep } from "./store/vault-writer.ts";
import type { StepReply, VaultRef } from "./store/writer-worker.ts";

export interface UploadContext {
  readonly ref: VaultRef;
  readonly device: DeviceId;
  readonly lease: LeaseId;
  readonly quotaBytes: number | null;
  /** SHA-256 of the record ids, joined in the order of the frames. */
  readonly idsDigest: Bytes;
}

let uploadCount = 0;

/** Stores the frames in `body`; resolves once they are durable. */
export async function receiveRecords(body: AsyncIterable<Uint8Array>, context: UploadContext, store: Store, budget: BodyBudget): Promise<RecordsAnswer> {
  const upload = new Upload(context, store, budget);
  try {
    for await (const bytes of body) await upload.take(bytes);
    return await upload.finish();
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

/** The frame that is arriving. */
interface OpenFrame {
  readonly kind: number;
  readonly byteCount: number;
  readonly hasher: Hasher;
  takenBytes: number;
  partIndex: number;
  part: Bytes | null;
  partBytes: number;
}

class Upload {
  readonly #number: number = uploadCount++;
  readonly #context: UploadContext;
  readonly #store: Store;
  readonly #budget: BodyBudget;
  readonly #frames: FinishedFrame[] = [];
  readonly #sent: Promise<unknown>[] = [];
  #head: number[] = [];
  #frame: OpenFrame | null = null;
  #failure: unknown = null;

  constructor(context: UploadContext, store: Store, budget: BodyBudget) {
    this.#context = context;
    this.#store = store;
    this.#budget = budget;
  }

  async take(bytes: Uint8Array): Promise<void> {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#frame === null) {
        this.#head.push(bytes[offset++] as number);
        await this.#openFrame();
      } else {
        const end = Math.min(bytes.length, offset + this.#frame.byteCount - this.#frame.takenBytes);
        await this.#takeFrameBytes(this.#frame, bytes.subarray(offset, end));
        offset = end;
      }
    }
  }

  async finish(): Promise<RecordsAnswer> {
    if (this.#frame !== null || this.#head.length > 0) throw new Fault("format", "records: body ends within a frame");
    if (this.#frames.length === 0) throw new Fault("format", "records: body is empty");
    if (!equalBytes(sha256(concatBytes(...this.#frames.map((frame) => frame.id))), this.#context.idsDigest)) {
      throw new Fault("integrity", "records: frames do not have the ids that were signed");
    }
    const { lease, device, quotaBytes } = this.#context;
    const finished = this.#step({ kind: "finish", upload: this.#number, frames: this.#frames, lease, device, quotaBytes });
    const [result] = await Promise.all([finished, ...this.#sent]);
    if (this.#failure !== null) throw this.#failure;
    assert(result.kind === "finished", "finish is answered by its counts");
    return { stored: result.stored, present: result.present };
  }

  /** Removes what was staged. Its own failure adds nothing to the one that led here. */
  async abort(): Promise<void> {
    if (this.#frame?.part != null) this.#budget.release(this.#frame.part);
    this.#frame = null;
    await Promise.allSettled(this.#sent);
    if (this.#sent.length > 0) await this.#step({ kind: "abort", upload: this.#number }).catch(() => undefined);
  }

  async #openFrame(): Promise<void> {
    const head = Uint8Array.from(this.#head);
    const parsed = parseFrameHead(head);
    if (parsed === null) {
      assert(head.length < FRAME_HEAD_BYTES_MAX, "a whole head always parses");
      return;
    }
    if (parsed.kind === RECORD_KINDS.journalEntry || parsed.kind === RECORD_KINDS.receipt) {
      throw new Fault("denied", "records: journal entries and receipts have a route of their own");
    }
    const byteCount = parsed.bodyOffset + parsed.bodyBytes;
    if (parsed.kind === RECORD_KINDS.slot && byteCount > SLOT_BYTES_MAX)
      throw new Fault("limit", `slot: got ${byteCount} bytes, want at most ${SLOT_BYTES_MAX}`);
    if (this.#frames.length >= RECORDS_PER_REQUEST_MAX) throw new Fault("limit", `records: want at most ${RECORDS_PER_REQUEST_MAX} in a request`);
    this.#head = [];
    this.#frame = { kind: parsed.kind, byteCount, hasher: createSha256(), takenBytes: 0, partIndex: 0, part: null, partBytes: 0 };
    await this.#takeFrameBytes(this.#frame, head);
  }

  async #takeFrameBytes(frame: OpenFrame, bytes: Uint8Array): Promise<void> {
    frame.hasher.update(bytes);
    let offset = 0;
    while (offset < bytes.length) {
      const partBytesMax = Math.min(FRAME_PART_BYTES, frame.byteCount - frame.partIndex * FRAME_PART_BYTES);
      frame.part ??= await this.#budget.acquire(partBytesMax);
      const taken = bytes.subarray(offset, offset + partBytesMax - frame.partBytes);
      frame.part.set(taken, frame.partBytes);
      frame.partBytes += taken.length;
      frame.takenBytes += taken.length;
      offset += taken.length;
      if (frame.partBytes === partBytesMax) this.#sendPart(frame);
    }
    if (frame.takenBytes === frame.byteCount) {
      this.#frames.push({ id: asRecordId(frame.hasher.digest()), kind: frame.kind, byteCount: frame.byteCount });
      this.#frame = null;
    }
  }

  #sendPart(frame: OpenFrame): void {
    const part = frame.part as Bytes;
    const byteCount = frame.partBytes;
    const bytes = part.subarray(0, byteCount);
    const step = { kind: "part", upload: this.#number, frameIndex: this.#frames.length, partIndex: frame.partIndex, bytes } as const;
    frame.part = null;
    frame.partBytes = 0;
    frame.partIndex++;
    this.#sent.push(
      this.#step(step, [part.buffer]).then(
        (result) => {
          assert(result.kind === "part", "a part is answered by its buffer");
          this.#budget.release(new Uint8Array(result.buffer));
        },
        (error) => {
          this.#failure ??= error;
          this.#budget.lose(byteCount);
        },
      ),
    );
  }

  #step(step: UploadStep, transfer: readonly ArrayBuffer[] = []): Promise<StepReply> {
    return this.#store.writer.call("step", [this.#context.ref, step], transfer);
  }
}
