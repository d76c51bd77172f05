/**
 * Completes package-lock.json: `npm ci` refuses a lock in which an optional package of another platform has no entry, and `npm install`
 * writes none where the registry at hand does not carry that platform. `npm run lock` does both; `npm install` keeps what is there.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ROOT } from "./runtimes.mjs";

const OS = {
  darwin: "darwin",
  linux: "linux",
  linuxmusl: "linux",
  win32: "win32",
  windows: "win32",
  android: "android",
  freebsd: "freebsd",
  netbsd: "netbsd",
  openbsd: "openbsd",
  sunos: "sunos",
  aix: "aix",
};
const CPU = {
  x64: "x64",
  64: "x64",
  arm64: "arm64",
  aarch64: "arm64",
  arm: "arm",
  armv7: "arm",
  ia32: "ia32",
  x86: "ia32",
  ppc64: "ppc64",
  s390x: "s390x",
  riscv64: "riscv64",
  loong64: "loong64",
  wasm32: "wasm32",
};

/** The entries that `lock` lacks, by path. */
export function missingEntries(lock) {
  const missing = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      const place = resolvePlace(lock.packages, path, name);
      if (place === null) missing[`node_modules/${name}`] = stubOf(name, version, entry);
    }
  }
  return missing;
}

/** Where Node would find `name` from `path`: in the folder itself, then in each one above that has packages; `null` when nowhere. */
function resolvePlace(packages, path, name) {
  const parts = path === "" ? [] : path.split("/node_modules/");
  for (let count = parts.length; count >= 0; count--) {
    const folder = parts.slice(0, count).join("/node_modules/");
    const place = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (place in packages) return place;
  }
  return null;
}

function stubOf(name, version, parent) {
  const words = name.split(/[/@-]/);
  const os = words.map((word) => OS[word]).find(Boolean);
  const cpu = words.map((word) => CPU[word]).find(Boolean);
  if (os === undefined && cpu === undefined) throw new Error(`lock: cannot tell the platform of ${name}; add its entry by hand`);
  return {
    version,
    ...(cpu ? { cpu: [cpu] } : {}),
    ...(parent.dev ? { dev: true } : {}),
    optional: true,
    ...(os ? { os: [os] } : {}),
    ...(words.includes("musl") ? { libc: ["musl"] } : {}),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(ROOT, "package-lock.json");
  const lock = JSON.parse(readFileSync(path, "utf8"));
  const missing = missingEntries(lock);
  const sorted = Object.entries({ ...lock.packages, ...missing }).sort(([left], [right]) => left.localeCompare(right, "en"));
  if (Object.keys(missing).length > 0) writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`);
  console.log(`lock: entries added ${Object.keys(missing).length}`);
}
