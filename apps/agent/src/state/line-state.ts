/** What the last committed snapshot of a line needed and measured: the base of the next one. A cache. */
import { bytesToHex, type Disk, isFault } from "@holdfast/base";
import { asRecordId, decodeMessage, encodeMessage, type LineId, type RecordId } from "@holdfast/protocol";
import { z } from "zod";
import type { StatePaths } from "./state-paths.ts";

export interface LineState {
  readonly entry: RecordId;
  /** Full set of needed records: ids ascending, joined. */
  readonly needs: Uint8Array;
  readonly entries: number;
  readonly plainBytes: number;
}

const FILE_BYTES_MAX = 256 * 1024 * 1024;
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length % 32 === 0);
const schema = z.strictObject({ entry: bytes, needs: bytes, entries: z.int(), plainBytes: z.int() });

/** The state of `line`, or `null` when there is none that can be read. */
export function readLineState(disk: Disk, paths: StatePaths, line: LineId): LineState | null {
  try {
    const file = disk.readFile(pathOf(paths, line), FILE_BYTES_MAX);
    if (file === null) return null;
    const state = schema.parse(decodeMessage(file, FILE_BYTES_MAX));
    return { ...state, entry: asRecordId(new Uint8Array(state.entry)), needs: new Uint8Array(state.needs) };
  } catch (error) {
    if (isFault(error) || error instanceof z.ZodError) return null;
    throw error;
  }
}

export function writeLineState(disk: Disk, paths: StatePaths, line: LineId, state: LineState): void {
  disk.makeFolder(`${paths.cache}/lines`, 0o700);
  disk.writeFile(pathOf(paths, line), encodeMessage(state), 0o600);
}

function pathOf(paths: StatePaths, line: LineId): string {
  return `${paths.cache}/lines/${bytesToHex(line)}`;
}
