/** The native adapter: Linux on x64 and arm64 through koffi. Keeps everything; the same source on Node, Bun and Deno. */
import type { Koffi } from "./linux-calls.ts";
import { bindLinux, openFlags } from "./linux-calls.ts";
import { createNativeMemory } from "./native-memory.ts";
import { createNativeReader, type NativeContext } from "./native-reader.ts";
import { createNativeWriter } from "./native-writer.ts";
import { createNativeXattrs } from "./native-xattrs.ts";
import { createOwners } from "./owners.ts";
import type { Capabilities, Platform } from "./platform.ts";

const KEEPS_ALL: Capabilities = {
  xattr: null,
  acl: null,
  exactNs: null,
  rawNames: null,
  holes: null,
  specialFiles: null,
  deepPaths: null,
  raceFree: null,
};

/** Throws plain errors where koffi finds no C library or a function is missing in it. */
export function createNativePlatform(koffi: Koffi, arch: string): Platform {
  const linux = bindLinux(koffi, arch);
  const memory = createNativeMemory(linux);
  const context: NativeContext = {
    linux,
    memory,
    xattrs: createNativeXattrs(linux, memory),
    owners: createOwners(),
    flags: openFlags(arch),
  };
  return { name: "native", capabilities: KEEPS_ALL, ...createNativeReader(context), ...createNativeWriter(context) };
}
