/**
 * The C library of Linux through koffi: functions, numbers and constants, nothing clever.
 *
 * Memory of our own (names, rows, lists) is passed as plain addresses, which costs half as much as passing an array and
 * lets a name be used where the kernel put it; addresses are below 2^47 and so exact as numbers. It must lie in a buffer
 * made by `new Uint8Array(new ArrayBuffer(n))`: Bun moves other small arrays when their buffer is first looked at.
 * Memory of the caller (file content) is passed as an array, shared or not; it cannot move during a call.
 */
import type { Fault } from "@holdfast/base";
import { errnoToName, platformFault } from "./platform-fault.ts";

export type Koffi = Pick<typeof import("koffi"), "load" | "address" | "errno">;

/** An address in this process. */
export type Address = number;

export interface LinuxCalls {
  openat(folder: number, path: Address, flags: number, mode: number): number;
  close(file: number): number;
  /** (number, six arguments): for calls that older C libraries have no function for. */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number, f: number): number;
  statx(folder: number, path: Address, flags: number, mask: number, row: Address): number;
  pread(file: number, target: Uint8Array, byteCount: number, position: number): number;
  pwrite(file: number, bytes: Uint8Array, byteCount: number, position: number): number;
  lseek(file: number, offset: number, whence: number): number;
  ftruncate(file: number, byteCount: number): number;
  fsync(file: number): number;
  readlinkat(folder: number, path: Address, target: Address, byteCount: number): number;
  mkdirat(folder: number, path: Address, mode: number): number;
  symlinkat(target: Address, folder: number, path: Address): number;
  linkat(fromFolder: number, from: Address, folder: number, path: Address, flags: number): number;
  renameat(fromFolder: number, from: Address, folder: number, path: Address): number;
  unlinkat(folder: number, path: Address, flags: number): number;
  fchown(file: number, uid: number, gid: number): number;
  fchownat(folder: number, path: Address, uid: number, gid: number, flags: number): number;
  fchmod(file: number, mode: number): number;
  fchmodat(folder: number, path: Address, mode: number, flags: number): number;
  futimens(file: number, times: Address): number;
  utimensat(folder: number, path: Address, times: Address, flags: number): number;
  flistxattr(file: number, list: Address, byteCount: number): number;
  fgetxattr(file: number, name: Address, value: Address, byteCount: number): number;
  fsetxattr(file: number, name: Address, value: Address, byteCount: number, flags: number): number;
  llistxattr(path: Address, list: Address, byteCount: number): number;
  lgetxattr(path: Address, name: Address, value: Address, byteCount: number): number;
  lsetxattr(path: Address, name: Address, value: Address, byteCount: number, flags: number): number;
  statvfs(path: Address, target: Address): number;
}

export interface Linux {
  readonly calls: LinuxCalls;
  readonly numbers: SyscallNumbers;
  addressOf(bytes: Uint8Array | Uint32Array): Address;
  /** The errno of the call that failed just now. Ask at once: the next call may change it. */
  lastErrno(): number;
}

/** Syscalls without a function in every C library (include/uapi/asm-generic/unistd.h; x64 has a table of its own). */
export interface SyscallNumbers {
  readonly getdents64: number;
  readonly mknodat: number;
  readonly setxattrat: number;
  readonly getxattrat: number;
  readonly listxattrat: number;
}

const NUMBERS_BY_ARCH: Readonly<Record<string, SyscallNumbers>> = {
  x64: { getdents64: 217, mknodat: 259, setxattrat: 463, getxattrat: 464, listxattrat: 465 },
  arm64: { getdents64: 61, mknodat: 33, setxattrat: 463, getxattrat: 464, listxattrat: 465 },
};

/** Open flags that differ by processor (include/uapi/asm-generic/fcntl.h; arm64 has its own four). */
export interface OpenFlags {
  readonly readOnly: number;
  readonly createNew: number;
  readonly folder: number;
  readonly noFollow: number;
  readonly noAccessTime: number;
  readonly path: number;
}

const READ_WRITE = 0o2;
const CREATE = 0o100;
const EXCLUSIVE = 0o200;
const NONBLOCK = 0o4000;
const CLOSE_ON_EXEC = 0o2000000;
const DIRECTORY_BY_ARCH: Readonly<Record<string, number>> = { x64: 0o200000, arm64: 0o40000 };
const NO_FOLLOW_BY_ARCH: Readonly<Record<string, number>> = { x64: 0o400000, arm64: 0o100000 };

/** Whether `arch` (as in `process.arch`) is one whose numbers are known here. */
export function isKnownArch(arch: string): boolean {
  return Object.hasOwn(NUMBERS_BY_ARCH, arch);
}

export function openFlags(arch: string): OpenFlags {
  const folder = DIRECTORY_BY_ARCH[arch] as number;
  const noFollow = NO_FOLLOW_BY_ARCH[arch] as number;
  return {
    readOnly: NONBLOCK | CLOSE_ON_EXEC,
    createNew: READ_WRITE | CREATE | EXCLUSIVE | CLOSE_ON_EXEC | noFollow,
    folder,
    noFollow,
    noAccessTime: 0o1000000,
    path: 0o10000000,
  };
}

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;
export const STATX_BASIC_STATS = 0x7ff;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
/** In place of nanoseconds: leave this time alone. */
export const UTIME_OMIT: number = 2 ** 30 - 2;
export const EINTR = 4;
export const EPERM = 1;
export const ENXIO = 6;
export const EINVAL = 22;
export const ENOSYS = 38;
export const ENODATA = 61;
export const ENOTSUP = 95;

const LIBRARIES_BY_ARCH: Readonly<Record<string, readonly string[]>> = {
  x64: ["libc.so.6", "libc.musl-x86_64.so.1"],
  arm64: ["libc.so.6", "libc.musl-aarch64.so.1"],
};

/** Finds the C library and its functions. Throws plain errors: the caller falls back and says why. */
export function bindLinux(koffi: Koffi, arch: string): Linux {
  const numbers = NUMBERS_BY_ARCH[arch];
  if (numbers === undefined) throw new Error(`no call numbers for processor ${arch}`);
  const library = loadFirst(koffi, LIBRARIES_BY_ARCH[arch] ?? []);
  // `syscall` and `openat` take variable arguments in C; on both processors integers travel the same way without them.
  const bind = (name: string, result: string, ...types: string[]): unknown => library.func(name, result, types);
  const at = ["int", "uintptr_t"];
  const calls = {
    openat: bind("openat", "int", ...at, "int", "uint32_t"),
    close: bind("close", "int", "int"),
    syscall: bind("syscall", "int64_t", "int64_t", "int64_t", "int64_t", "int64_t", "int64_t", "int64_t", "int64_t"),
    statx: bind("statx", "int", ...at, "int", "uint32_t", "uintptr_t"),
    pread: bind("pread", "int64_t", "int", "void *", "size_t", "int64_t"),
    pwrite: bind("pwrite", "int64_t", "int", "void *", "size_t", "int64_t"),
    lseek: bind("lseek", "int64_t", "int", "int64_t", "int"),
    ftruncate: bind("ftruncate", "int", "int", "int64_t"),
    fsync: bind("fsync", "int", "int"),
    readlinkat: bind("readlinkat", "int64_t", ...at, "uintptr_t", "size_t"),
    mkdirat: bind("mkdirat", "int", ...at, "uint32_t"),
    symlinkat: bind("symlinkat", "int", "uintptr_t", ...at),
    linkat: bind("linkat", "int", ...at, ...at, "int"),
    renameat: bind("renameat", "int", ...at, ...at),
    unlinkat: bind("unlinkat", "int", ...at, "int"),
    fchown: bind("fchown", "int", "int", "uint32_t", "uint32_t"),
    fchownat: bind("fchownat", "int", ...at, "uint32_t", "uint32_t", "int"),
    fchmod: bind("fchmod", "int", "int", "uint32_t"),
    fchmodat: bind("fchmodat", "int", ...at, "uint32_t", "int"),
    futimens: bind("futimens", "int", "int", "uintptr_t"),
    utimensat: bind("utimensat", "int", ...at, "uintptr_t", "int"),
    flistxattr: bind("flistxattr", "int64_t", "int", "uintptr_t", "size_t"),
    fgetxattr: bind("fgetxattr", "int64_t", "int", "uintptr_t", "uintptr_t", "size_t"),
    fsetxattr: bind("fsetxattr", "int", "int", "uintptr_t", "uintptr_t", "size_t", "int"),
    llistxattr: bind("llistxattr", "int64_t", "uintptr_t", "uintptr_t", "size_t"),
    lgetxattr: bind("lgetxattr", "int64_t", "uintptr_t", "uintptr_t", "uintptr_t", "size_t"),
    lsetxattr: bind("lsetxattr", "int", "uintptr_t", "uintptr_t", "uintptr_t", "size_t", "int"),
    statvfs: bind("statvfs", "int", "uintptr_t", "uintptr_t"),
  } as unknown as LinuxCalls; // koffi cannot tell the types: the table above is the one place that states them.
  return { calls, numbers, addressOf: (bytes) => Number(koffi.address(bytes)), lastErrno: () => koffi.errno() };
}

/** The fault for the call that failed just now. */
export function lastFault(linux: Linux, call: string): Fault {
  return platformFault(call, errnoToName(linux.lastErrno()));
}

function loadFirst(koffi: Koffi, names: readonly string[]): ReturnType<Koffi["load"]> {
  let failure: unknown;
  for (const name of names) {
    try {
      return koffi.load(name);
    } catch (error) {
      failure = error;
    }
  }
  throw new Error("no C library found", { cause: failure });
}
