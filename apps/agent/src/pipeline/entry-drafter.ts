/** Makes tree entries from what the platform tells: metadata only, content comes later. */
import { isFault, utf8ToText } from "@holdfast/base";
import { LINK_TARGET_BYTES_MAX, XATTRS_BYTES_MAX } from "@holdfast/protocol";
import { ENTRY_FLAGS, type Entry, FILE_KINDS, type FileKind, type Xattr } from "@holdfast/vault";
import { type EntryKind, type EntryStat, EntryStats, errnoOf, type FolderHandle, type Platform, platformFault, STAT_ROW_WORDS } from "../platform/index.ts";
import { IDENTITY } from "./batch.ts";
import type { EntryDraft, Redraft } from "./tree-assembler.ts";

/** Word of a stat row with the file type and mode. */
const MODE_WORD = 7;
const KINDS: Readonly<Record<EntryKind, FileKind>> = {
  file: FILE_KINDS.file,
  folder: FILE_KINDS.folder,
  symlink: FILE_KINDS.symlink,
  fifo: FILE_KINDS.fifo,
  "char-device": FILE_KINDS.characterDevice,
  "block-device": FILE_KINDS.blockDevice,
  socket: FILE_KINDS.socket,
};

export class EntryDrafter {
  readonly #platform: Platform;
  readonly #onFailure: (name: Uint8Array, reason: string) => void;
  /** File systems in the order they were met: device numbers change at reboot, ordinals only within one snapshot count. */
  readonly #fileSystems = new Map<string, number>();
  readonly #users = new Map<number, string | null>();
  readonly #groups = new Map<number, string | null>();
  readonly #row = new EntryStats(1);

  /** @param onFailure - Told of metadata that could not be read; the entry is kept without it, and flagged. */
  constructor(platform: Platform, onFailure: (name: Uint8Array, reason: string) => void) {
    this.#platform = platform;
    this.#onFailure = onFailure;
  }

  /** Draft of an entry that is no folder. */
  draft(folder: FolderHandle, name: Uint8Array, stats: EntryStats, row: number): { readonly draft: EntryDraft; readonly redraft: Redraft } {
    const stat = stats.entry(row);
    const { xattrs, flags } = this.#readXattrs(() => this.#platform.xattrsAt(folder, name), name);
    const linkTarget = stat.kind === "symlink" ? this.#platform.readLinkAt(folder, name) : null;
    // A link without its target would be no link: the caller reports the entry and leaves it out.
    if (linkTarget !== null && linkTarget.length > LINK_TARGET_BYTES_MAX) throw platformFault("readlink", "ENAMETOOLONG");
    const make = (from: EntryStat, words: Uint32Array, at: number): EntryDraft => ({
      entry: { ...this.#entry(name, from, xattrs, flags), linkTarget },
      identity: copyIdentity(words, at),
      modeWord: words[at + MODE_WORD] as number,
    });
    return {
      draft: make(stat, stats.words, row * STAT_ROW_WORDS),
      redraft: (words) => {
        this.#row.words.set(words);
        this.#row.errnos[0] = 0;
        return make(this.#row.entry(0), words, 0);
      },
    };
  }

  /** Draft of a folder; its subtree is set when it is left. `knownXattrs`: from a previous listing whose change time is the same. */
  folderDraft(folder: FolderHandle, name: Uint8Array, stats: EntryStats, row: number): EntryDraft {
    const { xattrs, flags } = this.#readXattrs(() => this.#platform.xattrs(folder), name);
    const at = row * STAT_ROW_WORDS;
    return {
      entry: this.#entry(name, stats.entry(row), xattrs, flags),
      identity: copyIdentity(stats.words, at),
      modeWord: stats.words[at + MODE_WORD] as number,
    };
  }

  /** Draft of a folder that may not be opened: kept, empty and flagged. */
  closedFolderDraft(name: Uint8Array, stats: EntryStats, row: number): EntryDraft {
    const at = row * STAT_ROW_WORDS;
    const entry = this.#entry(name, stats.entry(row), [], ENTRY_FLAGS.contentMissing | ENTRY_FLAGS.metadataIncomplete);
    return { entry, identity: copyIdentity(stats.words, at), modeWord: stats.words[at + MODE_WORD] as number };
  }

  /** `[file-system ordinal, inode]` of an entry with several names. */
  inodeOf(stat: EntryStat): Entry["inode"] {
    if (stat.linkCount < 2 || stat.kind === "folder") return null;
    const key = `${stat.devMajor}:${stat.devMinor}`;
    const ordinal = this.#fileSystems.get(key) ?? this.#fileSystems.size;
    this.#fileSystems.set(key, ordinal);
    return { fileSystem: ordinal, inode: Number(BigInt.asUintN(53, stat.inode)) };
  }

  #entry(name: Uint8Array, stat: EntryStat, xattrs: readonly Xattr[], flags: number): Entry {
    const isDevice = stat.kind === "char-device" || stat.kind === "block-device";
    return {
      name: name.slice(),
      kind: KINDS[stat.kind],
      mode: stat.mode,
      uid: stat.uid,
      gid: stat.gid,
      user: nameOf(this.#users, stat.uid, (uid) => this.#platform.userName(uid)),
      group: nameOf(this.#groups, stat.gid, (gid) => this.#platform.groupName(gid)),
      modified: { seconds: stat.mtimeSec, nanoseconds: stat.mtimeNs },
      sizeBytes: stat.kind === "file" ? stat.sizeBytes : 0,
      linkTarget: null,
      device: isDevice ? { major: stat.rdevMajor, minor: stat.rdevMinor } : null,
      xattrs,
      inode: this.inodeOf(stat),
      content: null,
      subtree: null,
      flags,
    };
  }

  #readXattrs(read: () => readonly Xattr[], name: Uint8Array): { readonly xattrs: readonly Xattr[]; readonly flags: number } {
    try {
      const xattrs = read();
      const byteCount = xattrs.reduce((sum, xattr) => sum + xattr.name.length + xattr.value.length, 0);
      if (byteCount <= XATTRS_BYTES_MAX) return { xattrs, flags: 0 };
      this.#onFailure(name, `extended attributes of ${byteCount} bytes are more than ${XATTRS_BYTES_MAX}: not kept`);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#onFailure(name, `extended attributes: ${errnoOf(error) ?? error.message}`);
    }
    return { xattrs: [], flags: ENTRY_FLAGS.metadataIncomplete };
  }
}

export function copyIdentity(words: Uint32Array, at: number): Uint32Array {
  const identity = new Uint32Array(IDENTITY.length);
  for (let index = 0; index < IDENTITY.length; index++) identity[index] = words[at + (IDENTITY[index] as number)] as number;
  return identity;
}

function nameOf(cache: Map<number, string | null>, id: number, look: (id: number) => Uint8Array | null): string | null {
  const known = cache.get(id);
  if (known !== undefined) return known;
  const bytes = look(id);
  const name = bytes === null || bytes.length > 255 ? null : utf8ToText(bytes);
  cache.set(id, name);
  return name;
}
