/**
 * Bundles TypeScript for runtimes that run none. Workers are files of their own: a file that says `new Worker` names them by
 * `new URL("./x.ts", import.meta.url)` or by a text that ends with `worker.ts"`; each is bundled too, and its name is replaced.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./runtimes.mjs";

const ADDRESS_OF_SOURCE = /(?<=new URL\(\s*)(["'])(\.{1,2}\/[^"'\n]+\.ts)\1(?=\s*,\s*import\.meta\.url)/g;
const NAME_OF_WORKER = /(?<!\bfrom )(?<!\bimport )(?<!\bimport\()(["'])(\.{1,2}\/[^"'\n]*worker\.ts)\1/g;

const OPTIONS = { bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "silent", legalComments: "none" };
/** For programs: every thread parses the whole file, so white space and dead code are paid for several times. Names stay, for stack traces. */
const COMPACT = { minifyWhitespace: true, minifySyntax: true };

/**
 * Bundles a program and its workers beside it. `external` names packages that stay outside; `banner` goes on top of every file.
 * Resolves with the paths written; throws esbuild's errors.
 */
export async function bundleProgram({ entry, outfile, external, banner }) {
  const nameWorker = (source) => ({
    outfile: join(dirname(outfile), basename(source).replace(/\.ts$/, ".mjs")),
    address: `./${basename(source).replace(/\.ts$/, ".mjs")}`,
  });
  return bundleWithWorkers(entry, outfile, { ...OPTIONS, ...COMPACT, external, banner: { js: banner } }, { nameWorker, inPlace: false });
}

/**
 * Bundles each of `files` (tests, relative to `folder`) for Node 20. Our own packages go into the bundle, those from npm stay outside.
 * `import.meta.url` stays the address of the source, so that tests find their vectors. Resolves with the written files and, per file that failed, why.
 */
export async function bundleTests(folder, files, outFolder) {
  const outFiles = [];
  const errors = [];
  const nameWorker = (source) => {
    const outfile = join(outFolder, "workers", `${source.slice(ROOT.length + 1).replace(/[/\\]/g, "-")}.mjs`);
    return { outfile, address: pathToFileURL(outfile).href };
  };
  for (const file of files) {
    const outfile = join(outFolder, file.replace(/\.ts$/, ".mjs"));
    try {
      await bundleWithWorkers(join(folder, file), outfile, { ...OPTIONS, sourcemap: "inline" }, { nameWorker, inPlace: true });
      outFiles.push(outfile);
    } catch (error) {
      errors.push({ file, message: error.message });
    }
  }
  return { outFiles, errors };
}

async function bundleWithWorkers(entry, outfile, options, { nameWorker, inPlace }) {
  const { build } = await import("esbuild");
  const outfiles = new Map([[entry, outfile]]);
  for (const [source, target] of outfiles) {
    const addWorker = (worker) => {
      const { outfile: workerFile, address } = nameWorker(worker);
      if (!outfiles.has(worker)) outfiles.set(worker, workerFile); // A Map visits what is added while it is walked.
      return address;
    };
    const plugins = [rewriteSources(addWorker, inPlace), ...(inPlace ? [leaveForeignOutside()] : [embedZstd()])];
    await build({ ...options, entryPoints: [source], outfile: target, plugins });
  }
  return [...outfiles.values()];
}

/** `@bokuweb/zstd-wasm` reads its module from a file beside itself; a program of one file carries it inside. */
function embedZstd() {
  const READS_FILE = "yield readFile(resolve(__dirname, './zstd.wasm'))";
  return {
    name: "embed-zstd",
    setup(build) {
      build.onLoad({ filter: /[/\\]zstd-wasm[/\\]dist[/\\]common[/\\]index\.node\.js$/ }, ({ path }) => {
        const source = readFileSync(path, "utf8");
        if (!source.includes(READS_FILE)) return { errors: [{ text: "zstd-wasm loads its module in another way than this plug-in knows" }] };
        const module = readFileSync(join(dirname(path), "zstd.wasm")).toString("base64");
        return { contents: source.replace(READS_FILE, `Buffer.from("${module}", "base64")`), loader: "js" };
      });
    },
  };
}

function leaveForeignOutside() {
  return {
    name: "leave-foreign-outside",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, (args) =>
        args.path.startsWith("@holdfast/") || args.kind === "entry-point" ? undefined : { path: args.path, external: true },
      );
    },
  };
}

/** Replaces the names of workers and, `inPlace`, what a file asks about its own place. */
function rewriteSources(addWorker, inPlace) {
  return {
    name: "rewrite-sources",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, (args) => {
        let contents = readFileSync(args.path, "utf8");
        if (!contents.includes("import.meta")) return undefined;
        const rename = (_whole, _quote, path) => JSON.stringify(addWorker(resolve(dirname(args.path), path)));
        if (contents.includes("new Worker")) contents = contents.replace(ADDRESS_OF_SOURCE, rename).replace(NAME_OF_WORKER, rename);
        if (inPlace) {
          contents = contents
            .replaceAll("import.meta.url", JSON.stringify(pathToFileURL(args.path).href))
            .replaceAll("import.meta.dirname", JSON.stringify(dirname(args.path)))
            .replaceAll("import.meta.filename", JSON.stringify(args.path));
        }
        return { contents, loader: "ts" };
      });
    },
  };
}
