export { formatListed, type ListedEntry, type ListFormat, type ListOptions, listSnapshot } from "./list.ts";
export { printable } from "./printable.ts";
export { type RestoreSession, restoreSnapshot } from "./restore.ts";
export type { Overwrite, RestoreEvents, RestoreFailure, RestoreOptions, RestoreProgress, RestoreResult } from "./restore-options.ts";
export {
  type FoundSnapshot,
  findSnapshot,
  listJournalSnapshots,
  matchesFilters,
  NO_FILTERS,
  type OpenedSnapshot,
  openSnapshot,
  parseSpec,
  type SnapshotFilters,
} from "./snapshot-source.ts";
