/** What the harness asks of each program: a fresh store, backups, a restore, a full check, and its size. */
import type { Measured } from "./measure.ts";

/** A step as measured; `node` is there when a storage node worked beside the agent, and counts in `cpuMs` too. */
export interface StepMeasured extends Measured {
  readonly nodePeakKib?: number;
}

export interface Session {
  backup(source: string): Promise<StepMeasured>;
  /** Restores what was backed up from `source` into `target`, an empty folder; the parents of `source` may come along. */
  restore(source: string, target: string): Promise<StepMeasured>;
  /** Reads and proves all data. `null`: the program cannot do it. */
  check(): Promise<StepMeasured | null>;
  storedBytes(): Promise<number>;
  close(): Promise<void>;
}

export interface Program {
  readonly name: string;
  /** With the version, for the head of the table. */
  readonly title: string;
  /** An empty store below `folder`, which is fresh. */
  prepare(folder: string): Promise<Session>;
}
