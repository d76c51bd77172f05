/**
 * What every command that talks to the vault works with: an opened state folder, a connection with both bonds, a journal
 * that has been verified up to its head, and the keys that this agent holds. `vault-session.ts` makes one.
 */
import type { Clock, Disk, Random } from "@holdfast/base";
import type { EpochKeys, Signer } from "@holdfast/crypto";
import type { AccountAnswer, AccountId, DeviceId, EntryBody, JournalState, RecordId, RecordStore, VaultId } from "@holdfast/protocol";
import type { StatePaths } from "../state/state-paths.ts";

/** The agent's ports, made once in main.ts. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
}

/** Plaintext of the config record in force (docs/format.md §6). */
export interface VaultConfig {
  readonly chunker: { readonly id: number; readonly minBytes: number; readonly meanBits: number; readonly maxBytes: number };
  readonly contentSuite: number;
  readonly packTargetBytes: number;
}

/** An entry that the node has taken. */
export interface AppendedEntry {
  readonly entry: RecordId;
  readonly seq: number;
  readonly receipt: RecordId;
  /** By the node's clock. */
  readonly receivedMs: number;
}

export interface VaultSession extends AsyncDisposable {
  readonly ports: Ports;
  readonly paths: StatePaths;
  readonly vault: VaultId;
  readonly account: AccountId;
  readonly device: DeviceId;
  /** The device key: index and journal signatures. */
  readonly signer: Signer;
  readonly store: RecordStore;
  readonly config: VaultConfig;
  /** Keys by epoch, for every epoch that this agent can open. */
  readonly keys: ReadonlyMap<number, EpochKeys>;
  /** Keys of the epoch in force: what new records are sealed under. `missing` when this device has not been given them yet. */
  currentKeys(): EpochKeys;
  /** The journal as of the last read; verified. */
  journal(): JournalState;
  /** When the node received each snapshot entry, by hex of the entry id; ms by the node's clock. */
  receivedMs(entry: RecordId): number | null;
  /** Reads and verifies what is new. */
  refresh(): Promise<JournalState>;
  /**
   * Appends an entry: signs, sends, and on `conflict` reads what is new and signs again, at most CONFLICT_TRIES_MAX times.
   * `makeBody` is called for each try, with the journal as it then is. The mark is durable before this resolves.
   *
   * @param owner - Needed for ◆ kinds.
   */
  append(makeBody: (journal: JournalState) => AppendRequest, owner?: Signer): Promise<AppendedEntry>;
  accountInfo(): Promise<AccountAnswer>;
}

export interface AppendRequest {
  readonly body: EntryBody;
  readonly additions: readonly RecordId[];
  readonly drops: readonly RecordId[];
}
