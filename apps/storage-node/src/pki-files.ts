/**
 * Several files of the data folder replaced as one, so that a crash leaves all the old ones or all the new ones.
 *
 * What is to be done is written down whole in `pki/pending.json`: the moment of the change. Then it is done, file by file; a crash in
 * between is made good by `settlePki`, which does it again.
 */
import { join } from "node:path";
import type { Disk } from "@holdfast/base";
import { z } from "zod";
import { DataFolder } from "./data-folder.ts";

/** New content by path below the data folder; `null` removes. */
export type PkiChange = Readonly<Record<string, string | null>>;

const PENDING = "pki/pending.json";
const pendingChange = z.record(z.string().regex(/^(pki|admin)\/[a-z0-9.-]+$/), z.string().nullable());

/** Replaces the files of `change` in one step. Only for whoever owns the folder. */
export function replacePki(disk: Disk, data: string, change: PkiChange): void {
  settlePki(disk, data);
  new DataFolder(disk, data).writeText(PENDING, JSON.stringify(pendingChange.parse(change)));
  settlePki(disk, data);
}

/** Ends a replacement that was cut short; does nothing else. To be called before certificates are read. */
export function settlePki(disk: Disk, data: string): void {
  if (disk.stat(join(data, PENDING)) === null) return;
  const folder = new DataFolder(disk, data);
  for (const [path, text] of Object.entries(pendingChange.parse(JSON.parse(folder.readText(PENDING))))) {
    if (text === null) disk.remove(join(data, path));
    else folder.writeText(path, text);
  }
  // A write makes the removals before it durable; only then may the note of them go.
  folder.writeText(PENDING, "{}");
  disk.remove(join(data, PENDING));
}
