/** How many files a backup opens and reads, told by the kernel. */
import { join } from "node:path";
import type { RuntimeName } from "../../tools/runtimes.mjs";
import type { Installation } from "./installation.ts";
import { runOk } from "./run.ts";

export interface ReadCounts {
  /** Files below the source that were opened, folders not counted. */
  readonly filesOpened: number;
  /** Reads from such files. */
  readonly fileReads: number;
  readonly wallMs: number;
}

/** Backs `source` up under strace, and counts what the agent did to files below it. */
export async function countReads(installation: Installation, source: string, runtime: RuntimeName): Promise<ReadCounts> {
  const { agent, scratch } = installation;
  const trace = scratch.at("strace");
  const strace = ["strace", "-f", "-y", "-qq", "-s", "0", "-o", trace, "-e", "trace=open,openat,openat2,read,pread64,readv,preadv,preadv2,mmap"];
  const ran = await runOk([...strace, ...agent.under(runtime).command("backup", source)]);
  // Opened files show their path behind the descriptor that the call returned: `= 17</path>`; folders are opened with O_DIRECTORY.
  const opened = await countLines(trace, `grep -E '^[0-9]+ +open' "$1" | grep -v O_DIRECTORY | grep -v O_PATH | grep -F "<${source}/" | wc -l`);
  const reads = await countLines(trace, `grep -E '^[0-9]+ +(read|pread|mmap)' "$1" | grep -F "<${source}/" | wc -l`);
  await runOk(["rm", "-f", join(trace)]);
  return { filesOpened: opened, fileReads: reads, wallMs: ran.wallMs };
}

async function countLines(trace: string, script: string): Promise<number> {
  return Number((await runOk(["sh", "-c", script, "sh", trace])).stdout.trim());
}
