/**
 * Ports: the only ways to time, randomness, files and sockets. They are passed in, so that a test or a
 * simulation decides what happens; adapters live in the applications and in testkit.
 */
import type { Bytes } from "./brand.ts";

/** Time. Wall time may jump; monotonic time never goes back. */
export interface Clock {
  /** Wall time, ms since 1970 UTC. */
  nowMs(): number;
  /** Monotonic time in ms from an arbitrary start: for deadlines and durations. */
  monotonicMs(): number;
  /** Resolves after `delayMs`, or rejects with the signal's reason. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Randomness fit for keys. */
export interface Random {
  /** `byteCount` fresh, uniformly random bytes. */
  bytes(byteCount: number): Bytes;
}

/** What `Disk.stat` tells of a path. */
export interface DiskStat {
  readonly kind: "file" | "folder" | "other";
  readonly sizeBytes: number;
  /** Permission bits, as in 0o600. */
  readonly mode: number;
  readonly uid: number;
}

/**
 * Files of our own: state, keys, configuration, caches. (Files that are backed up go through the agent's platform port,
 * databases through libSQL.) Paths are UTF-8 text. Calls are synchronous: the files are small and few, or read by workers.
 * Every failure is a `Fault`: `missing` where nothing is there, `transport` for disk errors, `limit` over `bytesMax`.
 */
export interface Disk {
  /** The whole file, or `null` when there is none. More than `bytesMax` bytes: `limit`. */
  readFile(path: string, bytesMax: number): Bytes | null;
  /** Replaces the file in one step: temporary file, fsync, rename, fsync of the folder. `mode` is as in 0o600. */
  writeFile(path: string, bytes: Uint8Array, mode: number): void;
  /** Appends and fsyncs; creates the file with `mode` when it is missing. */
  appendFile(path: string, bytes: Uint8Array, mode: number): void;
  /** Opens a file to read parts of it; `null` when there is none. */
  openFile(path: string): DiskFile | null;
  /**
   * Opens a file to read and write parts of it. Missing, it is made with `mode`, and its name is durable on return; one that is
   * there keeps its mode, and its content is kept or emptied as `old` says. Nothing else is durable before `sync`.
   */
  makeFile(path: string, mode: number, old: "kept" | "emptied"): DiskFile;
  /** Names in a folder, sorted, or `null` when it is missing. */
  list(path: string): readonly string[] | null;
  makeFolder(path: string, mode: number): void;
  rename(from: string, to: string): void;
  /** Removes a file, or a folder with all in it; nothing there is no fault. */
  remove(path: string): void;
  stat(path: string): DiskStat | null;
  /** Bytes that an unprivileged writer may still use on the file system of `path`. */
  freeBytes(path: string): number;
}

/** An open file, at explicit positions. Disposing closes it, once or more often; nothing else may be called afterwards. */
export interface DiskFile extends Disposable {
  sizeBytes(): number;
  /** Fills `target` from byte `position` on, less only where the file ends; the number of bytes read. */
  readAt(target: Uint8Array, position: number): number;
  /** Writes all of `bytes` at `position`. A fault may leave a part of them written. */
  writeAt(bytes: Uint8Array, position: number): void;
  /** Cuts the file to `sizeBytes`, or fills it up with zeros. */
  truncate(sizeBytes: number): void;
  /** Makes content and size durable. */
  sync(): void;
}

/** One HTTP request as a port: the transport adds TLS and the connection pool, nothing else. */
export interface NetRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path and query, as in `/v1/vaults/ab?after=3`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Parts of the body in order; their lengths add up to `content-length`. They are not copied: leave them alone until the answer. */
  readonly body: readonly Uint8Array[];
  readonly signal?: AbortSignal;
}

export interface NetResponse {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Bytes;
}

/** A connection pool to one peer. Failures before an answer are `transport` or `certificate` faults. */
export interface Net extends AsyncDisposable {
  /** Sends one request; an answer of more than `bytesMax` bytes is a `limit` fault. Never retries. */
  exchange(request: NetRequest, bytesMax: number): Promise<NetResponse>;
}
