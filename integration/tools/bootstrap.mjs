/**
 * Installs what is missing, so that every command works right after `git clone`. Nothing happens when node_modules already holds
 * what the lock asks for; contents are compared, not times, because a clone has no meaningful times.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ROOT } from "./runtimes.mjs";

/** Folders with a lock of their own. Node 24 has one, because a Node in the root would shadow `node` in every script. */
const LOCKED_FOLDERS = [ROOT, join(ROOT, ".runtimes", "node24")];

/** Makes every locked folder hold what its lock asks for. Exits the process when npm fails: nothing can run without. */
export function bootstrap() {
  for (const folder of LOCKED_FOLDERS) {
    const reason = whyInstall(folder);
    if (reason === null) continue;
    console.log(`bootstrap: npm ci in ${folder === ROOT ? "the root" : ".runtimes/node24"} (${reason})`);
    const run = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=warn"], {
      cwd: folder,
      stdio: ["ignore", "inherit", "inherit"],
      shell: process.platform === "win32",
    });
    if (run.status !== 0) {
      console.error("bootstrap: npm ci failed; see the lines above");
      process.exit(1);
    }
  }
}

/** Why `folder` needs `npm ci`, or `null` when it does not. */
export function whyInstall(folder) {
  const installedPath = join(folder, "node_modules", ".package-lock.json");
  if (!existsSync(installedPath)) return "nothing is installed";
  const wanted = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")).packages;
  const installed = JSON.parse(readFileSync(installedPath, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith("node_modules/") || entry.link) continue;
    const there = installed[path];
    if (there === undefined && entry.optional) continue; // For another platform, or missing there.
    if (there === undefined) return `${path} is missing`;
    if (there.version !== entry.version) return `${path} is ${there.version}, the lock wants ${entry.version}`;
  }
  return null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) bootstrap();
