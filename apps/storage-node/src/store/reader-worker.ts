/** The reader: a worker thread with connections that cannot write, so that reads do not wait for commits. */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { assertDefined, type Bytes, bytesToHex } from "@holdfast/base";
import { createSystemClock } from "@holdfast/base/node";
import type { DeviceId, RecordId, VaultId } from "@holdfast/protocol";
import { createMemoryHint } from "../memory-hint-bun.ts";
import {
  findDevice,
  findDeviceByCertificate,
  lastCertificateEnd,
  listDevices,
  listRevokedCertificates,
  listVaults,
  readAudit,
  readSetting,
} from "./catalog-reader.ts";
import { connectReader } from "./database.ts";
import { type RecordPlace, VaultReader } from "./vault-reader.ts";
import { type CallMessage, type CallPort, reply, replyFault } from "./worker-call.ts";

const systemClock = createSystemClock();

export interface ReaderOptions {
  readonly folder: string;
}

const OPEN_VAULTS_MAX = 64;
const HINT_BYTES = 8 * 1024 * 1024;

const options = workerData as ReaderOptions;
const port = assertDefined(parentPort, "runs as a worker") as unknown as CallPort;
const catalog = await connectReader(join(options.folder, "catalog.db"));
const vaults = new Map<string, VaultReader>();
const noteMemory = createMemoryHint(HINT_BYTES);

const methods = {
  deviceByCertificate: (spkiSha256: Bytes) => findDeviceByCertificate(catalog, spkiSha256),
  device: (device: DeviceId) => findDevice(catalog, device),
  lastCertificateEnd: (device: DeviceId) => lastCertificateEnd(catalog, device),
  devices: () => listDevices(catalog),
  revokedCertificates: () => listRevokedCertificates(catalog, systemClock.nowMs()),
  setting: (name: string) => readSetting(catalog, name),
  vaults: () => listVaults(catalog),
  audit: (afterSeq: number, countMax: number) => readAudit(catalog, afterSeq, countMax),
  place: async (vault: VaultId, id: RecordId) => (await openVault(vault)).place(id),
  part: async (vault: VaultId, place: RecordPlace, partIndex: number) => (await openVault(vault)).part(place, partIndex),
  changes: async (vault: VaultId, cursor: string) => (await openVault(vault)).changes(cursor),
  journal: async (vault: VaultId, afterSeq: number, bytesMax: number) => (await openVault(vault)).journal(afterSeq, bytesMax),
  storedBytes: async (vault: VaultId) => (await openVault(vault)).storedBytes(),
  async close(): Promise<void> {
    for (const vault of vaults.values()) vault.close();
    vaults.clear();
    catalog.close();
  },
};

export type ReaderMethods = typeof methods;

async function openVault(vault: VaultId): Promise<VaultReader> {
  const hex = bytesToHex(vault);
  const known = vaults.get(hex);
  vaults.delete(hex); // Back to the end: the order is that of last use.
  const reader = known ?? (await VaultReader.open(join(options.folder, "vaults", hex)));
  vaults.set(hex, reader);
  for (const [oldest, oldestReader] of vaults) {
    if (vaults.size <= OPEN_VAULTS_MAX) break;
    vaults.delete(oldest);
    oldestReader.close();
  }
  return reader;
}

async function answer({ id, method, args }: CallMessage): Promise<void> {
  try {
    const run = methods[method as keyof ReaderMethods] as (...args: readonly unknown[]) => Promise<unknown>;
    const value = await run(...args);
    if (value instanceof Uint8Array) noteMemory(value.length);
    reply(port, id, value, value instanceof Uint8Array ? [value.buffer as ArrayBuffer] : []);
  } catch (error) {
    replyFault(port, id, error);
  }
}

// One after the other: `openVault` must not close a reader that another call is using.
let last: Promise<void> = Promise.resolve();
port.on("message", (call: CallMessage) => {
  last = last.then(() => answer(call));
});
