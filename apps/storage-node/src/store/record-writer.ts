/** Writes of records, staging and leases: every function needs a transaction on vault.db. */
import { bytesToHex, Fault } from "@holdfast/base";
import { type DeviceId, FRAME_PART_BYTES, LEASE_MS, type LeaseId, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import { and, eq, inArray, lt, sql } from "drizzle-orm";
import type { Transaction } from "./database.ts";
import type { FramePlace } from "./segment-writer.ts";
import { changes, leases, records, staging, vaultState } from "./vault-schema.ts";

/** A record whose parts are durable already. */
export interface NewRecord extends FramePlace {
  readonly id: RecordId;
  readonly kind: number;
  readonly byteCount: number;
}

/** Ids in one SQL list. */
const LIST_COUNT_MAX = 500;
/** A lease is written anew only when the stored one is older than this: most `have` calls then write nothing. */
const LEASE_GRAIN_MS = 86_400_000;

/** Opens a lease under `lease`, or renews it. One of another device: `denied`. */
export async function putLease(transaction: Transaction, lease: LeaseId, device: DeviceId, nowMs: number): Promise<number> {
  const [known] = await transaction.select().from(leases).where(eq(leases.leaseId, lease));
  if (known === undefined) await transaction.insert(leases).values({ leaseId: lease, deviceId: device, openedAtMs: nowMs, renewedAtMs: nowMs });
  else if (bytesToHex(known.deviceId) !== bytesToHex(device)) throw new Fault("denied", "lease: belongs to another device");
  else await transaction.update(leases).set({ renewedAtMs: nowMs }).where(eq(leases.leaseId, lease));
  return nowMs + LEASE_MS;
}

/** Refuses a lease that this device did not open. */
export async function requireLease(transaction: Transaction, lease: LeaseId, device: DeviceId): Promise<void> {
  const [known] = await transaction.select({ deviceId: leases.deviceId }).from(leases).where(eq(leases.leaseId, lease));
  if (known === undefined || bytesToHex(known.deviceId) !== bytesToHex(device)) throw new Fault("missing", "lease: unknown, open one first");
}

/** Frame numbers of those of `ids` that are stored, by hex id. Cold ones are left out when `hotOnly`. */
export async function findFrames(transaction: Transaction, ids: readonly RecordId[], hotOnly: boolean): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const list of slices(ids)) {
    const rows = await transaction
      .select({ id: records.recordId, frameNo: records.frameNo, tier: records.tier })
      .from(records)
      .where(inArray(records.recordId, list));
    for (const row of rows) if (row.tier === 0 || !hotOnly) found.set(bytesToHex(row.id), row.frameNo);
  }
  return found;
}

/** Keeps frames from a sweep until `LEASE_MS` from now. */
export async function renewLeases(transaction: Transaction, frameNos: readonly number[], nowMs: number): Promise<void> {
  const untilMs = nowMs + LEASE_MS;
  for (const list of slices(frameNos)) {
    await transaction
      .update(records)
      .set({ leasedUntilMs: untilMs })
      .where(and(inArray(records.frameNo, list), lt(records.leasedUntilMs, untilMs - LEASE_GRAIN_MS)));
  }
}

/** Names frames as records, in order. All of them are new to this vault. */
export async function addRecords(transaction: Transaction, added: readonly NewRecord[], device: DeviceId, nowMs: number): Promise<void> {
  const row = { deviceId: device, receivedAtMs: nowMs, leasedUntilMs: nowMs + LEASE_MS, tier: 0 };
  for (const { id, kind, byteCount, segmentNo, frameNo } of added) {
    await transaction.insert(records).values({ ...row, frameNo, segmentNo, recordId: id, kind, byteCount });
    if (kind === RECORD_KINDS.contentIndex || kind === RECORD_KINDS.structureIndex) {
      await transaction.insert(changes).values({ op: "added", recordId: id, kind, byteCount, tier: 0 });
    }
  }
  const byteCount = added.reduce((sum, record) => sum + record.byteCount, 0);
  if (byteCount > 0) await transaction.update(vaultState).set({ storedBytes: sql`${vaultState.storedBytes} + ${byteCount}` });
}

/** Remembers frames whose parts are durable and unnamed. */
export async function addStaging(transaction: Transaction, places: readonly FramePlace[]): Promise<void> {
  for (const list of slices(places))
    await transaction
      .insert(staging)
      .values([...list])
      .onConflictDoNothing();
}

export async function removeStaging(transaction: Transaction, frameNos: readonly number[]): Promise<void> {
  for (const list of slices(frameNos)) await transaction.delete(staging).where(inArray(staging.frameNo, list));
}

/** Parts that a frame of `byteCount` bytes is stored in. */
export function partCountOf(byteCount: number): number {
  return Math.ceil(byteCount / FRAME_PART_BYTES);
}

export function* slices<Item>(items: readonly Item[]): Generator<Item[]> {
  for (let start = 0; start < items.length; start += LIST_COUNT_MAX) yield items.slice(start, start + LIST_COUNT_MAX);
}
