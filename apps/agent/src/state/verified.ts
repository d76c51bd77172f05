/** When a restore on this device last read back and compared everything it wrote. A cache: losing it only makes `doctor` ask for another. */
import { type Disk, isFault, utf8 } from "@holdfast/base";
import { z } from "zod";
import { parseJson } from "./identity.ts";
import { OWN_FILE_MODE, OWN_FOLDER_MODE } from "./own-file.ts";
import type { StatePaths } from "./state-paths.ts";

const FILE_BYTES_MAX = 1024;
const verifiedFile = z.strictObject({ atMs: z.int().min(0) });

/** Ms since 1970, or `null` when there is no record that can be read. */
export function readVerifiedMs(disk: Disk, paths: StatePaths): number | null {
  try {
    const bytes = disk.readFile(pathOf(paths), FILE_BYTES_MAX);
    if (bytes === null) return null;
    const parsed = verifiedFile.safeParse(parseJson(bytes, pathOf(paths)));
    return parsed.success ? parsed.data.atMs : null;
  } catch (error) {
    if (isFault(error)) return null;
    throw error;
  }
}

/** A state folder that takes no writing costs the record, not the restore that it is about. */
export function writeVerifiedMs(disk: Disk, paths: StatePaths, atMs: number): void {
  try {
    disk.makeFolder(paths.cache, OWN_FOLDER_MODE);
    disk.writeFile(pathOf(paths), utf8(`${JSON.stringify({ atMs: Math.floor(atMs) })}\n`), OWN_FILE_MODE);
  } catch (error) {
    if (!isFault(error)) throw error;
  }
}

function pathOf(paths: StatePaths): string {
  return `${paths.cache}/verified.json`;
}
