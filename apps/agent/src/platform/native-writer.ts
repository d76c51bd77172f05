/** The restoring half of the native adapter: every call names a folder handle and one step, and no step follows a link. */
import { readFileSync } from "node:fs";
import { AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, type Linux, lastFault } from "./linux-calls.ts";
import type { NativeContext } from "./native-reader.ts";
import { retry } from "./native-reader.ts";
import { CREATE_MODE_BITS, type FileHandle, type PlatformWriter, type Special } from "./platform.ts";
import { platformFault } from "./platform-fault.ts";

const SPECIAL_FORMATS: Readonly<Record<Special["kind"], number>> = {
  fifo: 0o010000,
  "char-device": 0o020000,
  "block-device": 0o060000,
  socket: 0o140000,
};
const DEVICE_MAJOR_MAX = 0xfff; // 12 and 20 bits: Linux since 2.6 (include/linux/kdev_t.h).
const DEVICE_MINOR_MAX = 0xfffff;

export function createNativeWriter(context: NativeContext): PlatformWriter {
  const { linux, memory, xattrs, flags } = context;
  const { calls } = linux;
  const umask = readUmask();
  const done = (call: string, result: number): void => {
    if (result < 0) throw lastFault(linux, call);
  };
  return {
    makeFolderAt(parent, name, mode) {
      const wanted = mode & CREATE_MODE_BITS;
      const path = memory.name(name);
      done("mkdir", calls.mkdirat(parent, path, wanted));
      if ((wanted & umask) !== 0) done("chmod", calls.fchmodat(parent, path, wanted, AT_SYMLINK_NOFOLLOW));
    },
    createFileAt(folder, name, mode) {
      const wanted = mode & CREATE_MODE_BITS;
      const file = retry(linux, "create", () => calls.openat(folder, memory.name(name), flags.createNew, wanted));
      if ((wanted & umask) !== 0 && calls.fchmod(file, wanted) < 0) {
        const fault = lastFault(linux, "chmod");
        calls.close(file);
        throw fault;
      }
      return file as FileHandle;
    },
    writeAt: (file, bytes, position) => writeAt(linux, file, bytes, position),
    truncate: (file, sizeBytes) => done("truncate", calls.ftruncate(file, sizeBytes)),
    sync: (handle) => done("fsync", calls.fsync(handle)),

    symlinkAt: (target, folder, name) => done("symlink", calls.symlinkat(memory.text(target, "other-name"), folder, memory.name(name))),
    linkAt: (fromFolder, fromName, folder, name) => done("link", calls.linkat(fromFolder, memory.otherName(fromName), folder, memory.name(name), 0)),
    makeSpecialAt(folder, name, special) {
      const path = memory.name(name);
      const mode = special.mode & CREATE_MODE_BITS;
      const { mknodat } = linux.numbers;
      done("mknod", calls.syscall(mknodat, folder, path, SPECIAL_FORMATS[special.kind] | mode, kernelDevice(special), 0, 0));
      if ((mode & umask) !== 0) done("chmod", calls.fchmodat(folder, path, mode, AT_SYMLINK_NOFOLLOW));
    },
    renameAt: (fromFolder, fromName, folder, name) => done("rename", calls.renameat(fromFolder, memory.otherName(fromName), folder, memory.name(name))),
    removeAt: (folder, name) => done("unlink", calls.unlinkat(folder, memory.name(name), 0)),
    removeFolderAt: (parent, name) => done("rmdir", calls.unlinkat(parent, memory.name(name), AT_REMOVEDIR)),

    setOwner: (handle, uid, gid) => done("chown", calls.fchown(handle, uid, gid)),
    setMode: (handle, mode) => done("chmod", calls.fchmod(handle, mode)),
    setMtime: (handle, mtimeSec, mtimeNs) => done("utime", calls.futimens(handle, memory.times(mtimeSec, mtimeNs))),
    setXattr: (handle, xattr) => xattrs.set(handle, xattr),
    setOwnerAt: (folder, name, uid, gid) => done("chown", calls.fchownat(folder, memory.name(name), uid, gid, AT_SYMLINK_NOFOLLOW)),
    setModeAt: (folder, name, mode) => done("chmod", calls.fchmodat(folder, memory.name(name), mode, AT_SYMLINK_NOFOLLOW)),
    setMtimeAt: (folder, name, mtimeSec, mtimeNs) =>
      done("utime", calls.utimensat(folder, memory.name(name), memory.times(mtimeSec, mtimeNs), AT_SYMLINK_NOFOLLOW)),
    setXattrAt: (folder, name, xattr) => xattrs.setAt(folder, name, xattr),
  };
}

function writeAt(linux: Linux, file: number, bytes: Uint8Array, position: number): void {
  let written = retry(linux, "write", () => linux.calls.pwrite(file, bytes, bytes.length, position));
  while (written < bytes.length) {
    const rest = bytes.subarray(written);
    const more = retry(linux, "write", () => linux.calls.pwrite(file, rest, rest.length, position + written));
    if (more === 0) throw platformFault("write", "EIO");
    written += more;
  }
}

/** Device numbers as the kernel takes them: minor 8 bits, major 12 bits, the rest of minor 12 bits. */
function kernelDevice(special: Special): number {
  if (special.kind === "fifo" || special.kind === "socket") return 0;
  const { rdevMajor, rdevMinor } = special;
  const isInRange = rdevMajor >= 0 && rdevMajor <= DEVICE_MAJOR_MAX && rdevMinor >= 0 && rdevMinor <= DEVICE_MINOR_MAX;
  if (!isInRange) throw platformFault("mknod", "EINVAL");
  return (rdevMinor & 0xff) + rdevMajor * 256 + (rdevMinor >>> 8) * 2 ** 20;
}

/**
 * The bits that the process takes from every new entry. It is left as it is, since it belongs to the whole process: a
 * wanted mode that it would touch costs one call more. Unknown, it counts as touching everything.
 */
function readUmask(): number {
  try {
    const line = /^Umask:\s*([0-7]+)$/m.exec(readFileSync("/proc/self/status", "latin1"));
    return line?.[1] === undefined ? CREATE_MODE_BITS : Number.parseInt(line[1], 8);
  } catch {
    return CREATE_MODE_BITS;
  }
}
