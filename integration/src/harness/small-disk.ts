/** A file system of a few MiB in memory, to be filled on purpose. Only root can mount one. */
import { mkdirSync } from "node:fs";
import { runOk } from "./run.ts";

export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Makes it larger, or smaller. */
  resize(byteCount: number): Promise<void>;
}

/** Mounts a tmpfs of `byteCount` bytes at `path`, which is made. */
export async function mountSmallDisk(path: string, byteCount: number): Promise<SmallDisk> {
  mkdirSync(path, { recursive: true });
  await runOk(["mount", "-t", "tmpfs", "-o", `size=${byteCount},mode=0700`, "tmpfs", path]);
  return {
    path,
    async resize(newByteCount) {
      await runOk(["mount", "-o", `remount,size=${newByteCount}`, path]);
    },
    async [Symbol.asyncDispose]() {
      await runOk(["umount", "-l", path]);
    },
  };
}

/** Whether this machine lets us mount: root in a container often may not. */
export async function canMount(scratchPath: string): Promise<boolean> {
  try {
    await using _disk = await mountSmallDisk(scratchPath, 1 << 20);
    return true;
  } catch {
    return false;
  }
}
