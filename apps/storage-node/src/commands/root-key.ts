/** The root's key: locked with a passphrase, in the data folder or kept off the machine in a file that the operator brings. */
import { type Disk, Fault, utf8, utf8ToText } from "@holdfast/base";
import { type Authority, unlockPrivateKey } from "@holdfast/pki";
import { DataFolder, KEY_MODE } from "../data-folder.ts";

export const ROOT_KEY = "pki/root-key.locked.pem";

/** Where the root and its key are. */
export interface RootPlace {
  readonly disk: Disk;
  readonly data: string;
  /** File of the locked key, where it is kept off the data folder. */
  readonly rootKeyPath?: string | undefined;
}

const KEY_BYTES_MAX = 16 * 1024;

/** The root with its key. Whether they belong together shows when it signs. A key that is elsewhere: `missing`, saying how to bring it. */
export async function openRoot(place: RootPlace, passphrase: string): Promise<Authority> {
  const folder = new DataFolder(place.disk, place.data);
  return { certificatePem: folder.readText("pki/root.pem"), privateKeyPem: await unlockPrivateKey(readLockedKey(place, folder), passphrase) };
}

/** Writes a locked key to `path`, off the data folder. A file that is there: `conflict`. */
export function keepRootKeyAt(disk: Disk, path: string, lockedPem: string): void {
  requireFree(disk, path);
  disk.writeFile(path, utf8(lockedPem), KEY_MODE);
}

export function requireFree(disk: Disk, path: string): void {
  if (disk.stat(path) !== null) throw new Fault("conflict", `root key: ${path} is there already, want a new file`);
}

function readLockedKey({ disk, rootKeyPath }: RootPlace, folder: DataFolder): string {
  if (rootKeyPath === undefined) {
    if (!folder.list("pki").includes("root-key.locked.pem")) {
      throw new Fault("missing", "root key: is not in the data folder but kept elsewhere; bring it and give its place with --root-key FILE");
    }
    return folder.readText(ROOT_KEY);
  }
  const bytes = disk.readFile(rootKeyPath, KEY_BYTES_MAX);
  const text = bytes === null ? null : utf8ToText(bytes);
  if (text === null) throw new Fault("missing", `root key: cannot be read, got ${rootKeyPath}, want the locked key that init made`);
  return text;
}
