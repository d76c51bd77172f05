/** The store of a node that is stopped, for commands that need a row or two of it. */
import { bytesToHex, Fault, hexToBytes } from "@holdfast/base";
import { fingerprintWords } from "@holdfast/pki";
import type { DataFolder } from "../data-folder.ts";
import type { DeviceRow } from "../store/catalog-reader.ts";
import { openStore, type Store } from "../store/store.ts";

/** Account of the operator's own device, which `init` enrols. */
export const OPERATORS = "operators";

/** Opens the store for as long as `use` takes. Only for whoever owns the folder. */
export async function withStore<Result>(folder: DataFolder, use: (store: Store) => Promise<Result>): Promise<Result> {
  const store = await openStore({ folder: folder.storePath, nodeSeed: folder.read("keys/node.seed") });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Devices that hold certificates of this node, the operator's own aside. */
export async function listOthersDevices(store: Store): Promise<DeviceRow[]> {
  return (await store.reader.call("devices", [])).filter(({ account, revokedAtMs }) => account !== OPERATORS && revokedAtMs === null);
}

/** A row in the audit trail about the node's authority. */
export async function noteAuthority(store: Store, atMs: number, subject: string): Promise<void> {
  await store.writer.call("audit", [{ atMs: Math.floor(atMs), actor: "operator", action: "authority-rotated", subject, origin: "local", result: "done" }]);
}

/** Fingerprint words of a device id in hex: those that the device shows itself. */
export function deviceWords(deviceHex: string): string {
  const bytes = hexToBytes(deviceHex);
  if (bytes === null) throw new Fault("internal", "device: its id is not hex");
  return fingerprintWords(bytes);
}

/** A root as operators and agents compare it. */
export function rootNames(spkiSha256: Uint8Array): { readonly rootSpkiSha256: string; readonly rootWords: string } {
  return { rootSpkiSha256: bytesToHex(spkiSha256), rootWords: fingerprintWords(spkiSha256) };
}
