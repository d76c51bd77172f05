/** `holdfast-node tls audit` as a process: what it prints and how it ends. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { ALL_SUITES, SKIP_OPENSSL, WeakBench, type WeakServer } from "../tls-audit/testing/weak-server.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const LIMITED = { skip: SKIP_OPENSSL, timeout: 60_000 };

/** Not spawnSync: some of the servers that it asks live in this process. */
async function audit(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, "tls", "audit", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const status = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}

async function withServers(work: (servers: { weak: WeakServer; good: WeakServer }) => Promise<void>): Promise<void> {
  using bench = new WeakBench();
  const root = bench.selfSigned("-newkey", "rsa:2048", "-days", "2");
  const leaf = bench.selfSigned("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2", "-CA", root.cert, "-CAkey", root.key);
  using weak = await bench.openssl(root, "-tls1", "-cipher", ALL_SUITES);
  using good = await bench.openssl(leaf, "-tls1_3");
  await work({ weak, good });
}

/** Serves a control socket that answers everything with `status` and `body`. */
async function withControl(status: number, body: object, work: (data: string) => Promise<void>): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), "holdfast-audit-"));
  const server = createHttpServer((_request, response) => void response.writeHead(status).end(JSON.stringify(body)));
  await new Promise<void>((resolve) => server.listen(join(data, "control.sock"), resolve));
  try {
    await work(data);
  } finally {
    server.close();
    rmSync(data, { recursive: true, force: true });
  }
}

describe("holdfast-node tls audit", () => {
  it("ends with 0 where none is reachable, and with 1 where it names what is", LIMITED, () =>
    withServers(async ({ weak, good }) => {
      const clean = await audit("--host", `127.0.0.1:${good.port}`);
      assert.deepEqual([clean.status, clean.stdout], [0, `127.0.0.1:${good.port}: speaks TLS 1.3\ncipher audit: none reachable\n`], clean.stderr);
      const dirty = await audit("--host", `localhost:${weak.port}`);
      assert.equal(dirty.status, 1);
      assert.match(dirty.stdout, /^critical {2}localhost:\d+: TLS 1\.0 {2}TLS_RSA_WITH_NULL_MD5 0x0001 {2}NULL encryption$/m);
      assert.match(dirty.stdout, /^medium {4}localhost:\d+: TLS 1\.0 {2}obsolete protocol$/m);
    }),
  );

  it("prints one line of JSON", LIMITED, () =>
    withServers(async ({ weak }) => {
      const { status, stdout } = await audit("--host", `127.0.0.1:${weak.port}`, "--json");
      const report = JSON.parse(stdout);
      assert.deepEqual(
        [status, stdout.trimEnd().includes("\n"), report.worst, report.openssl, report.ports[0].reachableProtocols],
        [1, false, "critical", null, ["TLS 1.0"]],
      );
    }),
  );

  it("asks the running node for its ports, and reads the machine's policy beside them", LIMITED, () =>
    withServers(({ weak, good }) =>
      withControl(200, { agentPort: good.port, frontPort: weak.port, listenHost: "0.0.0.0", hostNames: ["127.0.0.1", "localhost"] }, async (data) => {
        const { status, stdout } = await audit("--data", data);
        assert.equal(status, 1);
        assert.match(stdout, /^agent port \(127\.0\.0\.1:\d+\): speaks TLS 1\.3$/m);
        assert.match(stdout, /^front port \(127\.0\.0\.1:\d+\): speaks TLS 1\.0$/m);
        assert.match(stdout, /^OpenSSL of this machine: /m);
        assert.match(stdout, /\ncipher audit: front port: [^\n]+\n$/);
      }),
    ),
  );

  it("ends with 5 where nothing answers, no TLS does, or no node runs", LIMITED, async () => {
    const server = createServer((socket) => void socket.on("error", () => undefined).end("220 smtp.example.org ESMTP\r\n", () => socket.destroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const other = await audit("--host", `127.0.0.1:${port}`);
    server.close();
    assert.deepEqual([other.status, /the answer is not TLS/.test(other.stdout)], [5, true], other.stdout);
    const gone = await audit("--host", `127.0.0.1:${port}`);
    assert.deepEqual([gone.status, /cannot be connected to/.test(gone.stdout)], [5, true]);
    assert.equal((await audit("--data", join(tmpdir(), "holdfast-nowhere"))).status, 5);
  });

  it("ends with 2 for arguments that are wrong, or a node that does not tell its ports", LIMITED, async () => {
    for (const args of [[], ["--host", "a"], ["--host", "a:0"], ["--host", "a:70000"], ["--host", "a b:443"], ["--unknown"]]) {
      assert.equal((await audit(...args)).status, 2, args.join(" "));
    }
    for (const [status, body] of [
      [404, { code: "missing" }],
      [200, { agentPort: "x" }],
    ] as const) {
      await withControl(status, body, async (data) => {
        const refused = await audit("--data", data);
        assert.deepEqual([refused.status, /--host HOST:PORT/.test(refused.stderr)], [2, true], refused.stderr);
      });
    }
  });

  it("has a help with examples and exit codes", LIMITED, async () => {
    const { status, stdout } = await audit("--help");
    assert.equal(status, 0);
    assert.match(stdout, /Examples:\n {2}holdfast-node tls audit --data[\s\S]*Exit codes: 0 nothing of medium/);
  });
});
