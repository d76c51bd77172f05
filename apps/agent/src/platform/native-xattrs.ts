/**
 * Extended attributes on Linux.
 *
 * An open entry is asked through its handle. For a name in a folder the kernel has `listxattrat` since 6.13; older ones
 * are asked through `/proc/self/fd/<folder>/<name>`, which costs about 2.5 us more an entry but, unlike a full path, can
 * neither be too long nor lead elsewhere. A file system without attributes gives none.
 */
import { type Bytes, compareBytes } from "@holdfast/base";
import { AT_SYMLINK_NOFOLLOW, ENODATA, ENOSYS, ENOTSUP, EPERM, type Linux, lastFault } from "./linux-calls.ts";
import { LIST, type NativeMemory, VALUE, XATTR_BYTES_MAX } from "./native-memory.ts";
import type { Handle, Xattr } from "./platform.ts";
import { platformFault } from "./platform-fault.ts";

export interface NativeXattrs {
  list(handle: Handle): readonly Xattr[];
  listAt(folder: number, name: Uint8Array): readonly Xattr[];
  set(handle: Handle, xattr: Xattr): void;
  setAt(folder: number, name: Uint8Array, xattr: Xattr): void;
}

const NONE: readonly Xattr[] = [];
const XATTR_ARGUMENT_BYTES = 16;

export function createNativeXattrs(linux: Linux, memory: NativeMemory): NativeXattrs {
  const { calls, numbers } = linux;
  const list = memory.base + LIST;
  const value = memory.base + VALUE;
  let hasAtCalls = true; // Until the kernel says otherwise.

  /** Copies out what `listedBytes` of the list area name, each value fetched by `get`. */
  const collect = (listedBytes: number, get: (nameAddress: number) => number): readonly Xattr[] => {
    if (listedBytes < 0) {
      if (linux.lastErrno() === ENOTSUP) return NONE;
      throw lastFault(linux, "listxattr");
    }
    if (listedBytes === 0) return NONE;
    const xattrs: Xattr[] = [];
    for (let start = LIST; start < LIST + listedBytes; ) {
      const end = memory.bytes.indexOf(0, start);
      const valueBytes = get(memory.base + start);
      if (valueBytes >= 0) {
        xattrs.push({ name: copy(memory.bytes, start, end), value: copy(memory.bytes, VALUE, VALUE + valueBytes) });
      } else if (linux.lastErrno() !== ENODATA) {
        throw lastFault(linux, "getxattr"); // ENODATA: removed since it was listed.
      }
      start = end + 1;
    }
    return xattrs.sort((left, right) => compareBytes(left.name, right.name));
  };

  const listAt = (folder: number, name: Uint8Array): readonly Xattr[] => {
    if (hasAtCalls) {
      const path = memory.name(name);
      const listedBytes = calls.syscall(numbers.listxattrat, folder, path, AT_SYMLINK_NOFOLLOW, list, XATTR_BYTES_MAX, 0);
      if (listedBytes >= 0 || !isMissingCall(linux)) {
        return collect(listedBytes, (nameAddress) => {
          const xattrArguments = memory.xattrArguments(XATTR_BYTES_MAX);
          return calls.syscall(numbers.getxattrat, folder, path, AT_SYMLINK_NOFOLLOW, nameAddress, xattrArguments, XATTR_ARGUMENT_BYTES);
        });
      }
      hasAtCalls = false;
    }
    const path = memory.procPath(folder, name);
    return collect(calls.llistxattr(path, list, XATTR_BYTES_MAX), (nameAddress) => calls.lgetxattr(path, nameAddress, value, XATTR_BYTES_MAX));
  };

  /** Puts the value into its area, checks both lengths, and returns the address of the attribute's name. */
  const putXattr = (xattr: Xattr): number => {
    if (xattr.value.length > XATTR_BYTES_MAX) throw platformFault("setxattr", "E2BIG");
    memory.bytes.set(xattr.value, VALUE);
    return memory.text(xattr.name, "other-name");
  };

  return {
    list: (handle) => collect(calls.flistxattr(handle, list, XATTR_BYTES_MAX), (nameAddress) => calls.fgetxattr(handle, nameAddress, value, XATTR_BYTES_MAX)),
    listAt,
    set(handle, xattr) {
      const nameAddress = putXattr(xattr);
      if (calls.fsetxattr(handle, nameAddress, value, xattr.value.length, 0) < 0) throw lastFault(linux, "setxattr");
    },
    setAt(folder, name, xattr) {
      const nameAddress = putXattr(xattr);
      const path = memory.procPath(folder, name);
      if (calls.lsetxattr(path, nameAddress, value, xattr.value.length, 0) < 0) throw lastFault(linux, "setxattr");
    },
  };
}

/** Old kernels say ENOSYS; sandboxes that do not know the call yet say EPERM, which asking for names never earns. */
function isMissingCall(linux: Linux): boolean {
  const errno = linux.lastErrno();
  return errno === ENOSYS || errno === EPERM;
}

function copy(bytes: Uint8Array, start: number, end: number): Bytes {
  return Uint8Array.from(bytes.subarray(start, end));
}
