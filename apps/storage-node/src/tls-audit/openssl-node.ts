/** Runs the machine's `openssl`, without a shell, bounded in time and output. */
import { execFile } from "node:child_process";
import type { RunOpenssl } from "./openssl-policy.ts";

const RUN_MS_MAX = 10_000;
const OUTPUT_BYTES_MAX = 1024 * 1024;

export const runOpensslNode: RunOpenssl = (args) =>
  new Promise((resolve) => {
    execFile("openssl", [...args], { timeout: RUN_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, encoding: "utf8" }, (error, stdout) =>
      resolve(error === null ? stdout : null),
    );
  });
