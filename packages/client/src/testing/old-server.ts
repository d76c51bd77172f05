/** For tests only: a server of OpenSSL's own that speaks one old version of TLS, at security level 0. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";

export interface OldServer extends AsyncDisposable {
  readonly port: number;
}

export const SKIP_WITHOUT_OPENSSL: string | false = spawnSync("openssl", ["version"]).status === 0 ? false : "NOT RUN: openssl is not on PATH";

/** Answers any GET with a page of status 200, over `version` alone, as in `-tls1`. */
export async function startOldServer({ cert, key }: TlsOptions, version: "-tls1" | "-tls1_1" | "-tls1_2"): Promise<OldServer> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-old-server-"));
  const path = join(folder, "server.pem");
  writeFileSync(path, `${cert}${key}`);
  const server = spawn("openssl", [
    "s_server",
    "-accept",
    "127.0.0.1:0",
    "-www",
    version,
    "-cipher",
    "ALL:@SECLEVEL=0",
    "-cert",
    path,
    "-cert_chain",
    path,
    "-key",
    path,
  ]);
  const port = await portOf(server);
  return {
    port,
    async [Symbol.asyncDispose]() {
      const exited = once(server, "exit");
      server.kill("SIGKILL");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The port that it says it accepts on. */
async function portOf(server: ChildProcess): Promise<number> {
  let said = "";
  for await (const part of server.stdout ?? []) {
    said += part;
    const port = /ACCEPT \S*:(\d+)/.exec(said)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`openssl s_server: does not listen: ${said}`);
}
