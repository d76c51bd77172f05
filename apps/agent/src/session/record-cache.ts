/** Small records (config, snapshots) kept as frames in the cache folder, named by their id, which proves them when they are opened. */
import { type Bytes, bytesToHex, type Disk, equalBytes, Fault, isFault } from "@holdfast/base";
import { sha256 } from "@holdfast/crypto";
import { FRAME_BYTES_MAX, type RecordId, type RecordStore } from "@holdfast/protocol";
import { OWN_FILE_MODE, OWN_FOLDER_MODE } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";

/** The frame of `id`, from the cache or from the node, proven by its hash. Nowhere: `missing`. */
export async function cachedRecord(disk: Disk, paths: StatePaths, store: RecordStore, id: RecordId, what: string): Promise<Bytes> {
  const folder = `${paths.cache}/records`;
  const path = `${folder}/${bytesToHex(id)}`;
  const cached = readQuietly(disk, path);
  if (cached !== null && equalBytes(sha256(cached), id)) return cached;
  const frame = await store.get(id);
  if (frame === null) throw new Fault("missing", `${what}: the storage node does not have its record ${bytesToHex(id).slice(0, 8)}, which the journal names`);
  try {
    disk.makeFolder(folder, OWN_FOLDER_MODE);
    disk.writeFile(path, frame, OWN_FILE_MODE);
  } catch (error) {
    if (!isFault(error)) throw error; // Without room for a cache it is fetched each time.
  }
  return frame;
}

/** Removes cached records that `keep` does not name, by hex. */
export function tidyRecordCache(disk: Disk, paths: StatePaths, keep: ReadonlySet<string>): void {
  for (const name of disk.list(`${paths.cache}/records`) ?? []) if (!keep.has(name)) disk.remove(`${paths.cache}/records/${name}`);
}

function readQuietly(disk: Disk, path: string): Bytes | null {
  try {
    return disk.readFile(path, FRAME_BYTES_MAX);
  } catch (error) {
    if (!isFault(error)) throw error;
    return null;
  }
}
