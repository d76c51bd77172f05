/**
 * `holdfast-node doctor`: looks at everything around a storage node that decides whether it serves safely, and changes nothing.
 * The node may be running or not. One line for each check; a failed one has the command or change that mends it.
 */
import { join } from "node:path";
import { type Clock, type Disk, isFault, type Random } from "@holdfast/base";
import { createClient } from "@libsql/client/sqlite3";
import { DataFolder, FOLDER_MODE, KEY_MODE } from "../data-folder.ts";
import { findingLines, NodeIdentity, weakTlsSettings } from "../node-identity.ts";
import { RESERVE_BYTES_DEFAULT } from "../store/store.ts";
import { auditList, auditVerify } from "./audit.ts";

export interface DoctorOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly data: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** As `process.versions`. */
  readonly runtime: Readonly<Record<string, string | undefined>>;
  /** User id of this process; `null` where the system has none. */
  readonly uid?: number | null;
  /** Text of the system's list of swap areas, or `null` where there is none. */
  readonly swaps?: string | null;
}

/** `failed` ends in exit code 3; `warning` and `note` do not. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: "ok" | "failed" | "warning" | "note";
  readonly message: string;
}

const KEY_FOLDERS = ["pki", "keys", "admin"] as const;
const FOLDERS = ["", ...KEY_FOLDERS, "store"] as const;
/** Certificates and lists are public; all else in those folders is a key. */
const PUBLIC_FILE = /^(?!.*key).*\.pem$/;
const BUN_MIN = [1, 4, 0] as const;
const CLOCK_SLACK_MS = 5 * 60_000;
/** Sources of trust that this runtime adds to its own list, which no connection of ours uses: each names its roots. */
const EXTRA_TRUST = ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR"] as const;
const SWAPS_FILE = "/proc/swaps";
const SWAPS_BYTES_MAX = 64 * 1024;

/** All checks, in the order of the output. Throws `missing` where no node was made. */
export async function examine(options: DoctorOptions): Promise<DoctorCheck[]> {
  const folder = new DataFolder(options.disk, options.data);
  if (!folder.isInitialised) folder.requireUsable();
  return [
    ...(await guarded("certificates", () => checkCertificates(folder, options))),
    ...checkModes(folder, options),
    ...(await guarded("disk", () => [checkFreeDisk(folder)])),
    ...(await guarded("audit trail", () => checkAuditTrail(folder))),
    ...(await guarded("clock", () => checkClock(folder, options.clock))),
    ...(await guarded("versions", () => checkVersions(options.runtime))),
    ...checkEnvironment(options.environment),
    checkSwap(options),
  ];
}

/** A check as a line of the output. */
export function checkLine({ name, status, message }: DoctorCheck): string {
  return `${status.padEnd(7)}  ${name}: ${message}`;
}

/** What cannot be looked at is a failed check, not the end of the others. */
async function guarded(name: string, check: () => DoctorCheck[] | Promise<DoctorCheck[]>): Promise<DoctorCheck[]> {
  try {
    return await check();
  } catch (error) {
    if (!isFault(error)) throw error;
    return [{ name, status: "failed", message: error.message }];
  }
}

async function checkCertificates(folder: DataFolder, { clock, random }: DoctorOptions): Promise<DoctorCheck[]> {
  const identity = await NodeIdentity.load(folder, { clock, random });
  await identity.renewLists([]);
  const lines = findingLines(await identity.findings());
  if (lines.length > 0) return lines.map((message) => ({ name: "certificates", status: "failed", message }));
  const endMs = await identity.nextExpiryMs();
  return [
    { name: "certificates", status: "ok", message: `pass the gate for ${identity.hostNames.join(", ")}; the first ends ${new Date(endMs).toISOString()}` },
  ];
}

function checkModes(folder: DataFolder, options: DoctorOptions): DoctorCheck[] {
  const uid = options.uid === undefined ? (process.getuid?.() ?? null) : options.uid;
  const wrong: string[] = [];
  const look = (path: string, mode: number): void => {
    const stat = options.disk.stat(path);
    if (stat === null) return;
    if ((stat.mode & 0o777 & ~mode) !== 0) wrong.push(`${path}: mode, got ${octal(stat.mode)}, want ${octal(mode)}; mend: chmod ${octal(mode)} ${path}`);
    if (uid !== null && stat.uid !== uid) wrong.push(`${path}: belongs to user ${stat.uid}, want ${uid}, who runs this; mend: chown`);
  };
  for (const name of FOLDERS) look(join(folder.path, name), FOLDER_MODE);
  for (const name of KEY_FOLDERS) {
    for (const file of folder.list(name))
      if (!PUBLIC_FILE.test(file)) look(join(folder.path, name, file), isFolder(folder, name, file) ? FOLDER_MODE : KEY_MODE);
  }
  if (wrong.length > 0) return wrong.map((message) => ({ name: "files", status: "failed", message }));
  return [{ name: "files", status: "ok", message: "folders and keys are their owner's alone" }];
}

function isFolder(folder: DataFolder, name: string, file: string): boolean {
  return folder.disk.stat(join(folder.path, name, file))?.kind === "folder";
}

function checkFreeDisk(folder: DataFolder): DoctorCheck {
  const freeBytes = folder.disk.freeBytes(folder.path);
  const message = `${freeBytes} bytes free, uploads leave ${RESERVE_BYTES_DEFAULT} alone unless serve --reserve says otherwise`;
  return { name: "disk", status: freeBytes > RESERVE_BYTES_DEFAULT ? "ok" : "failed", message };
}

async function checkAuditTrail(folder: DataFolder): Promise<DoctorCheck[]> {
  const options = { disk: folder.disk, data: folder.path };
  const { findings } = await auditVerify(options);
  const [cipherAudit] = await auditList(options, { action: "cipher-audit", countMax: 1 });
  const checks: DoctorCheck[] = findings.map(({ seq, problem }) => ({ name: "audit trail", status: "failed", message: `row ${seq ?? "?"} ${problem}` }));
  if (checks.length === 0) checks.push({ name: "audit trail", status: "ok", message: "every row is what was written" });
  if (cipherAudit === undefined) checks.push({ name: "cipher audit", status: "note", message: "none is on record; serve runs one at its start" });
  else checks.push({ name: "cipher audit", status: "note", message: `last ${new Date(cipherAudit.atMs).toISOString()}: ${cipherAudit.result}` });
  return checks;
}

/** No other clock is asked: a time before what this node has recorded itself is wrong for certain. */
async function checkClock(folder: DataFolder, clock: Clock): Promise<DoctorCheck[]> {
  const nowMs = clock.nowMs();
  const [newest] = await auditList({ disk: folder.disk, data: folder.path }, { countMax: 1 });
  const knownMs = Math.max(folder.config().createdAtMs, newest?.atMs ?? 0);
  const isBehind = nowMs + CLOCK_SLACK_MS < knownMs;
  const now = new Date(nowMs).toISOString();
  if (isBehind)
    return [{ name: "clock", status: "failed", message: `is behind this node's own records, got ${now}, want after ${new Date(knownMs).toISOString()}` }];
  return [{ name: "clock", status: "ok", message: now }];
}

async function checkVersions(runtime: DoctorOptions["runtime"]): Promise<DoctorCheck[]> {
  const bun = runtime.bun;
  const client = createClient({ url: ":memory:" });
  const sqlite = await client.execute("SELECT sqlite_version()").finally(() => client.close());
  const isRecent = bun !== undefined && compareVersions(bun, BUN_MIN) >= 0;
  return [
    {
      name: "runtime",
      status: isRecent ? "ok" : "failed",
      message: isRecent ? `Bun ${bun}` : `got ${bun ?? "another one"}, want Bun ${BUN_MIN.join(".")} or later`,
    },
    { name: "sqlite", status: "note", message: `bundled version ${String(sqlite.rows[0]?.[0])}` },
  ];
}

function checkEnvironment(environment: DoctorOptions["environment"]): DoctorCheck[] {
  const checks: DoctorCheck[] = weakTlsSettings(environment).map((message) => ({
    name: "environment",
    status: "failed",
    message: `${message}; serve refuses to start, unset it`,
  }));
  for (const name of EXTRA_TRUST) {
    if ((environment[name] ?? "") === "") continue;
    checks.push({ name: "environment", status: "warning", message: `${name} is set; the ports trust our own root only and do not use it` });
  }
  return checks.length > 0 ? checks : [{ name: "environment", status: "ok", message: "nothing in it changes TLS" }];
}

function checkSwap({ disk, swaps }: DoctorOptions): DoctorCheck {
  const text = swaps === undefined ? readSwaps(disk) : swaps;
  const areaCount = (text ?? "").split("\n").filter((line) => line.trim() !== "").length - 1;
  const state = text === null ? "unknown" : areaCount > 0 ? `${areaCount} in use` : "none in use";
  return { name: "swap", status: "note", message: `${state}; this runtime cannot keep pages that hold keys out of swap: encrypt it or turn it off` };
}

function readSwaps(disk: Disk): string | null {
  try {
    const bytes = disk.readFile(SWAPS_FILE, SWAPS_BYTES_MAX);
    return bytes === null || bytes.length === 0 ? null : new TextDecoder().decode(bytes); // A list without areas still has its heading.
  } catch (error) {
    if (isFault(error)) return null;
    throw error;
  }
}

function compareVersions(text: string, other: readonly number[]): number {
  const parts = text.split(".").map((part) => Number.parseInt(part, 10) || 0);
  for (const [index, wanted] of other.entries()) {
    const difference = (parts[index] ?? 0) - wanted;
    if (difference !== 0) return difference;
  }
  return 0;
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(3, "0");
}
