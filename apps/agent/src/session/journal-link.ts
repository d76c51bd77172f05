/** One vault's journal at the storage node: reading what is new, verified, and appending with a durable mark. */
import { Fault, isFault } from "@holdfast/base";
import type { Signer } from "@holdfast/crypto";
import {
  type AccountId,
  applyEntry,
  CONFLICT_TRIES_MAX,
  type DeviceId,
  encodeEntryPayload,
  encodeJournalEntry,
  type JournalState,
  OWNER_KINDS,
  type RecordStore,
  type VaultId,
} from "@holdfast/protocol";
import { advanceMark, readMark } from "../state/mark.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { createJournalCache, type JournalCache } from "./journal-cache.ts";
import { createJournalReader, type JournalPair, type JournalReader } from "./journal-reader.ts";
import type { AppendedEntry, AppendRequest, Ports } from "./session.ts";
import { createJournalVerifier } from "./verifier.ts";

export interface JournalLinkOptions {
  readonly ports: Ports;
  readonly paths: StatePaths;
  readonly vault: VaultId;
  readonly account: AccountId;
  readonly device: DeviceId;
  readonly signer: Signer;
  readonly nodeKey: Uint8Array<ArrayBuffer>;
  readonly store: RecordStore;
}

export interface JournalLink {
  /** As of the last `refresh` or `append`. */
  state(): JournalState;
  /** By the node's clock; by hex of the entry id. */
  receivedMsByEntry(): ReadonlyMap<string, number>;
  /** Reads and verifies what is new; the mark is durable before it resolves. Anything wrong: alarm. */
  refresh(): Promise<JournalState>;
  /** See `VaultSession.append`. */
  append(makeRequest: (journal: JournalState) => AppendRequest, owner?: Signer): Promise<AppendedEntry>;
}

/** With what the cache holds, verified; `refresh` is for the caller to call. */
export function createJournalLink(options: JournalLinkOptions): JournalLink {
  const { ports, paths } = options;
  const verifier = createJournalVerifier();
  const newReader = (): JournalReader => createJournalReader({ ...options, mark: readMark(ports.disk, paths), verifier });
  const cache = createJournalCache(ports.disk, paths);
  const reader = readCached(cache, newReader);

  const keep = (pairs: readonly JournalPair[]): void => {
    const { last } = reader;
    if (last === null || pairs.length === 0) return;
    advanceMark(ports.disk, paths, last);
    cache.append(pairs);
  };
  const refresh = async (): Promise<JournalState> => {
    const fresh = await readNew(options.store, reader);
    reader.checkMark();
    keep(fresh);
    return reader.state;
  };
  const appendOnce = async (request: AppendRequest, owner: Signer | undefined): Promise<AppendedEntry> => {
    const { state } = reader;
    const frame = signEntry(options, state, request, owner);
    applyEntry(state, frame, verifier); // What the node would refuse is refused here, with the reason.
    const receipt = await options.store.commit(frame, request.additions, request.drops);
    const pair = { entry: frame, receipt };
    const { entry, seq, receipt: receiptId, receivedMs } = reader.take(pair);
    keep([pair]);
    return { entry, seq, receipt: receiptId, receivedMs };
  };
  return {
    state: () => reader.state,
    receivedMsByEntry: () => reader.receivedMsByEntry,
    refresh,
    async append(makeRequest, owner) {
      for (let tries = 1; ; tries++) {
        try {
          return await appendOnce(makeRequest(reader.state), owner);
        } catch (error) {
          if (!isFault(error, "conflict") || tries >= CONFLICT_TRIES_MAX) throw error;
          const headBefore = reader.last?.seq;
          await refresh();
          // Nothing new: signing the same again would only meet the same answer.
          if (reader.last?.seq === headBefore) throw error;
        }
      }
    },
  };
}

/** A reader that has taken in the cache, or a fresh one when the cache is damaged. */
function readCached(cache: JournalCache, newReader: () => JournalReader): JournalReader {
  try {
    const reader = newReader();
    for (const pair of cache.read()) reader.take(pair);
    return reader;
  } catch (error) {
    if (!isFault(error)) throw error;
    cache.discard();
    return newReader();
  }
}

/** Takes in what the node has after the last entry. That one is asked for again: a node that no longer has it was set back. */
async function readNew(store: RecordStore, reader: JournalReader): Promise<JournalPair[]> {
  const fresh: JournalPair[] = [];
  let checked = reader.last === null;
  while (true) {
    const { items, more } = await store.journal((reader.last?.seq ?? -1) - (checked ? 0 : 1));
    const [first] = items;
    if (!checked) reader.checkLast(first);
    for (const pair of checked ? items : items.slice(1)) {
      reader.take(pair);
      fresh.push(pair);
    }
    checked = true;
    if (!more) return fresh;
    if (first === undefined) throw new Fault("format", "journal answer: promises more and has nothing");
  }
}

function signEntry(options: JournalLinkOptions, state: JournalState, request: AppendRequest, owner: Signer | undefined): Uint8Array<ArrayBuffer> {
  const { ports, vault, account, device, signer } = options;
  const payload = encodeEntryPayload({
    vault,
    account,
    device,
    seq: (state.head?.seq ?? -1) + 1,
    previous: state.head?.entry ?? null,
    timeMs: Math.floor(ports.clock.nowMs()),
    body: request.body,
  });
  const ownerSignature = OWNER_KINDS.has(request.body.kind) ? (owner?.sign("owner", payload) ?? null) : null;
  return encodeJournalEntry(payload, signer.sign("journal", payload), ownerSignature);
}
