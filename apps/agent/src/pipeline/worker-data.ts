/** What the main thread gives to a worker, and what workers say. All of it survives a structured clone. */
import type { EpochKeys } from "@holdfast/crypto";
import type { ObjectId, VaultId } from "@holdfast/protocol";
import { attachOrdinalSet, type OrdinalSet } from "@holdfast/vault";
import type { PackMessage } from "./object-store.ts";
import type { SharedBuffers } from "./shared-memory.ts";

interface PipelineData {
  readonly buffers: SharedBuffers;
  readonly table: SharedArrayBuffer;
  readonly vault: VaultId;
  readonly keys: EpochKeys;
  readonly dryRun: boolean;
  readonly preferNative: boolean;
}

export interface PackWorkerData extends PipelineData {
  readonly role: "pack";
}

export interface WalkerData extends PipelineData {
  readonly role: "walker";
  readonly neededMemory: SharedArrayBuffer;
  readonly workerCount: number;
  /** Absolute paths; ignored with `stdinName`. */
  readonly paths: readonly Uint8Array[];
  readonly stdinName: string | null;
  readonly previousListing: string | null;
  /** `null` in a dry run. */
  readonly newListing: string | null;
  readonly startedMs: number;
  readonly excludes: readonly string[];
  readonly excludeCaches: boolean;
  readonly excludeIfPresent: readonly string[];
  readonly oneFileSystem: boolean;
  readonly excludeLargerThanBytes: number | null;
}

/** Root and count of everything so far. `needed` marks the packs, by ordinal. */
export interface TreeMessage {
  readonly type: "partial" | "walked";
  readonly root: ObjectId;
  readonly needed: Uint8Array;
  readonly totals: { readonly files: number; readonly folders: number; readonly others: number; readonly plainBytes: number };
}

/** The marks of a message, as a set. */
export function neededOrdinals(tree: TreeMessage): OrdinalSet {
  const memory = new SharedArrayBuffer(tree.needed.length);
  new Uint8Array(memory).set(tree.needed);
  return attachOrdinalSet(memory);
}

export type WorkerMessage =
  | PackMessage
  | TreeMessage
  | { readonly type: "failure"; readonly path: Uint8Array; readonly reason: string }
  | { readonly type: "notes"; readonly losses: readonly string[]; readonly fallbackReason: string | null }
  | { readonly type: "work" }
  | { readonly type: "ended" }
  | { readonly type: "broken"; readonly code: string; readonly message: string; readonly stack: string };
