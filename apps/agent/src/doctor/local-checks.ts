/** What `holdfast doctor` sees on this machine alone: runtime, environment, state folder, room. */
import { type Disk, isFault } from "@holdfast/base";
import { dialRuntime, dialTls } from "@holdfast/client";
import { EXIT_CODES, exitCodeOf } from "../cli/exit-codes.ts";
import type { Run } from "../cli/run.ts";
import { formatSize } from "../cli/sizes.ts";
import { readConfig } from "../config/config-file.ts";
import { weakeningVariables } from "../session/tls-environment.ts";
import { nextKeyPath, oldPairPaths } from "../session/tls-files.ts";
import type { StatePaths } from "../state/state-paths.ts";
import { type Check, failed, ok, warning } from "./check.ts";

const OTHERS = 0o077;
const NODE_MAJOR_MIN = 20;
const FREE_BYTES_LOW = 512 * 1024 ** 2;
/** Not even the journal and the index of one run are sure to fit. */
const FREE_BYTES_MIN = 64 * 1024 ** 2;

export function checkRuntime({ runtime, version }: Pick<Run, "runtime" | "version">): Check {
  const text = `holdfast ${version} under ${runtime}`;
  const [name, number = ""] = runtime.split(" ");
  if (name === "node" && Number.parseInt(number, 10) < NODE_MAJOR_MIN)
    return failed(
      "runtime",
      `${text}: too old, want Node ${NODE_MAJOR_MIN} or later`,
      `install Node ${NODE_MAJOR_MIN} or later, Bun or Deno`,
      EXIT_CODES.failed,
    );
  return ok("runtime", text);
}

/** One line for each variable, or one that says there is none. */
export function checkEnvironment(environment: Run["environment"]): Check[] {
  const found = weakeningVariables(environment);
  if (found.length === 0) return [ok("environment", "no variable weakens TLS")];
  return found.map(({ name, effect, isRefused }) => {
    const mend = `unset ${name}`;
    return isRefused
      ? failed("environment", `${name} ${effect}: nothing is dialled while it is set`, mend, EXIT_CODES.refused)
      : warning("environment", `${name} ${effect}`, mend);
  });
}

/** The configuration as a whole, and the TLS profile that it, the environment and the options come to. */
export function checkConfiguration(run: Pick<Run, "ports" | "configFile" | "tlsProfile">): Check {
  const name = "configuration";
  try {
    readConfig(run.ports.disk, run.configFile);
    const profile = run.tlsProfile();
    dialTls(profile, dialRuntime());
    if (profile === "v8r4")
      return warning(name, "TLS profile v8r4 offers TLS 1.0 and 1.1, which are broken", 'tls = "modern", as soon as the storage node can');
    return ok(name, `TLS profile ${profile}`);
  } catch (error) {
    if (!isFault(error)) throw error;
    return failed(name, error.message, "correct it as the message says", exitCodeOf(error));
  }
}

export function checkMemory(): Check {
  return ok("key memory", "the runtime cannot keep pages with keys from being swapped out: use encrypted swap, or none, where that matters");
}

/** Mode and owner of the state folder and of each file in it that is secret or trusted. */
export function checkStateFiles(run: Pick<Run, "ports" | "paths" | "userId">): Check[] {
  const { ports, paths, userId } = run;
  const wrong: Check[] = [];
  let count = 0;
  for (const [path, wanted] of ownPaths(paths)) {
    const found = ports.disk.stat(path);
    if (found === null) continue;
    count++;
    if ((found.mode & OTHERS) !== 0) {
      const message = `${path} is open to others: mode ${octal(found.mode)}, want ${octal(wanted)}`;
      wrong.push(failed("file modes", message, `chmod ${wanted.toString(8)} ${path}; if others use this machine, enrol afresh`, EXIT_CODES.refused));
    }
    if (userId !== null && found.uid !== userId) {
      const message = `${path} belongs to user ${found.uid}, while this is run by user ${userId}`;
      wrong.push(failed("ownership", message, `run as that user, or chown ${userId} ${path}`, EXIT_CODES.refused));
    }
  }
  return wrong.length > 0 ? wrong : [ok("file modes", `${paths.root}: ${count} paths are this user's own and closed to others`)];
}

/** Free room where the state and the cache lie. */
export function checkRoom({ ports, paths }: Pick<Run, "ports" | "paths">): Check[] {
  return (["state", "cache"] as const).map((name) => {
    const path = nearestFolder(ports.disk, name === "state" ? paths.root : paths.cache);
    const check = `room for ${name}`;
    try {
      return roomCheck(check, path, ports.disk.freeBytes(path));
    } catch (error) {
      if (!isFault(error)) throw error;
      return warning(check, `${path}: cannot be told: ${error.message}`, "look with: df");
    }
  });
}

function roomCheck(name: string, path: string, freeBytes: number): Check {
  const text = `${formatSize(freeBytes)} free at ${path}`;
  if (freeBytes < FREE_BYTES_MIN)
    return failed(name, `${text}, want at least ${formatSize(FREE_BYTES_MIN)}`, "make room there, or move the folder: --state DIR", EXIT_CODES.space);
  if (freeBytes < FREE_BYTES_LOW) return warning(name, text, "make room there");
  return ok(name, text);
}

/** Paths with the mode that they should have. */
function ownPaths(paths: StatePaths): (readonly [path: string, mode: number])[] {
  const { identity, deviceKey, tlsKey, tlsCertificate, tlsRoot, deviceSlot, deviceSlotKey, mark } = paths;
  const old = oldPairPaths(paths);
  const files = [identity, deviceKey, tlsKey, tlsCertificate, tlsRoot, deviceSlot, deviceSlotKey, mark, nextKeyPath(paths), old.key, old.certificate];
  return [[paths.root, 0o700], ...files.map((file) => [file, 0o600] as const), [paths.cache, 0o700]];
}

/** The folder, or the one above it that is there. */
function nearestFolder(disk: Disk, path: string): string {
  let at = path;
  while (at !== "/" && disk.stat(at)?.kind !== "folder") at = at.slice(0, at.lastIndexOf("/")) || "/";
  return at;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
