/** Lists what is in a snapshot, from its trees alone: no content is fetched. Names are shown so that no terminal is led astray. */
import { bytesToHex, utf8 } from "@holdfast/base";
import { type Entry, FILE_KINDS, type FileKind } from "@holdfast/vault";
import { createZstdCompressor } from "@holdfast/vault/node";
import type { VaultSession } from "../session/session.ts";
import { joinNames } from "./folder-chain.ts";
import { loadObjectIndex } from "./object-index.ts";
import { createObjectSource } from "./object-source.ts";
import { printable } from "./printable.ts";
import { findSnapshot, NO_FILTERS, type SnapshotFilters } from "./snapshot-source.ts";
import { findPath, readFolderParts } from "./tree-reader.ts";

export type ListSession = Pick<VaultSession, "vault" | "keys" | "store" | "journal" | "receivedMs">;

export interface ListOptions {
  readonly filters?: SnapshotFilters;
  /** Goes into folders. */
  readonly recursive?: boolean;
}

export interface ListedEntry {
  /** From the root of the snapshot on, without a slash in front. */
  readonly path: Uint8Array;
  readonly entry: Entry;
}

export interface ListFormat {
  readonly long?: boolean;
  /** One JSON object a line. */
  readonly json?: boolean;
}

const KIND_LETTERS: Readonly<Record<FileKind, string>> = { 1: "-", 2: "d", 3: "l", 4: "p", 5: "c", 6: "b", 7: "s" };
const KIND_NAMES: Readonly<Record<FileKind, string>> = {
  1: "file",
  2: "folder",
  3: "symlink",
  4: "fifo",
  5: "character-device",
  6: "block-device",
  7: "socket",
};
const PERMISSIONS = "rwxrwxrwx";
const TIME_MS_MAX = 8.64e15; // The last moment that a Date can say.

/**
 * Entries of the folder that `spec` names, in order of raw names, as the walk meets them; of a file that one entry.
 *
 * @param onDamage - Told of parts that cannot be read; the rest is listed.
 */
export async function* listSnapshot(
  session: ListSession,
  spec: string,
  options: ListOptions,
  onDamage: (path: string, reason: string) => void,
): AsyncGenerator<ListedEntry> {
  const found = await findSnapshot(session, spec, options.filters ?? NO_FILTERS);
  const index = await loadObjectIndex(session, found.epoch, (id, fault) =>
    onDamage("", `index record ${bytesToHex(id).slice(0, 16)} left out: ${fault.message}`),
  );
  const { load } = createObjectSource(session, found.epoch, index, await createZstdCompressor());

  async function* walk(tree: Parameters<typeof readFolderParts>[0], folder: Uint8Array): AsyncGenerator<ListedEntry> {
    for await (const entries of readFolderParts(tree, load, (fault) => onDamage(printable(folder), fault.message))) {
      for (const entry of entries) {
        const path = joinNames(folder, entry.name);
        yield { path, entry };
        if (options.recursive === true && entry.subtree !== null) yield* walk(entry.subtree, path);
      }
    }
  }

  let path: Uint8Array = new Uint8Array(0);
  for (const name of found.path) path = joinNames(path, name);
  if (found.path.length === 0) return yield* walk(found.snapshot.root, path);
  const entry = await findPath(found.snapshot.root, found.path, load);
  if (entry.subtree === null) yield { path, entry };
  else yield* walk(entry.subtree, path);
}

/** One line for an entry, without a line feed. */
export function formatListed({ path, entry }: ListedEntry, format: ListFormat = {}): string {
  if (format.json === true) return JSON.stringify(listedFields(path, entry));
  const shown = `/${printable(path)}`;
  if (format.long !== true) return shown;
  const owner = `${entry.user === null ? entry.uid : printableText(entry.user)}/${entry.group === null ? entry.gid : printableText(entry.group)}`;
  const size = entry.device === null ? String(entry.sizeBytes) : `${entry.device.major},${entry.device.minor}`;
  const target = entry.linkTarget === null ? "" : ` -> ${printable(entry.linkTarget)}`;
  return `${KIND_LETTERS[entry.kind]}${permissionsOf(entry.mode)} ${owner.padEnd(17)} ${size.padStart(12)} ${timeOf(entry)} ${shown}${target}`;
}

/** Names that are not UTF-8 also come in hex, so that nothing is lost. */
function listedFields(path: Uint8Array, entry: Entry): Readonly<Record<string, unknown>> {
  return {
    path: `/${printable(path)}`,
    pathHex: bytesToHex(path),
    kind: KIND_NAMES[entry.kind],
    mode: entry.mode.toString(8).padStart(4, "0"),
    uid: entry.uid,
    gid: entry.gid,
    user: entry.user,
    group: entry.group,
    modifiedSeconds: entry.modified.seconds,
    modifiedNanoseconds: entry.modified.nanoseconds,
    ...(entry.kind === FILE_KINDS.file ? { sizeBytes: entry.sizeBytes } : {}),
    ...(entry.linkTarget === null ? {} : { linkTarget: printable(entry.linkTarget) }),
    ...(entry.device === null ? {} : { device: [entry.device.major, entry.device.minor] }),
    ...(entry.flags === 0 ? {} : { flags: entry.flags }),
  };
}

function permissionsOf(mode: number): string {
  const letters = [...PERMISSIONS].map((letter, index) => (((mode >> (8 - index)) & 1) === 1 ? letter : "-"));
  const special = (bit: number, at: number, letter: string): void => {
    if ((mode & bit) !== 0) letters[at] = letters[at] === "x" ? letter : letter.toUpperCase();
  };
  special(0o4000, 2, "s");
  special(0o2000, 5, "s");
  special(0o1000, 8, "t");
  return letters.join("");
}

function timeOf({ modified }: Entry): string {
  const ms = modified.seconds * 1000;
  return Math.abs(ms) <= TIME_MS_MAX ? new Date(ms).toISOString().replace("T", " ").slice(0, -5) : `@${modified.seconds}`;
}

function printableText(text: string): string {
  return printable(utf8(text));
}
