/** The gate of a running node: whole nodes on loopback, with certificate files broken and mended under them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as tcpConnect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { issueCrl, parseCertificatePem, unlockPrivateKey } from "@holdfast/pki";
import { type MadeLeaf, makeLeaf, opensslTime } from "./testing/broken-leaves.ts";
import { createTestAuthority, type TestAuthority } from "./testing/certificates.ts";
import { NodeFixture } from "./testing/node-fixture.ts";

const LIMITED = { timeout: 60_000 };
const DAY_MS = 86_400_000;
const FILES = ["node.pem", "node-key.pem", "intermediate.pem", "intermediate-key.pem", "root.pem", "root.crl.pem"] as const;
type FileName = (typeof FILES)[number];
/** New texts of files; `null` removes one. */
type Change = Partial<Record<FileName, string | null>>;

interface BrokenSetUp {
  readonly name: string;
  readonly make: (good: Record<FileName, string>) => Change | Promise<Change>;
  readonly problem: RegExp;
}

let fixture: NodeFixture;
let stranger: TestAuthority;
let good: Record<FileName, string>;

before(async () => {
  stranger = createTestAuthority("other root");
  fixture = await NodeFixture.create();
  good = Object.fromEntries(FILES.map((name) => [name, readFileSync(pkiPath(name), "utf8")])) as Record<FileName, string>;
});
after(async () => {
  stranger[Symbol.dispose]();
  await fixture[Symbol.asyncDispose]();
});

function pkiPath(name: FileName): string {
  return join(fixture.folder.path, "pki", name);
}

function write(change: Change): void {
  for (const [name, text] of Object.entries(change) as [FileName, string | null][]) {
    if (text === null) rmSync(pkiPath(name));
    else writeFileSync(pkiPath(name), text, { mode: 0o600 });
  }
}

/** The code with which connecting ends, or `open`. */
function knock(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = tcpConnect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve("open");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

function knockBoth(): Promise<string[]> {
  return Promise.all([knock(fixture.node.agentPort), knock(fixture.node.frontPort)]);
}

async function servedSerial(port: number): Promise<string> {
  const socket = tlsConnect({ host: "127.0.0.1", port, ca: good["root.pem"] });
  await once(socket, "secureConnect");
  const serial = socket.getPeerCertificate().serialNumber;
  socket.destroy();
  return serial.toLowerCase();
}

function issuerOf(files: Record<FileName, string>): MadeLeaf {
  return { cert: files["intermediate.pem"], key: files["intermediate-key.pem"] };
}

function leafFiles({ cert, key }: MadeLeaf): Change {
  return { "node.pem": cert, "node-key.pem": key };
}

async function rootOf(files: Record<FileName, string>): Promise<MadeLeaf> {
  const locked = readFileSync(join(fixture.folder.path, "pki/root-key.locked.pem"), "utf8");
  return { cert: files["root.pem"], key: await unlockPrivateKey(locked, "a long passphrase") };
}

async function revokedIntermediate(files: Record<FileName, string>): Promise<Change> {
  const { cert: certificatePem, key: privateKeyPem } = await rootOf(files);
  const root = { certificatePem, privateKeyPem };
  const { serial } = await parseCertificatePem(files["intermediate.pem"]);
  const revoked = [{ serial, revokedAtMs: Date.now() - 1000, reason: "key-compromise" as const }];
  const ports = { clock: createSystemClock(), random: createSystemRandom() };
  return { "root.crl.pem": await issueCrl(ports, root, { number: 9, revoked, lifetimeMs: DAY_MS }) };
}

const BROKEN: readonly BrokenSetUp[] = [
  { name: "a missing leaf", make: () => ({ "node.pem": null }), problem: /leaf: missing.*certificate issue/ },
  { name: "a missing key", make: () => ({ "node-key.pem": null }), problem: /private key: missing.*certificate issue/ },
  { name: "garbage", make: () => ({ "node.pem": "\u0000garbage\n" }), problem: /leaf: does not parse/ },
  { name: "bytes that are no text", make: () => ({ "node.pem": "\ufffd\u0001" }), problem: /leaf: does not parse/ },
  { name: "an empty file", make: () => ({ "node.pem": "" }), problem: /leaf: missing/ },
  { name: "a truncated leaf", make: (files) => ({ "node.pem": files["node.pem"].slice(0, 300) }), problem: /leaf: does not parse/ },
  { name: "a truncated key", make: (files) => ({ "node-key.pem": files["node-key.pem"].slice(0, 100) }), problem: /private key: does not parse/ },
  {
    name: "an expired leaf",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), from: "20240101000000Z", until: "20240201000000Z" })),
    problem: /leaf: expired, got .*, want before 2024-02-01/,
  },
  {
    name: "a leaf that is not valid yet",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), from: opensslTime(Date.now() + DAY_MS) })),
    problem: /leaf: not valid yet/,
  },
  {
    name: "a leaf under another root",
    make: () => leafFiles(stranger.issue("node", "serverAuth")),
    problem: /leaf: does not lead to our root/,
  },
  {
    name: "the key of another certificate",
    make: (files) => ({ "node-key.pem": makeLeaf({ issuer: issuerOf(files) }).key }),
    problem: /private key: does not belong to the certificate/,
  },
  {
    name: "a leaf for clients",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), usage: "clientAuth" })),
    problem: /leaf: extended key usage, got clientAuth, want serverAuth/,
  },
  {
    name: "a leaf without the configured name",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), names: "DNS:elsewhere.example" })),
    problem: /leaf: does not cover the configured name, got elsewhere.example, want localhost/,
  },
  { name: "a revoked intermediate", make: revokedIntermediate, problem: /intermediate 1: revoked, got serial/ },
  {
    name: "a key of RSA 1024",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), newKey: ["rsa:1024"] })),
    problem: /leaf: weak key, got RSA 1024/,
  },
  {
    name: "a signature with SHA-1",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), hash: "sha1" })),
    problem: /leaf: weak signature, got SHA-1/,
  },
  {
    name: "an authority as a leaf",
    make: (files) => leafFiles(makeLeaf({ issuer: issuerOf(files), isAuthority: true })),
    problem: /leaf: an authority is used as a leaf/,
  },
  {
    name: "a chain that is too long",
    make(files) {
      const between = makeLeaf({ issuer: issuerOf(files), isAuthority: true });
      const leaf = makeLeaf({ issuer: between });
      return leafFiles({ cert: leaf.cert + between.cert + files["intermediate.pem"], key: leaf.key });
    },
    problem: /intermediate 2: too many authorities below, got 1, want at most 0/,
  },
  { name: "a missing intermediate", make: () => ({ "intermediate.pem": null }), problem: /intermediate 1: missing.*certificate intermediate/ },
  { name: "a missing issuing key", make: () => ({ "intermediate-key.pem": null }), problem: /issuing key: missing.*certificate intermediate/ },
  { name: "a missing root", make: () => ({ "root.pem": null }), problem: /root: missing/ },
  { name: "a missing list of the root", make: () => ({ "root.crl.pem": null }), problem: /crl: missing.*certificate crl/ },
];

/** Starts the node anew on whatever the files are now. */
async function restart(): Promise<void> {
  await fixture.stop();
  fixture.logLines.length = 0;
  await fixture.start({ settleMs: 0 });
}

describe("the certificate gate of a node", LIMITED, () => {
  for (const { name, make, problem } of BROKEN) {
    it(`${name} keeps the ports closed, at the start and while running, and mending opens them without a restart`, LIMITED, async () => {
      const broken = await make(good);
      write(broken);
      await restart();
      const { node, logLines } = fixture;
      assert.deepEqual(await knockBoth(), ["ECONNREFUSED", "ECONNREFUSED"]);
      assert.match(node.services.problems().join("\n"), problem);
      const findingCount = node.services.problems().length;
      assert.equal(logLines.filter((line) => line.startsWith("certificate gate: ")).length, findingCount);
      await node.check();
      assert.equal(logLines.filter((line) => line.startsWith("certificate gate: ")).length, findingCount, "logged once");

      write(good);
      await node.check();
      assert.deepEqual(await knockBoth(), ["open", "open"]);
      await node.opened;

      write(broken);
      await node.check();
      assert.deepEqual(await knockBoth(), ["ECONNREFUSED", "ECONNREFUSED"]);
      assert.match(node.services.problems().join("\n"), problem);
      write(good);
      await node.check();
      assert.deepEqual(await knockBoth(), ["open", "open"]);
      assert.deepEqual(node.services.problems(), []);
    });
  }

  it("files with Windows line ends serve as they are", LIMITED, async () => {
    write(Object.fromEntries(FILES.map((name) => [name, good[name].replaceAll("\n", "\r\n")])));
    await restart();
    assert.equal(await servedSerial(fixture.node.agentPort), (await parseCertificatePem(good["node.pem"])).serial);
    await fixture.enroll("windows");
    write(good);
  });

  it("a certificate that the operator made is loaded while the node runs, left alone, and closes the ports at its end", LIMITED, async () => {
    await restart();
    const own = makeLeaf({ issuer: await rootOf(good), until: opensslTime(Date.now() + 5000) });
    write({ "node.pem": own.cert + good["root.pem"], "node-key.pem": own.key });
    await fixture.node.check();
    assert.equal(await servedSerial(fixture.node.frontPort), (await parseCertificatePem(own.cert)).serial);
    await fixture.stop();
    await fixture.start({ settleMs: 0, checkIntervalMs: 60_000_000 }); // Only the end of the certificate wakes the next check.
    assert.deepEqual(await knockBoth(), ["open", "open"]);
    while ((await knock(fixture.node.agentPort)) === "open") await createSystemClock().sleep(100);
    assert.match(fixture.node.services.problems().join(), /leaf: expired/);
    write(good);
    await fixture.node.check();
  });

  it("files swapped while running are found by the node itself, and so is their mending", LIMITED, async () => {
    await fixture.stop();
    await fixture.start({ settleMs: 10, checkIntervalMs: 50 });
    write({ "node-key.pem": "garbage" });
    while ((await knock(fixture.node.agentPort)) === "open") await createSystemClock().sleep(20);
    write(good);
    while ((await knock(fixture.node.frontPort)) !== "open") await createSystemClock().sleep(20);
  });

  it("a pair of files that is written one after the other does not close the ports", LIMITED, async () => {
    await fixture.stop();
    fixture.logLines.length = 0;
    await fixture.start({ settleMs: 300 });
    const own = makeLeaf({ issuer: issuerOf(good) });
    write({ "node.pem": own.cert });
    const checked = fixture.node.check();
    await createSystemClock().sleep(100);
    write({ "node-key.pem": own.key });
    await checked;
    assert.deepEqual(fixture.node.services.problems(), []);
    assert.equal(await servedSerial(fixture.node.agentPort), (await parseCertificatePem(own.cert)).serial);
    assert.ok(!fixture.logLines.some((line) => line.startsWith("ports are closed")));
    write(good);
  });

  it("says in the audit trail that the ports closed and opened", LIMITED, async () => {
    await restart();
    write({ "node.pem": null });
    await fixture.node.check();
    write(good);
    await fixture.node.check();
    const { reader } = fixture.node.services.store;
    const results = async (): Promise<string[]> =>
      (await reader.call("audit", [0, 10_000])).filter(({ action }) => action === "gate").map(({ result }) => result);
    while ((await results()).slice(-2).join() !== "ports closed,ports opened") await createSystemClock().sleep(20);
  });

  it("v8r4 on one port is warned of in log and trail, and leaves the other port alone", LIMITED, async () => {
    await fixture.stop();
    fixture.logLines.length = 0;
    await fixture.start({ agentTls: "v8r4" });
    assert.ok(fixture.logLines.some((line) => line.startsWith("agent port: policy v8r4 offers TLS 1.0 and 1.1")));
    const socket = tlsConnect({ host: "127.0.0.1", port: fixture.node.frontPort, ca: good["root.pem"] });
    await once(socket, "secureConnect");
    assert.equal(socket.getProtocol(), "TLSv1.3"); // The other port keeps its own policy.
    socket.destroy();
    const rows = await fixture.node.services.store.reader.call("audit", [0, 10_000]);
    assert.ok(rows.some(({ action, subject, result }) => action === "tls-profile" && subject === "agent port: v8r4" && result === "weak"));
  });
});
