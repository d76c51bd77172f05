/** Opens folders by absolute path, also beyond the length that the system takes in one call. */
import type { FolderHandle, PlatformReader } from "../platform/index.ts";

/** Below PATH_MAX (4096 with its zero byte) whatever the last name. */
const PATH_BYTES_MAX = 3_800;
const SLASH = 0x2f;

export function openFolderDeep(platform: PlatformReader, path: Uint8Array): FolderHandle {
  if (path.length <= PATH_BYTES_MAX) return platform.openFolder(path);
  let end = path.lastIndexOf(SLASH, PATH_BYTES_MAX);
  let folder = platform.openFolder(path.subarray(0, end));
  while (end < path.length) {
    const start = end + 1;
    const next = path.indexOf(SLASH, start);
    end = next === -1 ? path.length : next;
    const child = platform.openFolderAt(folder, path.subarray(start, end));
    platform.closeFolder(folder);
    folder = child;
  }
  return folder;
}

/** `parent` and `name` joined by one slash. */
export function joinPath(parent: Uint8Array, name: Uint8Array): Uint8Array {
  const isRoot = parent.length === 1 && parent[0] === SLASH;
  const joined = new Uint8Array((isRoot ? 0 : parent.length) + 1 + name.length);
  if (!isRoot) joined.set(parent);
  joined[isRoot ? 0 : parent.length] = SLASH;
  joined.set(name, joined.length - name.length);
  return joined;
}
