/** Reading files of the state folder that hold secrets or are trusted: nobody but their owner may have been able to read or change them. */
import { type Bytes, type Disk, Fault } from "@holdfast/base";

export const OWN_FILE_MODE = 0o600;
export const OWN_FOLDER_MODE = 0o700;

const OTHERS = 0o077;

/** The file, or `null` when it is missing. Group or others having any right on it: `denied`, with the command that mends it. */
export function readOwnFile(disk: Disk, path: string, bytesMax: number): Bytes | null {
  const found = disk.stat(path);
  if (found === null) return null;
  if (found.kind !== "file") throw new Fault("input", `${path}: is no file`);
  if ((found.mode & OTHERS) !== 0) {
    const mode = found.mode.toString(8).padStart(4, "0");
    throw new Fault("denied", `${path}: open to others, got mode ${mode}, want 0600; mend with: chmod 600 ${path}; if others use this machine, enrol afresh`);
  }
  return disk.readFile(path, bytesMax);
}

/** The file with exactly `byteCount` bytes. Missing or of another length: a fault that says `mend`. */
export function requireOwnFile(disk: Disk, path: string, byteCount: number, mend: string): Bytes {
  const bytes = readOwnFile(disk, path, byteCount);
  if (bytes === null) throw new Fault("missing", `${path}: missing; ${mend}`);
  if (bytes.length !== byteCount) throw new Fault("format", `${path}: damaged, got ${bytes.length} bytes, want ${byteCount}; ${mend}`);
  return bytes;
}
