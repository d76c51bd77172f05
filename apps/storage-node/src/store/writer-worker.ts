/**
 * The one writer: a worker thread that owns every writing connection. Steps of uploads are committed in groups;
 * everything else runs by itself, in the order in which it came. An answer leaves after the commit's fsync.
 *
 * A vault in which a commit failed is closed and never written through the same connections again; the next call
 * opens it anew, which checks the file and removes what was left over.
 */
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assertDefined, type Bytes, bytesToHex, concatBytes, Fault, isFault } from "@holdfast/base";
import { createNodeDisk, createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { asSigningSeed, createSigner } from "@holdfast/crypto/signature";
import { type AccountId, type DeviceId, type LeaseId, splitRecordIds, type VaultId } from "@holdfast/protocol";
import { createMemoryHint } from "../memory-hint-bun.ts";
import { readAuditHeadFile, sealAuditHead, writeAuditHeadFile } from "./audit-head.ts";
import type { AuditSource } from "./audit-trail.ts";
import {
  type AuditEvent,
  addCertificate,
  addInvite,
  appendAudit,
  bindVault,
  type Enrolment,
  enroll,
  type NewCertificate,
  type NewInvite,
  putSetting,
  renameDevice,
  revokeDevice,
} from "./catalog-writer.ts";
import { checkpoint, connectWriter, DiskFault, inTransaction, type Transaction } from "./database.ts";
import { type GroupMembership, joinGroup } from "./group-writer.ts";
import { CATALOG_MIGRATIONS } from "./migrations.ts";
import { type StepResult, type UploadStep, VaultWriter } from "./vault-writer.ts";
import { type CallMessage, type CallPort, reply, replyFault } from "./worker-call.ts";

const systemClock = createSystemClock();
const systemRandom = createSystemRandom();
const systemDisk = createNodeDisk();

export interface WriterOptions {
  readonly folder: string;
  readonly reserveBytes: number;
  readonly segmentBytesMax: number;
  /** Ed25519 seed of the node's receipts. */
  readonly nodeSeed: Bytes;
}

/** A vault and the account that it belongs to. */
export interface VaultRef {
  readonly vault: VaultId;
  readonly account: AccountId;
}

/** Result of a step; a part's buffer comes back for reuse. */
export type StepReply = { readonly kind: "part"; readonly buffer: ArrayBuffer } | Exclude<StepResult, { kind: "refused" }>;

const GROUP_BYTES_MAX = 16 * 1024 * 1024;
const GROUP_WAIT_MS = 3;
const OPEN_VAULTS_MAX = 64;
const HINT_BYTES = 4 * 1024 * 1024;
/** A commit of the catalog writes a few pages of 16 KiB. */
const CATALOG_COMMITS_PER_CHECKPOINT = 64;

const options = workerData as WriterOptions;
const port = assertDefined(parentPort, "runs as a worker") as unknown as CallPort;
const nodeSigner = createSigner(asSigningSeed(options.nodeSeed));
const catalog = await connectWriter(join(options.folder, "catalog.db"), CATALOG_MIGRATIONS);
const vaults = new Map<string, VaultWriter>();
const noteMemory = createMemoryHint(HINT_BYTES);
const suspects = new Set<string>();
const refusedUploads = new Map<number, Fault>();

let catalogCommits = 0;

/** A transaction on the catalog. What it adds to the audit trail is signed in it, and the head's file follows the commit. */
async function catalogued<Result>(work: (transaction: Transaction) => Promise<Result>, fileHead?: Bytes | null): Promise<Result> {
  const { result, head } = await inTransaction(catalog, "catalog", async (transaction) => {
    const done = await work(transaction);
    return { result: done, head: await sealAuditHead(transaction, nodeSigner, systemClock.nowMs(), fileHead) };
  });
  if (head !== null) writeHeadFile(head);
  if (++catalogCommits % CATALOG_COMMITS_PER_CHECKPOINT === 0) await checkpoint(catalog);
  return result;
}

/** An older file still holds, so a disk that fails here undoes nothing and costs no answer. */
function writeHeadFile(head: Bytes): void {
  try {
    writeAuditHeadFile(systemDisk, options.folder, head);
  } catch (error) {
    process.stderr.write(`store: the file of the audit trail's head stays as it was: ${(error as Error).message}\n`);
  }
}

// A trail that was cut while the storage node was stopped is marked before anything is added to it.
await catalogued(() => Promise.resolve(), readAuditHeadFile(systemDisk, options.folder));

const methods = {
  /** Answers once the catalog is open. */
  ready: (): Promise<void> => Promise.resolve(),
  /** Handled in groups. */
  step: (_vault: VaultRef, _step: UploadStep): Promise<StepReply> => Promise.reject(new Error("steps are grouped")),
  lease: (ref: VaultRef, lease: LeaseId, device: DeviceId): Promise<number> => inVault(ref, (vault) => vault.lease(lease, device)),
  missing: (ref: VaultRef, ids: Bytes, lease: LeaseId, device: DeviceId): Promise<Bytes> =>
    inVault(ref, async (vault) => concatBytes(...(await vault.missing(splitRecordIds(ids), lease, device)))),
  async commit(ref: VaultRef, entry: Bytes, additions: Bytes, drops: Bytes, device: DeviceId): Promise<Bytes> {
    const { receipt, revokedDevice } = await inVault(ref, (vault) =>
      vault.commit({ entry, additions: splitRecordIds(additions), drops: splitRecordIds(drops), device }),
    );
    if (revokedDevice !== null) await catalogued((transaction) => revokeKnownDevice(transaction, revokedDevice));
    return receipt;
  },
  /** Creates the vault's folder, then binds it to the account. Again: no-op. */
  async createVault(ref: VaultRef): Promise<void> {
    await catalogued((transaction) => bindVault(transaction, ref.account, ref.vault));
    await inVault(ref, () => Promise.resolve());
  },
  /** With a group, the account is put into it in the same transaction. */
  addInvite: (invite: NewInvite, membership: GroupMembership | null = null): Promise<void> =>
    catalogued(async (transaction) => {
      await addInvite(transaction, invite);
      if (membership !== null) await joinGroup(transaction, membership);
    }),
  enroll: (enrolment: Enrolment) => catalogued((transaction) => enroll(transaction, enrolment)),
  addCertificate: (certificate: NewCertificate): Promise<void> => catalogued((transaction) => addCertificate(transaction, certificate)),
  revokeDevice: (device: DeviceId, by?: AuditSource): Promise<void> => catalogued((transaction) => revokeDevice(transaction, device, systemClock.nowMs(), by)),
  renameDevice: (device: DeviceId, label: string, by?: AuditSource): Promise<void> =>
    catalogued((transaction) => renameDevice(transaction, device, label, systemClock.nowMs(), by)),
  putSetting: (name: string, value: Bytes): Promise<void> => catalogued((transaction) => putSetting(transaction, name, value)),
  audit: (event: AuditEvent): Promise<void> => catalogued((transaction) => appendAudit(transaction, event)),
  async close(): Promise<void> {
    for (const vault of vaults.values()) await vault.close();
    vaults.clear();
    await checkpoint(catalog);
    catalog.close();
  },
};

export type WriterMethods = typeof methods;

/** A device that the journal knows need not be enrolled here: it may have been enrolled before a node was rebuilt. */
async function revokeKnownDevice(transaction: Transaction, device: DeviceId): Promise<void> {
  try {
    await revokeDevice(transaction, device, systemClock.nowMs());
  } catch (error) {
    if (!isFault(error, "missing")) throw error;
  }
}

async function inVault<Result>(ref: VaultRef, work: (vault: VaultWriter) => Promise<Result>): Promise<Result> {
  const vault = await openVault(ref);
  try {
    return await work(vault);
  } catch (error) {
    // A refusal left nothing behind; anything else may have.
    if (!isFault(error) || error instanceof DiskFault) abandon(ref);
    throw error;
  }
}

async function openVault(ref: VaultRef): Promise<VaultWriter> {
  const hex = bytesToHex(ref.vault);
  const known = vaults.get(hex);
  if (known !== undefined) {
    vaults.delete(hex); // Back to the end: the order is that of last use.
    vaults.set(hex, known);
    return known;
  }
  const vault = await VaultWriter.open({
    folder: join(options.folder, "vaults", hex),
    ...ref,
    segmentBytesMax: options.segmentBytesMax,
    clock: systemClock,
    random: systemRandom,
    nodeSigner,
    checkFile: suspects.has(hex),
  });
  suspects.delete(hex);
  vaults.set(hex, vault);
  await closeLeastUsed();
  return vault;
}

async function closeLeastUsed(): Promise<void> {
  for (const [hex, vault] of vaults) {
    if (vaults.size <= OPEN_VAULTS_MAX) return;
    if (!vault.isIdle) continue;
    vaults.delete(hex);
    await vault.close();
  }
}

function abandon(ref: VaultRef): void {
  const hex = bytesToHex(ref.vault);
  vaults.get(hex)?.abandon();
  vaults.delete(hex);
  suspects.add(hex);
}

interface StepCall {
  readonly id: number;
  readonly ref: VaultRef;
  readonly step: UploadStep;
}

async function commitGroup(group: readonly StepCall[]): Promise<void> {
  const byVault = Map.groupBy(group, (call) => bytesToHex(call.ref.vault));
  for (const calls of byVault.values()) {
    const accepted = calls.filter((call) => admit(call));
    for (const call of accepted) noteMemory(stepBytes(call));
    const ref = accepted[0]?.ref;
    if (ref === undefined) continue;
    try {
      const results = await inVault(ref, (vault) => vault.applySteps(accepted.map((call) => call.step)));
      for (const [index, call] of accepted.entries()) answerStep(call, assertDefined(results[index], "a result for every step"));
    } catch (error) {
      for (const call of accepted) replyFault(port, call.id, error);
    }
  }
}

/** Whether there is room for a step. An upload that was refused once stays refused until it is aborted. */
function admit({ id, step }: StepCall): boolean {
  if (step.kind === "abort") {
    refusedUploads.delete(step.upload);
    return true;
  }
  let fault = refusedUploads.get(step.upload);
  if (fault === undefined && step.kind === "part") {
    const { bavail, bsize } = statfsSync(options.folder);
    const freeBytes = bavail * bsize;
    if (freeBytes < options.reserveBytes + GROUP_BYTES_MAX) {
      const detail = { level: "node", freeBytes, reserveBytes: options.reserveBytes };
      fault = new Fault("quota", `storage node: disk nearly full, got ${freeBytes} bytes free, keeps ${options.reserveBytes} in reserve`, { detail });
      refusedUploads.set(step.upload, fault);
    }
  }
  if (fault === undefined) return true;
  replyFault(port, id, fault);
  return false;
}

function answerStep(call: StepCall, result: StepResult): void {
  if (result.kind === "refused") replyFault(port, call.id, result.fault);
  else if (call.step.kind === "part") reply(port, call.id, { kind: "part", buffer: call.step.bytes.buffer } satisfies StepReply, [call.step.bytes.buffer]);
  else reply(port, call.id, result satisfies StepReply);
}

const inbox: CallMessage[] = [];
let wake: (() => void) | null = null;

port.on("message", (call: CallMessage) => {
  inbox.push(call);
  wake?.();
});

/** Resolves when something is in the inbox, or after `waitMs`. */
function arrival(waitMs: number | null): Promise<void> {
  if (inbox.length > 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = waitMs === null ? null : setTimeout(() => wake?.(), waitMs);
    wake = () => {
      if (timer !== null) clearTimeout(timer);
      wake = null;
      resolve();
    };
  });
}

async function takeGroup(first: CallMessage): Promise<StepCall[]> {
  const group = [toStepCall(first)];
  let byteCount = stepBytes(group[0] as StepCall);
  while (byteCount < GROUP_BYTES_MAX) {
    await arrival(GROUP_WAIT_MS);
    if (inbox[0]?.method !== "step") break; // Nothing came in time, or something else: it waits for this group.
    const call = toStepCall(inbox.shift() as CallMessage);
    byteCount += stepBytes(call);
    group.push(call);
  }
  return group;
}

function toStepCall({ id, args }: CallMessage): StepCall {
  return { id, ref: args[0] as VaultRef, step: args[1] as UploadStep };
}

function stepBytes({ step }: StepCall): number {
  return step.kind === "part" ? step.bytes.length : 0;
}

async function removeLeftOvers(): Promise<void> {
  for (const [hex, vault] of [...vaults]) {
    if (inbox.length > 0) return;
    if (!vault.hasLeftOvers) continue;
    try {
      await vault.removeLeftOvers();
    } catch (error) {
      process.stderr.write(`store: left-overs of a vault stay for now: ${(error as Error).message}\n`);
      vault.abandon();
      vaults.delete(hex);
      suspects.add(hex);
    }
  }
}

async function answer({ id, method, args }: CallMessage): Promise<void> {
  try {
    const run = methods[method as keyof WriterMethods] as (...args: readonly unknown[]) => Promise<unknown>;
    reply(port, id, await run(...args));
  } catch (error) {
    replyFault(port, id, error);
  }
}

for (;;) {
  await arrival(null);
  const call = inbox.shift() as CallMessage;
  if (call.method === "step") await commitGroup(await takeGroup(call));
  else await answer(call);
  if (call.method === "close") break;
  if (inbox.length === 0) await removeLeftOvers();
}
