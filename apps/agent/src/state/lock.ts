/**
 * One run at a time. The lock is a folder that holds a file naming its owner: it appears by a rename, which fails when another is
 * there, so it is never half-made. The lock of a process that has ended is taken over.
 */
import { bytesToHex, type Disk, Fault, isFault, type Random, utf8 } from "@holdfast/base";
import { z } from "zod";
import { parseJson } from "./identity.ts";
import { OWN_FILE_MODE, OWN_FOLDER_MODE } from "./own-file.ts";
import type { StatePaths } from "./state-paths.ts";

/** What the lock needs to know of processes (state/process-node.ts). */
export interface Processes {
  /** Of this process. */
  readonly pid: number;
  /** Text that differs between two processes that had the same id one after the other, or `null` when the platform does not tell. */
  startOf(pid: number): string | null;
  /** `true` also when it cannot be told. */
  isAlive(pid: number): boolean;
}

export interface LockOptions {
  readonly disk: Disk;
  readonly random: Random;
  readonly processes: Processes;
  readonly nowMs: number;
  /** The command that runs, for the message of whoever finds it locked. */
  readonly command: string;
}

const OWNER_BYTES_MAX = 4_096;
const TRIES_MAX = 3;
const owner = z.strictObject({ pid: z.int(), start: z.string().nullable(), command: z.string(), sinceMs: z.int() });
type Owner = z.infer<typeof owner>;

/** Takes the lock of the state folder, to be released with `using`. Held by a live process: `busy`. */
export function takeLock(paths: StatePaths, options: LockOptions): Disposable {
  const { disk, random, processes } = options;
  disk.makeFolder(paths.root, OWN_FOLDER_MODE);
  const mine: Owner = { pid: processes.pid, start: processes.startOf(processes.pid), command: options.command, sinceMs: Math.floor(options.nowMs) };
  const prepared = `${paths.lock}.${bytesToHex(random.bytes(8))}`;
  disk.makeFolder(prepared, OWN_FOLDER_MODE);
  try {
    disk.writeFile(ownerPath(prepared), utf8(`${JSON.stringify(mine)}\n`), OWN_FILE_MODE);
    for (let tries = 1; ; tries++) {
      if (putInPlace(disk, prepared, paths.lock)) break;
      const holder = readOwner(disk, ownerPath(paths.lock));
      if (holder !== null && isRunning(holder, processes)) throw heldBy(holder, paths);
      if (tries >= TRIES_MAX) throw new Fault("busy", `${paths.lock}: other runs keep taking it; try again`);
      moveAway(disk, random, paths.lock, holder);
    }
  } catch (error) {
    disk.remove(prepared);
    throw error;
  }
  return { [Symbol.dispose]: () => release(disk, paths, mine) };
}

function putInPlace(disk: Disk, prepared: string, lock: string): boolean {
  // The rename alone would do on every file system that refuses to replace a folder that is not empty.
  if (disk.stat(lock) !== null) return false;
  try {
    disk.rename(prepared, lock);
    return true;
  } catch (error) {
    if (isFault(error) && disk.stat(lock) !== null) return false;
    throw error;
  }
}

/** Moves a dead lock out of the way. When a live one has come in its place meanwhile, that one is put back. */
function moveAway(disk: Disk, random: Random, lock: string, holder: Owner | null): void {
  const aside = `${lock}.${bytesToHex(random.bytes(8))}`;
  try {
    disk.rename(lock, aside);
  } catch (error) {
    if (isFault(error, "missing")) return;
    throw error;
  }
  const moved = readOwner(disk, ownerPath(aside));
  if (JSON.stringify(moved) !== JSON.stringify(holder)) {
    disk.rename(aside, lock);
    throw new Fault("busy", `${lock}: another run has just started; try again`);
  }
  disk.remove(aside);
}

function isRunning(holder: Owner, processes: Processes): boolean {
  const start = processes.startOf(holder.pid);
  if (start !== null && holder.start !== null) return start === holder.start;
  // Our own id without a start to compare: a run before a restart of the container that this one runs in.
  return holder.pid !== processes.pid && processes.isAlive(holder.pid);
}

function heldBy(holder: Owner, paths: StatePaths): Fault {
  const since = new Date(holder.sinceMs).toISOString();
  return new Fault(
    "busy",
    `state folder ${paths.root}: another run is under way: holdfast ${holder.command}, process ${holder.pid}, since ${since}; wait for it to end`,
    {
      detail: { pid: holder.pid, lock: paths.lock },
    },
  );
}

function release(disk: Disk, paths: StatePaths, mine: Owner): void {
  const holder = readOwner(disk, ownerPath(paths.lock));
  if (JSON.stringify(holder) === JSON.stringify(mine)) disk.remove(paths.lock);
}

/** The owner, or `null` when the lock has none that can be read: then it was never whole. */
function readOwner(disk: Disk, path: string): Owner | null {
  try {
    const bytes = disk.readFile(path, OWNER_BYTES_MAX);
    return bytes === null ? null : owner.parse(parseJson(bytes, path));
  } catch {
    return null;
  }
}

function ownerPath(lock: string): string {
  return `${lock}/owner.json`;
}
