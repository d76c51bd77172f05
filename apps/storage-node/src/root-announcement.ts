/** Telling agents of the root that is to follow (commands/ca.ts), over the channel that the present one authenticates. */
import { bytesToHex } from "@holdfast/base";
import { type NextRoot, spkiHashOfCertificate } from "@holdfast/pki";
import type { DeviceId } from "@holdfast/protocol";
import type { DataFolder } from "./data-folder.ts";
import type { Store } from "./store/store.ts";

/** There while a change of root is under way. */
export const NEXT_ROOT_STATE = "next.json";

/** The root that is to follow, or `null` while none is. */
export function readNextRoot(folder: DataFolder): NextRoot | null {
  if (!folder.list("pki").includes(NEXT_ROOT_STATE)) return null;
  return {
    root: folder.readText("pki/next-root.pem"),
    cross: folder.readText("pki/next-root-cross.pem"),
    intermediate: folder.readText("pki/next-intermediate.pem"),
  };
}

/** Notes that `device` is told of `next`: those that never were are named when the old root is dropped. */
export async function noteTold(store: Store, device: DeviceId, next: NextRoot): Promise<void> {
  await store.writer.call("putSetting", [toldRootSetting(bytesToHex(device)), await spkiHashOfCertificate(next.root)]);
}

/** Name of the setting that holds the hash of the newest root that a device was told of. */
export function toldRootSetting(deviceHex: string): string {
  return `told-root/${deviceHex}`;
}
