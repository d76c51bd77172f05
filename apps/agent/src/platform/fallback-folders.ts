/**
 * Folder handles where the runtime has none: a path, and which folder it led to when it was opened.
 *
 * Before each use the path is looked up again and must lead to the same device and inode, so that a folder that was
 * swapped for a link in between is refused (`conflict`). Between that look and the use itself a moment remains: an
 * attacker who hits it wins. The native adapter has no such moment; `capabilities.raceFree` says so.
 */
import { lstatSync, statSync } from "node:fs";
import { Fault, utf8ToText } from "@holdfast/base";
import { type FolderHandle, type Handle, isPlainName, NAME_BYTES_MAX } from "./platform.ts";
import { errnoToNumber, platformFault } from "./platform-fault.ts";

export interface FallbackFolders {
  openPath(path: Uint8Array): FolderHandle;
  openAt(parent: FolderHandle, name: Uint8Array): FolderHandle;
  close(folder: FolderHandle): void;
  /** The path of the folder, just checked. */
  path(folder: FolderHandle): Buffer;
  /** The path of an entry in the folder, which was just checked. */
  entryPath(folder: FolderHandle, name: Uint8Array): Buffer;
}

interface OpenFolder {
  readonly path: Buffer;
  readonly device: bigint;
  readonly inode: bigint;
}

const SLASH: Buffer = Buffer.from("/");

/** @param keepsRawNames - Whether the runtime passes bytes on as they are; else names that are not UTF-8 are refused. */
export function createFallbackFolders(keepsRawNames: boolean): FallbackFolders {
  const openFolders = new Map<number, OpenFolder>();
  let lastHandle = 0; // Folder handles count down from -1; file handles are the runtime's own numbers, from 0 up.

  const requirePassable = (bytes: Uint8Array): void => {
    if (!keepsRawNames && utf8ToText(bytes) === null) throw platformFault("open", "EILSEQ");
  };
  const add = (path: Buffer, isLinkAllowed: boolean): FolderHandle => {
    const stat = guard("open", () => (isLinkAllowed ? statSync : lstatSync)(path, { bigint: true }));
    if (!stat.isDirectory()) throw platformFault("open", stat.isSymbolicLink() ? "ELOOP" : "ENOTDIR");
    lastHandle--;
    openFolders.set(lastHandle, { path, device: stat.dev, inode: stat.ino });
    return lastHandle as FolderHandle;
  };
  const checkedPath = (folder: FolderHandle): Buffer => {
    const open = openFolders.get(folder);
    if (open === undefined) throw platformFault("open", "EBADF");
    const stat = guard("open", () => statSync(open.path, { bigint: true }));
    if (stat.dev !== open.device || stat.ino !== open.inode) throw platformFault("open", "ESTALE");
    return open.path;
  };
  const entryPath = (folder: FolderHandle, name: Uint8Array): Buffer => {
    requireName(name);
    requirePassable(name);
    return Buffer.concat([checkedPath(folder), SLASH, name]);
  };

  return {
    openPath(path) {
      if (path.length === 0) throw platformFault("open", "ENOENT");
      if (path.includes(0)) throw platformFault("open", "EINVAL");
      requirePassable(path);
      return add(Buffer.from(path), true);
    },
    openAt: (parent, name) => add(entryPath(parent, name), false),
    close(folder) {
      if (!openFolders.delete(folder)) throw platformFault("close", "EBADF");
    },
    path: checkedPath,
    entryPath,
  };
}

export function isFolderHandle(handle: Handle): handle is FolderHandle {
  return handle < 0;
}

/** Runs `use` and turns what the runtime throws into a fault of this port. */
export function guard<T>(call: string, use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw toFault(call, error);
  }
}

/** The errno of a runtime's error as a number, for rows. */
export function errnoNumberOf(error: unknown): number {
  return errnoToNumber(errorCode(error) ?? "EIO");
}

function toFault(call: string, error: unknown): unknown {
  if (error instanceof Fault) return error;
  const code = errorCode(error);
  return code === null ? error : platformFault(call, code, error);
}

/** `ENOENT` and the like; the codes of wrong arguments (`ERR_...`) are our own bugs and stay what they are. */
function errorCode(error: unknown): string | null {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

function requireName(name: Uint8Array): void {
  if (name.length > NAME_BYTES_MAX) throw platformFault("open", "ENAMETOOLONG");
  if (!isPlainName(name)) {
    throw new Fault("input", "platform: not the name of an entry: empty, a dot step, or with a slash or zero byte", { detail: { errno: "EINVAL" } });
  }
}
