/** Suites by id. A new suite is one file and one line here. */
import { Fault } from "@holdfast/base";
import { aes256Gcm, aes256GcmSync } from "./aes-256-gcm.ts";
import type { Suite } from "./suite.ts";

const SUITES_BY_ID: ReadonlyMap<number, Suite> = new Map([[aes256Gcm.id, aes256Gcm]]);

/** `suiteById` for workers: the synchronous form, where there is one. */
export function syncSuiteById(id: number): Suite {
  return id === aes256GcmSync.id ? aes256GcmSync : suiteById(id);
}

/** Ids that docs/format.md §3 gives to suites of later versions. */
const RESERVED_SUITE_IDS: readonly number[] = [2, 3];

/** The suite of that id. Reserved: `version`. Unknown, or 0 (which seals nothing): `format`. */
export function suiteById(id: number): Suite {
  const suite = SUITES_BY_ID.get(id);
  if (suite !== undefined) return suite;
  if (RESERVED_SUITE_IDS.includes(id)) throw new Fault("version", `suite: ${id} needs a later version`);
  throw new Fault("format", `suite: ${id} is unknown`);
}
