/** A restore that writes nothing: counts what would be written, and reports what could not be. */
import { type Entry, FILE_KINDS, readContent } from "@holdfast/vault";
import { isDamage } from "./damage.ts";
import { joinNames } from "./folder-chain.ts";
import type { ObjectSource } from "./object-source.ts";
import type { PathDecision, PathFilter } from "./path-filter.ts";
import type { Report } from "./report.ts";
import type { RestoreResult } from "./restore-options.ts";
import { readFolderParts } from "./tree-reader.ts";

type Root = Parameters<typeof readFolderParts>[0] | Entry;

/** Every object that would be needed is looked up in the indexes, none of the content is fetched. What is in the target does not count. */
export async function countRestore(root: Root, source: ObjectSource, filter: PathFilter, decision: PathDecision, report: Report): Promise<RestoreResult> {
  const walk = async (tree: Parameters<typeof readFolderParts>[0], path: Uint8Array, above: PathDecision): Promise<void> => {
    for await (const entries of readFolderParts(tree, source.load, (fault) => report.fail(path, `entries of the folder cannot be read: ${fault.message}`))) {
      for (const entry of entries) await visit(entry, path, above);
    }
  };
  const visit = async (entry: Entry, folder: Uint8Array, above: PathDecision): Promise<void> => {
    const path = joinNames(folder, entry.name);
    const isFolder = entry.kind === FILE_KINDS.folder;
    const taken = filter.decide(path, isFolder, above);
    if (taken === "none") return;
    if (isFolder) {
      if (taken === "all") report.folders++;
      await walk(entry.subtree as NonNullable<Entry["subtree"]>, path, taken);
    } else if (entry.kind === FILE_KINDS.file) {
      const reason = await whyMissing(entry, source);
      if (reason !== null) report.fail(path, reason);
      else {
        report.files++;
        report.bytes += entry.sizeBytes;
      }
    } else {
      report.others++;
    }
  };
  if (root instanceof Uint8Array) await walk(root, new Uint8Array(0), decision);
  else await visit(root, new Uint8Array(0), decision);
  return report.result();
}

async function whyMissing(entry: Entry, source: ObjectSource): Promise<string | null> {
  if (entry.content === null) return entry.sizeBytes > 0 ? "content could not be read when it was saved" : null;
  try {
    for await (const items of readContent(entry.content, entry.sizeBytes, source.load)) {
      const isLost = items.some(({ objectId }) => objectId !== null && source.locate(objectId) === null);
      if (isLost) return "content is missing: an object is in no index";
    }
    return null;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return `content list cannot be read: ${error.message}`;
  }
}
