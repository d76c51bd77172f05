/** The program itself, as a process: what its commands print, make, refuse and leave behind. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { bytesToHex } from "@holdfast/base";
import { createSystemRandom } from "@holdfast/base/node";
import { sha256 } from "@holdfast/crypto/hash";
import { createSigner, generateSigningKey } from "@holdfast/crypto/signature";
import { unlockPrivateKey } from "@holdfast/pki";
import { asLeaseId, encodeMessage, parseInvite, RECORD_KINDS } from "@holdfast/protocol";
import { testKey } from "@holdfast/testkit";
import { enrollDevice, TestClient } from "./testing/test-client.ts";
import { randomFrame } from "./testing/vault-fixture.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const LIMITED = { timeout: 60_000 };

let folder: string;
let data: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-cli-"));
  data = join(folder, "data");
  writeFileSync(join(folder, "passphrase"), "a long passphrase\n");
});
after(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

/** Starts `serve` on free ports and waits for the line that names them. */
function serve(...args: string[]): Promise<{ child: ChildProcess; ports: { agentPort: number; frontPort: number; host: string } }> {
  const child = spawn(
    process.execPath,
    [MAIN, "serve", "--data", data, "--listen", "127.0.0.1", "--agent-port", "0", "--front-port", "0", "--reserve", "0", "--json", ...args],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (line) => resolve({ child, ports: JSON.parse(String(line)) }));
    child.once("close", (code) => reject(new Error(`serve ended with ${code}`)));
  });
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    child.once("close", resolve);
    child.kill(signal);
  });
}

describe("holdfast-node", () => {
  it("init makes keys and certificates that only their owner can read, and the root's key locked", LIMITED, async () => {
    const { status, stdout } = run(
      "init",
      "--data",
      data,
      "--name",
      "localhost",
      "--name",
      "127.0.0.1",
      "--passphrase-file",
      join(folder, "passphrase"),
      "--json",
    );
    assert.equal(status, 0);
    const result = JSON.parse(stdout);
    assert.deepEqual([result.hostNames, result.rootPassphrase], [["localhost", "127.0.0.1"], undefined]);
    assert.equal(statSync(data).mode & 0o777, 0o700);
    for (const file of [
      "pki/intermediate-key.pem",
      "pki/root-key.locked.pem",
      "keys/node.seed",
      "keys/archive.key",
      "keys/import.key",
      "admin/device.seed",
      "admin/tls-key.pem",
    ]) {
      assert.equal(statSync(join(data, file)).mode & 0o777, 0o600, file);
    }
    const locked = readFileSync(join(data, "pki/root-key.locked.pem"), "utf8");
    assert.match(await unlockPrivateKey(locked, "a long passphrase"), /BEGIN PRIVATE KEY/);
    await assert.rejects(unlockPrivateKey(locked, "another passphrase"));
  });

  it("init does not touch a folder that holds something", LIMITED, () => {
    const { status, stderr } = run("init", "--data", data, "--passphrase-file", join(folder, "passphrase"));
    assert.equal(status, 4);
    assert.match(stderr, /not empty/);
  });

  it("init draws a passphrase when none is given, and shows it", LIMITED, () => {
    const { status, stdout } = run("init", "--data", join(folder, "drawn"), "--json");
    assert.equal(status, 0);
    assert.equal(JSON.parse(stdout).rootPassphrase.length, 24);
  });

  it("serves, invites, stores, stops cleanly on SIGTERM, and has it all again", LIMITED, async () => {
    const first = await serve();
    const invited = run("invite", "--data", data, "--account", "ada", "--roles", "agent,maintainer", "--json");
    assert.equal(invited.status, 0);
    const invite = parseInvite(JSON.parse(invited.stdout).code);
    assert.deepEqual([invite.host, invite.agentPort, invite.frontPort], ["localhost", first.ports.agentPort, first.ports.frontPort]);
    const root = readFileSync(join(data, "pki/root.pem"), "utf8");
    const signer = createSigner(generateSigningKey(createSystemRandom()).seed);
    const { identity } = await enrollDevice(invite, root, signer);
    const vault = testKey(51).vaultId;
    const frame = randomFrame(RECORD_KINDS.contentPack, 1_200_000);
    {
      using client = new TestClient("localhost", first.ports.agentPort, root, signer, identity);
      await client.send({ target: "/v1/vaults", body: encodeMessage({ vault }) });
      const store = client.recordStore(vault);
      const lease = asLeaseId((await store.lease(null)).lease);
      assert.deepEqual(await store.put([{ id: frame.id, parts: [frame.frame] }], lease), { stored: 1, present: 0 });
    }
    assert.equal(await ended(first.child, "SIGTERM"), 0);
    assert.equal(existsSync(join(data, "control.sock")), false);

    const second = await serve();
    using client = new TestClient("localhost", second.ports.agentPort, root, signer, identity);
    assert.equal(bytesToHex(sha256((await client.recordStore(vault).get(frame.id)) ?? new Uint8Array(0))), bytesToHex(frame.id));
    const listed = JSON.parse(run("device", "list", "--data", data, "--json").stdout) as { device: string; account: string }[];
    assert.deepEqual(
      listed.map((device) => device.account),
      ["operators", "ada"],
    );
    assert.equal(run("device", "revoke", bytesToHex(client.device), "--data", data).status, 0);
    await assert.rejects(client.send({ target: "/v1/account" }), { code: "denied" });
    assert.equal(run("device", "revoke", "00".repeat(16), "--data", data).status, 5);
    assert.equal(await ended(second.child, "SIGINT"), 0);
  });

  it("finishes an upload that is under way when it is told to stop", LIMITED, async () => {
    const { child, ports } = await serve();
    const invite = parseInvite(JSON.parse(run("invite", "--data", data, "--account", "bob", "--json").stdout).code);
    const root = readFileSync(join(data, "pki/root.pem"), "utf8");
    const signer = createSigner(generateSigningKey(createSystemRandom()).seed);
    const { identity } = await enrollDevice(invite, root, signer);
    using client = new TestClient("localhost", ports.agentPort, root, signer, identity);
    const vault = testKey(52).vaultId;
    await client.send({ target: "/v1/vaults", body: encodeMessage({ vault }) });
    const store = client.recordStore(vault);
    const lease = asLeaseId((await store.lease(null)).lease);
    const frames = Array.from({ length: 7 }, () => randomFrame(RECORD_KINDS.contentPack, 8_000_000));
    const stored = store.put(
      frames.map(({ id, frame }) => ({ id, parts: [frame] })),
      lease,
    );
    const code = ended(child, "SIGTERM");
    const outcome = await stored.then(
      (answer) => answer.stored,
      () => "cut",
    );
    assert.equal(await code, 0);
    const again = await serve();
    using reader = new TestClient("localhost", again.ports.agentPort, root, signer, identity);
    const found = await Promise.all(frames.map(async ({ id }) => (await reader.recordStore(vault).get(id)) !== null));
    assert.ok(outcome === 7 ? found.every(Boolean) : found.every(Boolean) || !found.some(Boolean), `${outcome}: ${found}`);
    assert.equal(await ended(again.child, "SIGTERM"), 0);
  });

  it("lets one process have a folder at a time", LIMITED, async () => {
    const { child } = await serve();
    const second = run("serve", "--data", data, "--agent-port", "0", "--front-port", "0");
    assert.equal(second.status, 4);
    assert.match(second.stderr, /another process/);
    assert.equal(await ended(child, "SIGKILL"), null);
    const third = await serve(); // A kill leaves no lock behind.
    assert.equal(await ended(third.child, "SIGTERM"), 0);
  });

  it("refuses to serve what is not safe, with its own exit code for each reason", LIMITED, () => {
    assert.equal(run("serve", "--data", join(folder, "nowhere")).status, 5);
    chmodSync(data, 0o755);
    assert.equal(run("serve", "--data", data).status, 6);
    chmodSync(data, 0o700);
    const unverified = spawnSync(process.execPath, [MAIN, "serve", "--data", data], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      encoding: "utf8",
    });
    assert.equal(unverified.status, 3);
    const leaf = readFileSync(join(data, "pki/node.pem"), "utf8");
    writeFileSync(join(data, "pki/node.pem"), readFileSync(join(folder, "drawn/pki/node.pem"), "utf8"));
    const gated = run("serve", "--data", data, "--agent-port", "0", "--front-port", "0", "--exit-if-closed");
    assert.equal(gated.status, 3);
    assert.match(gated.stderr, /certificate gate: .*mend:/);
    writeFileSync(join(data, "pki/node.pem"), leaf);
  });

  it("waits with its ports closed while certificates fail the gate, and ends cleanly when told", LIMITED, async () => {
    const leaf = readFileSync(join(data, "pki/node.pem"), "utf8");
    rmSync(join(data, "pki/node.pem"));
    const child = spawn(process.execPath, [MAIN, "serve", "--data", data, "--agent-port", "0", "--front-port", "0", "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    child.stdout.on("data", (line) => {
      stdout += String(line);
    });
    const closed = await new Promise<string>((resolve) => {
      let stderr = "";
      child.stderr.on("data", (line) => {
        stderr += String(line);
        if (stderr.includes("ports are closed")) resolve(stderr);
      });
    });
    assert.match(closed, /certificate gate: leaf: missing.*"mend":"holdfast-node certificate issue"/);
    assert.match(run("doctor", "--data", data).stdout, /^failed +certificates: leaf: missing.*mend: holdfast-node certificate issue/m);
    assert.equal(await ended(child, "SIGTERM"), 0);
    assert.equal(stdout, "");
    writeFileSync(join(data, "pki/node.pem"), leaf, { mode: 0o600 });
  });

  it("takes TLS policies and ports from its configuration, and flags before it", LIMITED, async () => {
    writeFileSync(join(data, "holdfast-node.toml"), '[tls]\nfront = "v8r4"\n');
    const first = await serve();
    const oldProtocol = (port: number): string => {
      const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-tls1", "-cipher", "DEFAULT@SECLEVEL=0"];
      const asked = spawnSync("openssl", args, { input: "", encoding: "utf8" });
      return /Cipher is (\S+)/.exec(asked.stdout)?.[1] ?? "";
    };
    assert.equal(oldProtocol(first.ports.frontPort), "ECDHE-ECDSA-AES256-SHA");
    assert.equal(await ended(first.child, "SIGTERM"), 0);
    const second = await serve("--front-tls", "intermediate");
    assert.equal(oldProtocol(second.ports.frontPort), "(NONE)");
    assert.equal(await ended(second.child, "SIGTERM"), 0);
    assert.match(run("audit", "list", "--data", data, "--action", "tls-profile").stdout, /front port: v8r4/);
    writeFileSync(join(data, "holdfast-node.toml"), '[tls]\nfront = "ssl3"\n');
    assert.equal(run("serve", "--data", data).status, 2);
    rmSync(join(data, "holdfast-node.toml"));
    assert.equal(run("serve", "--data", data, "--agent-tls", "old").status, 2);
  });

  it("doctor passes a sound node with exit code 0, and names what is wrong with another with 3", LIMITED, () => {
    const sound = run("doctor", "--data", data, "--json");
    const { checks } = JSON.parse(sound.stdout) as { checks: { name: string; status: string; message: string }[] };
    assert.deepEqual([sound.status, checks.filter(({ status }) => status === "failed")], [0, []], sound.stdout);
    chmodSync(join(data, "pki/node-key.pem"), 0o644);
    const weak = run("doctor", "--data", data);
    chmodSync(join(data, "pki/node-key.pem"), 0o600);
    assert.equal(weak.status, 3);
    assert.match(weak.stdout, /^failed +files: .*node-key.pem: mode, got 644, want 600; mend: chmod 600/m);
  });

  it("refuses wrong arguments with exit code 2", LIMITED, () => {
    for (const args of [
      ["nothing"],
      ["init"],
      ["serve", "--data", data, "--agent-port", "70000"],
      ["invite", "--data", data, "--account", "x", "--expires", "soon"],
      [],
    ]) {
      assert.equal(run(...args).status, 2, args.join(" "));
    }
  });

  it("invite needs a running node", LIMITED, () => {
    assert.equal(run("invite", "--data", data, "--account", "x").status, 5);
  });

  it("help names the exit codes and shows examples", LIMITED, () => {
    const { status, stdout } = run("--help");
    assert.equal(status, 0);
    assert.match(stdout, /Exit codes: 0 done/);
    assert.match(stdout, /holdfast-node serve --data/);
    assert.match(run("serve", "--help").stdout, /Example:/);
  });
});
