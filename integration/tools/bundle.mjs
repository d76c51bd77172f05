/**
 * Bundles TypeScript for Node 20, which runs none. Our own packages go into the bundle; packages from npm stay outside.
 * `import.meta.url` in a test bundle is the address of its source file, so that tests find their vectors; a worker that is named by
 * `new URL("./x.ts", import.meta.url)` is bundled too and its address points to the bundle.
 */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./runtimes.mjs";

const WORKER_ADDRESS = /new URL\(\s*["'](\.{1,2}\/[^"']+\.ts)["']\s*,\s*import\.meta\.url\s*,?\s*\)/g;

/** What every bundle for Node shares. The `require` is for packages in CommonJS that were bundled or are asked for by name. */
export function nodeOptions() {
  return {
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "silent",
    legalComments: "none",
  };
}

/** Bundles each of `files` (relative to `folder`) to `outFolder`. Resolves with the written files and, per file that failed, why. */
export async function bundleTests(folder, files, outFolder) {
  const outFiles = [];
  const errors = [];
  for (const file of files) {
    const outfile = join(outFolder, file.replace(/\.ts$/, ".mjs"));
    try {
      await bundleOne(join(folder, file), outfile, join(outFolder, "workers"), new Set());
      outFiles.push(outfile);
    } catch (error) {
      errors.push({ file, message: error.message });
    }
  }
  return { outFiles, errors };
}

async function bundleOne(entry, outfile, workerFolder, seen) {
  const { build } = await import("esbuild");
  const workers = new Map();
  await build({ ...nodeOptions(), entryPoints: [entry], outfile, plugins: [outsideUnlessOurs(), sourceAddresses(workers, workerFolder)], sourcemap: "inline" });
  for (const [source, target] of workers) {
    if (seen.has(target)) continue;
    seen.add(target);
    await bundleOne(source, target, workerFolder, seen);
  }
}

/** Leaves every package from npm outside the bundle. */
export function outsideUnlessOurs() {
  return {
    name: "outside-unless-ours",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, (args) =>
        args.path.startsWith("@holdfast/") || args.kind === "entry-point" ? undefined : { path: args.path, external: true },
      );
    },
  };
}

/** Rewrites `import.meta.url` and its kin to the place of the source file, and collects the workers that it names. */
function sourceAddresses(workers, workerFolder) {
  return {
    name: "source-addresses",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, (args) => {
        let contents = readFileSync(args.path, "utf8");
        if (!contents.includes("import.meta")) return undefined;
        contents = contents.replace(WORKER_ADDRESS, (whole, path) => {
          const source = resolve(dirname(args.path), path);
          if (path.endsWith(".test.ts")) return whole;
          const target = join(workerFolder, `${source.slice(ROOT.length + 1).replace(/[/\\]/g, "-")}.mjs`);
          workers.set(source, target);
          return `new URL(${JSON.stringify(pathToFileURL(target).href)})`;
        });
        contents = contents
          .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(args.path).href))
          .replaceAll("import.meta.dirname", JSON.stringify(dirname(args.path)))
          .replaceAll("import.meta.filename", JSON.stringify(args.path));
        return { contents, loader: "ts" };
      });
    },
  };
}
