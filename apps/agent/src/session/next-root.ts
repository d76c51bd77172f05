/**
 * The root that is to follow the one in place, as a renewal tells of it while the storage node moves to another (`holdfast-node ca
 * rotate`). It is kept only with the signature of the root in place, and counts only beside that root: after an enrolment under another
 * one, what was kept before is nothing.
 *
 * Order of the change: certificate with its chain under the next root → pin → root → what was kept removed. The gate (tls-files.ts)
 * passes after each of them: until the root is in place, the kept one vouches for the rest.
 */
import { type Bytes, type Disk, Fault, isFault, utf8 } from "@holdfast/base";
import { checkNextRoot, type NextRoot } from "@holdfast/pki";
import { nextRoot } from "@holdfast/protocol";
import { z } from "zod";
import { parseJson, requireIdentity, writeIdentity } from "../state/identity.ts";
import { OWN_FILE_MODE, readOwnFile } from "../state/own-file.ts";
import type { StatePaths } from "../state/state-paths.ts";
import type { Ports } from "./session.ts";

/** Three PEM texts of 16 KiB, their line ends escaped. */
const FILE_BYTES_MAX = 64 * 1024;

/** Checked as of the time it came: its cross certificate may have ended by the time it is needed. */
const keptFile = z.strictObject({ version: z.literal(1), takenAtMs: z.int().min(0), next: nextRoot });

/** Where the root that is to follow lies until it is in place. */
export function nextRootPath(paths: StatePaths): string {
  return `${paths.tlsRoot}.next`;
}

/** Keeps `next`, durable. Not vouched for by `trustedRootPem`: `certificate` or `format`, and nothing is kept. */
export async function keepNextRoot({ disk, clock }: Ports, paths: StatePaths, trustedRootPem: string, next: NextRoot): Promise<void> {
  const takenAtMs = Math.floor(clock.nowMs());
  await checkNextRoot(trustedRootPem, next, takenAtMs);
  const bytes = utf8(JSON.stringify({ version: 1, takenAtMs, next }));
  if (bytes.length > FILE_BYTES_MAX) throw new Fault("limit", `next root: too long, got ${bytes.length} bytes, want at most ${FILE_BYTES_MAX}`);
  disk.writeFile(nextRootPath(paths), bytes, OWN_FILE_MODE);
}

/** What is kept, if `trustedRootPem` vouches for it; else `null`. A file that others can read: `denied`. */
export async function readNextRoot(disk: Disk, paths: StatePaths, trustedRootPem: string): Promise<NextRoot | null> {
  const path = nextRootPath(paths);
  const bytes = readOwnFile(disk, path, FILE_BYTES_MAX);
  if (bytes === null) return null;
  try {
    const { takenAtMs, next } = keptFile.parse(parseJson(bytes, path));
    await checkNextRoot(trustedRootPem, next, takenAtMs);
    return next;
  } catch (error) {
    if (isFault(error) || error instanceof z.ZodError) return null; // Damaged, or of another root: as if it had not come.
    throw error;
  }
}

/** Puts the root that was kept in the place of the present one, and its hash in the place of the pin. */
export function placeNextRoot(disk: Disk, paths: StatePaths, { chainPem, rootPem, spkiSha256 }: PlacedRoot): void {
  disk.writeFile(paths.tlsCertificate, utf8(chainPem), OWN_FILE_MODE);
  // Read anew: the vault may have been noted there since the run began.
  writeIdentity(disk, paths, { ...requireIdentity(disk, paths), rootSpkiSha256: spkiSha256 });
  disk.writeFile(paths.tlsRoot, utf8(rootPem), OWN_FILE_MODE);
  disk.remove(nextRootPath(paths));
}

/** What `placeNextRoot` writes. */
export interface PlacedRoot {
  /** Leaf, then intermediate, under `rootPem`. */
  readonly chainPem: string;
  readonly rootPem: string;
  /** SHA-256 of the root's SPKI. */
  readonly spkiSha256: Bytes;
}
