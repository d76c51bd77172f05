/** The commands of devices and certificates, as a process. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const LIMITED = { timeout: 60_000 };

let folder: string;
let data: string;
let passphrase: string;
let rootKey: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-authority-"));
  data = join(folder, "data");
  passphrase = join(folder, "passphrase");
  rootKey = join(folder, "root-key.pem");
  writeFileSync(passphrase, "a long passphrase\n");
});
after(() => rmSync(folder, { recursive: true, force: true }));

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8" });
}

function serve(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, "serve", "--data", data, "--listen", "127.0.0.1", "--agent-port", "0", "--front-port", "0", "--json"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", () => resolve(child));
    child.once("close", (code) => reject(new Error(`serve ended with ${code}`)));
  });
}

describe("holdfast-node with the root's key kept off the machine", () => {
  it("init puts it where it is told to, and nowhere else", LIMITED, () => {
    const flags = ["--name", "localhost", "--passphrase-file", passphrase, "--root-key-out", rootKey];
    const { status, stdout } = run("init", "--data", data, ...flags);
    assert.equal(status, 0);
    assert.match(stdout, /^Root words: +([a-z]+ ){11}[a-z]+$/m);
    assert.deepEqual([statSync(rootKey).mode & 0o777, existsSync(join(data, "pki/root-key.locked.pem"))], [0o600, false]);
    assert.equal(run("init", "--data", join(folder, "second"), ...flags).status, 4, "a key that is there is not overwritten");
    assert.equal(existsSync(join(folder, "second")), false);
  });

  it("serves, invites, lists and renames devices and prints its lists without it", LIMITED, async () => {
    const child = await serve();
    const { stdout, stderr } = run("invite", "--data", data, "--account", "ada", "--group", "lab");
    assert.match(stdout, /^holdfast1:[A-Za-z0-9_-]+\n$/, "scripts read nothing but the code");
    assert.match(stderr, /Root: ([a-z]+ ){11}[a-z]+\n/);
    const [operator] = JSON.parse(run("devices", "list", "--data", data, "--json").stdout) as { device: string; words: string }[];
    assert.ok(operator);
    assert.equal(run("device", "rename", operator.device, "console", "--data", data).status, 0);
    const listed = run("device", "list", "--data", data).stdout;
    assert.match(listed, /operators {2}admin {2}console\n/);
    assert.ok(listed.includes(operator.words));
    assert.match(run("certificate", "lists", "--data", data).stdout, /^-----BEGIN X509 CRL-----/);
    await new Promise((resolve) => child.once("close", resolve) && child.kill("SIGTERM"));
  });

  it("says how to bring it where it is needed", LIMITED, () => {
    for (const command of [
      ["certificate", "intermediate"],
      ["certificate", "crl"],
      ["ca", "rotate"],
    ]) {
      const without = run(...command, "--data", data, "--passphrase-file", passphrase);
      assert.deepEqual([without.status, /--root-key FILE/.test(without.stderr)], [5, true], command.join(" "));
      const brought = run(...command, "--data", data, "--passphrase-file", passphrase, "--root-key", rootKey);
      assert.deepEqual([brought.status, brought.stderr], [0, ""], command.join(" "));
    }
    assert.equal(run("certificate", "issue", "--data", data).status, 0);
  });

  it("ca rotate ends after its overlap only, and says so", LIMITED, () => {
    const early = run("ca", "rotate", "--data", data, "--finish");
    assert.deepEqual([early.status, /overlap lasts until/.test(early.stderr)], [4, true]);
    const finished = run("ca", "rotate", "--data", data, "--finish", "--now");
    assert.deepEqual([finished.status, /No device is left behind/.test(finished.stdout)], [0, true]);
    assert.equal(run("ca", "rotate", "--data", data, "--finish").status, 5);
  });
});
