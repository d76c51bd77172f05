/**
 * The high-water mark (docs/format.md §16): the last journal entry that this device has seen, with its receipt. It is durable before
 * anything relies on the entry, and it never goes back: a journal that ends before it, or differs at it, was tampered with.
 */
import { type Bytes, bytesToHex, type Disk, Fault, hexToBytes, utf8 } from "@holdfast/base";
import { asRecordId, type RecordId } from "@holdfast/protocol";
import { z } from "zod";
import { parseJson } from "./identity.ts";
import { OWN_FILE_MODE, readOwnFile } from "./own-file.ts";
import type { StatePaths } from "./state-paths.ts";

export interface Mark {
  readonly seq: number;
  readonly entry: RecordId;
  readonly receipt: RecordId;
}

const MARK_BYTES_MAX = 4_096;
const id = z.string().regex(/^[0-9a-f]{64}$/);
const markFile = z.strictObject({ seq: z.int().min(0), entry: id, receipt: id });

/** The mark, or `null` before the first entry. A damaged one is a fault: to go on without it would be to forget what was seen. */
export function readMark(disk: Disk, paths: StatePaths): Mark | null {
  const bytes = readOwnFile(disk, paths.mark, MARK_BYTES_MAX);
  if (bytes === null) return null;
  const parsed = markFile.safeParse(parseJson(bytes, paths.mark));
  if (!parsed.success)
    throw new Fault("format", `${paths.mark}: damaged; compare the head that holdfast status shows with another device's, then remove this file`);
  return { seq: parsed.data.seq, entry: asRecordId(bytesOf(parsed.data.entry)), receipt: asRecordId(bytesOf(parsed.data.receipt)) };
}

/** Moves the mark forward, durable. A mark that is there and not older stays: another run of this agent was faster. */
export function advanceMark(disk: Disk, paths: StatePaths, mark: Mark): void {
  const present = readMark(disk, paths);
  if (present !== null && present.seq >= mark.seq) return;
  const file = { seq: mark.seq, entry: bytesToHex(mark.entry), receipt: bytesToHex(mark.receipt) };
  disk.writeFile(paths.mark, utf8(`${JSON.stringify(file)}\n`), OWN_FILE_MODE);
}

function bytesOf(hex: string): Bytes {
  return hexToBytes(hex) as Bytes; // The schema has checked it.
}
