/** A Disk whose faults name the path: the port's own do not, since they may travel; what the agent says stays on this machine. */
import { type Disk, Fault, isFault } from "@holdfast/base";

export function createNamedDisk(disk: Disk): Disk {
  return {
    readFile: (path, bytesMax) => named(path, () => disk.readFile(path, bytesMax)),
    writeFile: (path, bytes, mode) => named(path, () => disk.writeFile(path, bytes, mode)),
    appendFile: (path, bytes, mode) => named(path, () => disk.appendFile(path, bytes, mode)),
    openFile: (path) => named(path, () => disk.openFile(path)),
    makeFile: (path, mode, old) => named(path, () => disk.makeFile(path, mode, old)),
    list: (path) => named(path, () => disk.list(path)),
    makeFolder: (path, mode) => named(path, () => disk.makeFolder(path, mode)),
    rename: (from, to) => named(to, () => disk.rename(from, to)),
    remove: (path) => named(path, () => disk.remove(path)),
    stat: (path) => named(path, () => disk.stat(path)),
    freeBytes: (path) => named(path, () => disk.freeBytes(path)),
  };
}

function named<Result>(path: string, use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Fault(error.code, `${path}: ${error.message}`, { cause: error, detail: error.detail });
  }
}
