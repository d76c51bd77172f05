/**
 * The scratch memory of one native adapter: fixed places for the arguments of system calls, allocated once.
 *
 * Layout: name A 4 KiB | name B 4 KiB | path 8 KiB | times 32 B, arguments 16 B | list 64 KiB | value 64 KiB.
 * 64 KiB is the most the kernel allows for the list and for a value of extended attributes (limits.h, XATTR_*_MAX).
 */
import { Fault } from "@holdfast/base";
import { type Address, type Linux, UTIME_OMIT } from "./linux-calls.ts";
import { isPlainName, NAME_BYTES_MAX } from "./platform.ts";
import { platformFault } from "./platform-fault.ts";

export const XATTR_BYTES_MAX = 65_536;

const NAME_A = 0;
const NAME_B = 4096;
const PATH = 8192;
const PATH_ROOM = 8192;
const TIMES = PATH + PATH_ROOM;
const ARGUMENTS = TIMES + 32;
export const LIST: number = ARGUMENTS + 32;
export const VALUE: number = LIST + XATTR_BYTES_MAX;
const EMPTY: number = VALUE + XATTR_BYTES_MAX;
const TOTAL_BYTES: number = EMPTY + 64;

export interface NativeMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly base: Address;
  /** The empty string: "the handle itself" to the calls that take a folder and a name. */
  readonly empty: Address;
  /** Writes a checked name, zero-terminated. Throws `input` unless it is a plain name. */
  name(name: Uint8Array): Address;
  /** A second name beside the first. */
  otherName(name: Uint8Array): Address;
  /** Any text without a zero byte: a link's target or an attribute's name beside a name, or a piece of a path. */
  text(text: Uint8Array, slot: "other-name" | "path"): Address;
  /** `/proc/self/fd/<folder>/<name>`, or the folder itself without a name. */
  procPath(folder: number, name: Uint8Array): Address;
  /** Two timespecs: access time left alone, modification time as given. */
  times(mtimeSec: number, mtimeNs: number): Address;
  /** `struct xattr_args` that points to the value area. */
  xattrArguments(byteCount: number): Address;
}

export function createNativeMemory(linux: Linux): NativeMemory {
  const bytes = new Uint8Array(new ArrayBuffer(TOTAL_BYTES));
  const view = new DataView(bytes.buffer);
  const base = linux.addressOf(bytes);

  const put = (text: Uint8Array, offset: number): Address => {
    bytes.set(text, offset);
    bytes[offset + text.length] = 0;
    return base + offset;
  };
  const putName = (name: Uint8Array, offset: number): Address => {
    if (!isPlainName(name)) throw notPlain(name);
    return put(name, offset);
  };
  const putText = (text: Uint8Array, slot: "other-name" | "path"): Address => {
    if (text.length > NAME_BYTES_MAX) throw platformFault("open", "ENAMETOOLONG");
    if (text.includes(0)) throw new Fault("input", "platform: text holds a zero byte", { detail: { errno: "EINVAL" } });
    return put(text, slot === "path" ? PATH : NAME_B);
  };
  const procPath = (folder: number, name: Uint8Array): Address => {
    if (!isPlainName(name)) throw notPlain(name);
    const prefix = `/proc/self/fd/${folder}/`;
    for (let index = 0; index < prefix.length; index++) bytes[PATH + index] = prefix.charCodeAt(index);
    put(name, PATH + prefix.length);
    return base + PATH;
  };
  const times = (mtimeSec: number, mtimeNs: number): Address => {
    if (!Number.isSafeInteger(mtimeSec) || !Number.isInteger(mtimeNs) || mtimeNs < 0 || mtimeNs > 999_999_999) {
      throw new Fault("input", `platform: not a time, got ${mtimeSec} s ${mtimeNs} ns`, { detail: { errno: "EINVAL" } });
    }
    put64(view, TIMES, 0);
    put64(view, TIMES + 8, UTIME_OMIT);
    put64(view, TIMES + 16, mtimeSec);
    put64(view, TIMES + 24, mtimeNs);
    return base + TIMES;
  };
  const xattrArguments = (byteCount: number): Address => {
    put64(view, ARGUMENTS, base + VALUE);
    view.setUint32(ARGUMENTS + 8, byteCount, true);
    view.setUint32(ARGUMENTS + 12, 0, true);
    return base + ARGUMENTS;
  };

  return {
    bytes,
    base,
    empty: base + EMPTY,
    name: (name) => putName(name, NAME_A),
    otherName: (name) => putName(name, NAME_B),
    text: putText,
    procPath,
    times,
    xattrArguments,
  };
}

/** Little-endian, two's complement: both processors. */
function put64(view: DataView, offset: number, value: number): void {
  const high = Math.floor(value / 2 ** 32);
  view.setUint32(offset, value - high * 2 ** 32, true);
  view.setInt32(offset + 4, high, true);
}

function notPlain(name: Uint8Array): Fault {
  if (name.length > NAME_BYTES_MAX) return platformFault("open", "ENAMETOOLONG");
  return new Fault("input", "platform: not the name of an entry: empty, a dot step, or with a slash or zero byte", { detail: { errno: "EINVAL" } });
}
