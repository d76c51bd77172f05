/** How long ago this device saved, and proved that it can restore: by the journal as it last saw it, without a storage node. */
import { equalBytes, isFault } from "@holdfast/base";
import { EXIT_CODES } from "../cli/exit-codes.ts";
import type { Run } from "../cli/run.ts";
import { formatAge, formatTime } from "../cli/sizes.ts";
import { createJournalCache } from "../session/journal-cache.ts";
import { createJournalReader } from "../session/journal-reader.ts";
import { createJournalVerifier } from "../session/verifier.ts";
import type { Identity } from "../state/identity.ts";
import { readVerifiedMs } from "../state/verified.ts";
import { type Check, failed, ok, warning } from "./check.ts";

const DAY_MS = 86_400_000;
const BACKUP_AGE_MS_MAX = 7 * DAY_MS;
const VERIFY_AGE_MS_MAX = 90 * DAY_MS;

export function checkHistory(run: Pick<Run, "ports" | "paths">, identity: Identity): Check[] {
  return [checkBackup(run, identity), checkVerify(run)];
}

function checkBackup(run: Pick<Run, "ports" | "paths">, identity: Identity): Check {
  const name = "last backup";
  if (identity.vault === null) return failed(name, "none: this device has no vault yet", "holdfast init, or holdfast join", EXIT_CODES.usage);
  const mend = "holdfast backup";
  try {
    const lastMs = lastBackupMs(run, identity);
    if (lastMs === null) return warning(name, "none by this device in the journal as it last saw it", mend);
    const text = agoText(lastMs, run.ports.clock.nowMs());
    return run.ports.clock.nowMs() - lastMs > BACKUP_AGE_MS_MAX ? warning(name, text, mend) : ok(name, text);
  } catch (error) {
    if (!isFault(error)) throw error;
    return warning(name, `cannot be told: the journal in the cache is damaged (${error.message})`, "holdfast status, which reads it anew");
  }
}

function checkVerify({ ports, paths }: Pick<Run, "ports" | "paths">): Check {
  const name = "last verify";
  const mend = "holdfast restore latest --target DIR --verify";
  const lastMs = readVerifiedMs(ports.disk, paths);
  if (lastMs === null) return warning(name, "none on this device: nothing proves yet that a restore from here succeeds", mend);
  const text = agoText(lastMs, ports.clock.nowMs());
  return ports.clock.nowMs() - lastMs > VERIFY_AGE_MS_MAX ? warning(name, text, mend) : ok(name, text);
}

/** Of this device's newest complete snapshot, by its own clock. A cache that does not verify: its fault. */
function lastBackupMs({ ports, paths }: Pick<Run, "ports" | "paths">, { vault, account, nodeKey, device }: Identity): number | null {
  if (vault === null) return null;
  const reader = createJournalReader({ vault, account, nodeKey: new Uint8Array(nodeKey), mark: null, verifier: createJournalVerifier() });
  for (const pair of createJournalCache(ports.disk, paths).read()) reader.take(pair);
  let lastMs: number | null = null;
  for (const snapshot of reader.state.snapshots.values()) {
    if (snapshot.complete && equalBytes(snapshot.device, device)) lastMs = Math.max(lastMs ?? 0, snapshot.timeMs);
  }
  return lastMs;
}

function agoText(timeMs: number, nowMs: number): string {
  const age = formatAge(nowMs - timeMs);
  return `${formatTime(timeMs)}, ${age === "just now" ? age : `${age} ago`}`;
}
