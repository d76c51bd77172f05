/** What the files that declare commands get from the composition root. */
import type { Clock, Disk, Random } from "@holdfast/base";
import { InvalidArgumentError } from "commander";

export interface CommandShell {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** A line to standard output. */
  readonly print: (text: string) => void;
  readonly printJson: (value: object) => void;
  /** A line for people, beside what scripts read. */
  readonly note: (text: string) => void;
  /** The passphrase in a file, without its line end. */
  readonly readPassphrase: (path: string) => string;
}

/** A flag's number of bytes. */
export function toByteCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("want a number of bytes");
  return Number(text);
}

/** A flag's duration, in ms. */
export function toDurationMs(text: string): number {
  const match = /^(\d{1,4})([mhd])$/.exec(text);
  if (match === null) throw new InvalidArgumentError("want a duration as in 30m, 24h, 7d");
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as "m" | "h" | "d"];
  return Number(match[1]) * unitMs;
}
