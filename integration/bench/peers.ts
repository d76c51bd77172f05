/**
 * The peers, each as it comes: encryption on, zstd at level 3 where there are levels, a local repository. Found on PATH
 * or by RESTIC=, BORG=, KOPIA=, RUSTIC=. Their caches lie beside the repository and are not counted as stored.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bytesBelow, call, type Measured, measure, type RunOptions } from "./measure.ts";
import type { Program, Session } from "./program.ts";

const PASSWORD = "bench";

/** The peers that this machine has, of those that `names` lists. */
export async function findPeers(names: readonly string[]): Promise<Program[]> {
  const found: Program[] = [];
  for (const [name, create] of Object.entries(PEERS)) {
    const path = names.includes(name) ? locate(name) : null;
    if (path === null) continue;
    const version = await call([path, name === "restic" ? "version" : "--version"]);
    const number = /\d+\.\d+(\.\d+)?/.exec(version)?.[0] ?? "of unknown version";
    found.push({ name, title: `${name} ${number}`, prepare: (folder) => create(path, folder) });
  }
  return found;
}

export const PEER_NAMES: readonly string[] = ["restic", "borg", "kopia", "rustic"];

const PEERS: Record<string, (path: string, folder: string) => Promise<Session>> = {
  restic: prepareRestic,
  borg: prepareBorg,
  kopia: prepareKopia,
  rustic: prepareRustic,
};

function locate(name: string): string | null {
  const given = process.env[name.toUpperCase()];
  if (given !== undefined) return given;
  for (const folder of (process.env.PATH ?? "").split(":")) {
    if (folder !== "" && existsSync(join(folder, name))) return join(folder, name);
  }
  return null;
}

async function prepareRestic(path: string, folder: string): Promise<Session> {
  const store = join(folder, "store");
  const options: RunOptions = { env: { RESTIC_PASSWORD: PASSWORD, RESTIC_REPOSITORY: store, RESTIC_CACHE_DIR: join(folder, "cache") } };
  await call([path, "init"], options);
  return session(store, {
    backup: (source) => measure([path, "backup", "--quiet", "--compression", "auto", source], options),
    restore: (_source, target) => measure([path, "restore", "--quiet", "latest", "--target", target], options),
    check: () => measure([path, "check", "--quiet", "--read-data"], options),
  });
}

async function prepareBorg(path: string, folder: string): Promise<Session> {
  const store = join(folder, "store");
  const options: RunOptions = { env: { BORG_PASSPHRASE: PASSWORD, BORG_REPO: store, BORG_BASE_DIR: join(folder, "base"), BORG_FILES_CACHE_TTL: "20" } };
  await call([path, "init", "--encryption", "repokey-blake2"], options);
  let archives = 0;
  return session(store, {
    backup: (source) => {
      archives++;
      return measure([path, "create", "--compression", "zstd,3", `::a${archives}`, source], options);
    },
    restore: (_source, target) => measure([path, "extract", `::a${archives}`], { ...options, cwd: target }),
    check: () => measure([path, "check", "--verify-data"], options),
  });
}

async function prepareKopia(path: string, folder: string): Promise<Session> {
  const store = join(folder, "store");
  const config = join(folder, "kopia.config");
  const flags = ["--config-file", config, "--password", PASSWORD, "--no-progress"];
  const options: RunOptions = { env: { KOPIA_CACHE_DIRECTORY: join(folder, "cache"), KOPIA_CHECK_FOR_UPDATES: "false" } };
  await call(["mkdir", "-p", store]);
  await call([path, "repository", "create", "filesystem", "--path", store, "--cache-directory", join(folder, "cache"), ...flags], options);
  await call([path, "policy", "set", "--global", "--compression", "zstd", ...flags], options);
  return session(store, {
    backup: (source) => measure([path, "snapshot", "create", source, ...flags], options),
    restore: (source, target) => measure([path, "snapshot", "restore", source, join(target, "out"), ...flags], options),
    check: () => measure([path, "snapshot", "verify", "--verify-files-percent", "100", ...flags], options),
  });
}

async function prepareRustic(path: string, folder: string): Promise<Session> {
  const store = join(folder, "store");
  const flags = ["--repository", store, "--password", PASSWORD, "--cache-dir", join(folder, "cache"), "--no-progress"];
  await call([path, ...flags, "init", "--set-compression", "3"]);
  return session(store, {
    backup: (source) => measure([path, ...flags, "backup", source]),
    restore: (_source, target) => measure([path, ...flags, "restore", "latest", target]),
    check: () => measure([path, ...flags, "check", "--read-data"]),
  });
}

interface Steps {
  readonly backup: (source: string) => Promise<Measured>;
  readonly restore: (source: string, target: string) => Promise<Measured>;
  readonly check: () => Promise<Measured>;
}

function session(store: string, steps: Steps): Session {
  return { ...steps, storedBytes: () => bytesBelow(store), close: async () => {} };
}
