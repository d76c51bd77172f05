/** Following the storage node to another root: over real TLS, and wherever the power is lost on the way. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { utf8, utf8ToText } from "@holdfast/base";
import { asSigningSeed, createSigner, deviceIdOf } from "@holdfast/crypto";
import {
  type Authority,
  createCsr,
  createIntermediate,
  createKeyPair,
  createRoot,
  DAY_MS,
  encodeChain,
  issueAgentLeaf,
  issueNodeLeaf,
  type NextRoot,
  recertify,
  spkiHashOfCertificate,
} from "@holdfast/pki";
import { asAccountId, asVaultId, decodeMessage, encodeMessage } from "@holdfast/protocol";
import { createFakeClock, createFaultDisk, createSeededRandom, type FaultDisk, PowerLoss, testId } from "@holdfast/testkit";
import { requireIdentity, writeIdentity } from "../state/identity.ts";
import { statePaths } from "../state/state-paths.ts";
import { startTlsPort, type TlsPort } from "../testing/tls-node.ts";
import { type Connection, type ConnectOptions, connect } from "./connection.ts";
import { keepNextRoot, nextRootPath, readNextRoot } from "./next-root.ts";

const PATHS = statePaths("/state");
const SEED = asSigningSeed(testId("seed"));
const DEVICE = deviceIdOf(createSigner(SEED).publicKey);
const ACCOUNT = { account: testId("account").slice(0, 16), accountName: "ada", edition: "ese", vault: null, usedBytes: 0, quotaBytes: null, nowMs: 1 };
const YOUNG_DAYS = 1;
const DUE_DAYS = 24;

/** A storage node that moves from one root to another, and an agent that is enrolled under the first. */
async function setUp(ageDays: number) {
  const ports = { clock: createFakeClock(Date.now(), true), random: createSeededRandom(7), disk: createFaultDisk() };
  const ago = (days: number) => ({ random: ports.random, clock: { ...ports.clock, nowMs: () => ports.clock.nowMs() - days * DAY_MS } });
  const old = await createRoot(ago(100), "old root");
  const issuer = await createIntermediate(ago(100), old, "issuer");
  const next = await createRoot(ago(50), "next root");
  const offer: NextRoot = {
    root: next.certificatePem,
    cross: await recertify(ago(50), old, next.certificatePem, 90 * DAY_MS),
    intermediate: await recertify(ago(50), next, issuer.certificatePem, 200 * DAY_MS),
  };
  const keys = await createKeyPair();
  const leaf = await issueAgentLeaf(ago(ageDays), issuer, await createCsr(keys.privateKeyPem), DEVICE);
  writeIdentity(ports.disk, PATHS, {
    host: "localhost",
    agentPort: 1,
    frontPort: 1,
    device: DEVICE,
    account: asAccountId(ACCOUNT.account),
    accountName: "ada",
    edition: "ese",
    label: "web-1",
    nodeKey: testId("node"),
    rootSpkiSha256: await spkiHashOfCertificate(old.certificatePem),
    vault: asVaultId(testId("vault").slice(0, 16)),
    enrolledAtMs: 0,
  });
  for (const [path, bytes] of [
    [PATHS.deviceKey, SEED],
    [PATHS.tlsKey, utf8(keys.privateKeyPem)],
    [PATHS.tlsCertificate, utf8(encodeChain(leaf, issuer.certificatePem))],
    [PATHS.tlsRoot, utf8(old.certificatePem)],
  ] as const)
    ports.disk.writeFile(path, bytes, 0o600);
  const notes: string[] = [];
  /** The node with the chain that it presents and the root that it accepts; `told` goes with a renewal. */
  const serve = async (root: Authority, intermediatePem: string, told?: NextRoot, disk: FaultDisk = ports.disk): Promise<TlsPort> => {
    const nodeKeys = await createKeyPair();
    const nodeLeaf = await issueNodeLeaf(ago(0), issuer, nodeKeys, ["localhost"]);
    const tls = { cert: encodeChain(nodeLeaf, intermediatePem), key: nodeKeys.privateKeyPem, ca: root.certificatePem };
    const port = await startTlsPort({ ...tls, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" }, async ({ target, body }) => {
      if (target === "/v1/account") return { status: 200, body: encodeMessage(ACCOUNT) };
      const { csr } = decodeMessage(body) as { csr: string };
      const certificate = encodeChain(await issueAgentLeaf(ago(0), issuer, csr, DEVICE), intermediatePem);
      return { status: 200, body: encodeMessage(told === undefined ? { certificate } : { certificate, nextRoot: told }) };
    });
    writeIdentity(disk, PATHS, { ...requireIdentity(disk, PATHS), agentPort: port.port });
    return port;
  };
  const before = (told?: NextRoot, disk?: FaultDisk): Promise<TlsPort> => serve(old, issuer.certificatePem, told, disk);
  const after = (disk?: FaultDisk): Promise<TlsPort> => serve(next, offer.intermediate, undefined, disk);
  const connectOver = (change: Partial<ConnectOptions> = {}): Promise<Connection> =>
    connect({
      ports,
      paths: PATHS,
      environment: {},
      tlsProfile: "modern",
      mayRenew: true,
      triesMax: 1,
      onNote: (note) => void notes.push(note),
      ...change,
    });
  return { ports, old, next, offer, issuer, notes, before, after, serve, connectOver };
}

type Setting = Awaited<ReturnType<typeof setUp>>;

const textOf = (disk: FaultDisk, path: string): string => utf8ToText(disk.readFile(path, 1e5) ?? new Uint8Array(0)) ?? "";
const tlsNames = (disk: FaultDisk): string[] => (disk.list("/state") ?? []).filter((name) => name.startsWith("tls")).sort();

async function accountOf(setting: Setting, change: Partial<ConnectOptions> = {}): Promise<string> {
  await using connection = await setting.connectOver(change);
  return (await connection.accountInfo()).accountName;
}

/** The agent has been told of the next root, and is moved to a node that knows no other. */
async function setUpTold(): Promise<Setting> {
  const setting = await setUp(YOUNG_DAYS);
  await keepNextRoot(setting.ports, PATHS, setting.old.certificatePem, setting.offer);
  return setting;
}

describe("an agent whose storage node moves to another root", () => {
  it("keeps the next root that comes with a renewal, goes on under the old one, and follows when the node has moved", async () => {
    const setting = await setUp(DUE_DAYS);
    const { disk } = setting.ports;
    {
      await using _node = await setting.before(setting.offer);
      assert.equal(await accountOf(setting), "ada");
      assert.deepEqual(tlsNames(disk), ["tls-certificate.pem", "tls-root.pem", "tls-root.pem.next", "tls.pem"]);
      assert.equal(disk.stat(nextRootPath(PATHS))?.mode, 0o600);
      assert.equal(textOf(disk, PATHS.tlsRoot), setting.old.certificatePem);
      assert.equal(await accountOf(setting), "ada", "the overlap changes nothing");
    }
    await using _node = await setting.after();
    assert.equal(await accountOf(setting), "ada");
    assert.deepEqual(tlsNames(disk), ["tls-certificate.pem", "tls-root.pem", "tls.pem"]);
    assert.equal(textOf(disk, PATHS.tlsRoot), setting.next.certificatePem);
    assert.ok(textOf(disk, PATHS.tlsCertificate).endsWith(setting.offer.intermediate));
    assert.deepEqual(requireIdentity(disk, PATHS).rootSpkiSha256, await spkiHashOfCertificate(setting.next.certificatePem));
    assert.equal(await accountOf(setting), "ada", "with nothing but the new root");
    assert.deepEqual(
      setting.notes.filter((note) => !note.includes("has followed")),
      [],
    );
    await using _old = await setting.before();
    await assert.rejects(accountOf(setting), { code: "certificate" }, "the old root is trusted no more");
  });

  it("follows in the middle of a run, with requests under way together", async () => {
    const setting = await setUpTold();
    const oldNode = await setting.before();
    await using connection = await setting.connectOver({ triesMax: 4 });
    await connection.accountInfo();
    await oldNode[Symbol.asyncDispose]();
    const tls = await movedTo(setting, oldNode.port);
    await using _node = tls;
    const answers = await Promise.all(Array.from({ length: 6 }, () => connection.accountInfo()));
    assert.equal(answers.length, 6);
    assert.equal(textOf(setting.ports.disk, PATHS.tlsRoot), setting.next.certificatePem);
    assert.deepEqual(connection.identity.rootSpkiSha256, await spkiHashOfCertificate(setting.next.certificatePem));
  });

  it("follows in memory only, without the lock", async () => {
    const setting = await setUpTold();
    await using _node = await setting.after();
    const names = tlsNames(setting.ports.disk);
    assert.equal(await accountOf(setting, { mayRenew: false }), "ada");
    assert.equal(textOf(setting.ports.disk, PATHS.tlsRoot), setting.old.certificatePem);
    assert.deepEqual(tlsNames(setting.ports.disk), names);
  });

  it("does not follow to a stranger, and goes on under the old root after one", async () => {
    const setting = await setUpTold();
    const stranger = await createRoot(setting.ports, "next root");
    const { disk } = setting.ports;
    await using _stranger = await setting.serve(stranger, await recertify(setting.ports, stranger, setting.issuer.certificatePem, DAY_MS));
    await assert.rejects(accountOf(setting), { code: "certificate" });
    assert.equal(textOf(disk, PATHS.tlsRoot), setting.old.certificatePem);
    await using _node = await setting.before();
    assert.equal(await accountOf(setting), "ada");
    assert.equal(textOf(disk, PATHS.tlsRoot), setting.old.certificatePem);
  });

  it("does not keep a next root that the trusted one has not signed, and takes the certificate all the same", async () => {
    const setting = await setUp(DUE_DAYS);
    const { disk } = setting.ports;
    const thief = await createRoot(setting.ports, "old root");
    const forged = {
      root: setting.next.certificatePem,
      cross: await recertify(setting.ports, thief, setting.next.certificatePem, DAY_MS),
      intermediate: setting.offer.intermediate,
    };
    const certificate = textOf(disk, PATHS.tlsCertificate);
    await using _node = await setting.before(forged);
    assert.equal(await accountOf(setting), "ada");
    assert.equal(disk.stat(nextRootPath(PATHS)), null);
    assert.notEqual(textOf(disk, PATHS.tlsCertificate), certificate);
    assert.equal(setting.notes.length, 1);
    assert.match(setting.notes[0] ?? "", /warning: .*another root.* not taken: .*cross certificate/);
    await using _moved = await setting.after();
    await assert.rejects(accountOf(setting), { code: "certificate" });
  });

  it("ignores what is kept once another root is in place, or when it is damaged", async () => {
    const setting = await setUpTold();
    const { disk } = setting.ports;
    const other = await createRoot(setting.ports, "another root");
    assert.ok(await readNextRoot(disk, PATHS, setting.old.certificatePem));
    assert.equal(await readNextRoot(disk, PATHS, other.certificatePem), null);
    const text = textOf(disk, nextRootPath(PATHS));
    for (const damaged of ["", "{}", text.slice(0, 500), text.replace("MII", "MIJ")]) {
      disk.writeFile(nextRootPath(PATHS), utf8(damaged), 0o600);
      assert.equal(await readNextRoot(disk, PATHS, setting.old.certificatePem), null);
    }
    disk.writeFile(nextRootPath(PATHS), utf8(text), 0o640);
    await assert.rejects(readNextRoot(disk, PATHS, setting.old.certificatePem), { code: "denied" });
  });

  it("has a state that works, wherever the power is lost on the way", async () => {
    const whole = await setUpTold();
    await using node = await whole.after();
    const { disk } = whole.ports;
    const start = [...disk.crashStates()][0];
    assert.ok(start);
    const copyOf = (from: FaultDisk): FaultDisk => [...from.crashStates()][0] as FaultDisk;
    const callsBefore = disk.callCount;
    await accountOf(whole);
    const changes = [...disk.calls.slice(callsBefore).entries()].filter(([, call]) => /^(writeFile|rename|remove)/.test(call));
    assert.ok(changes.length >= 4, "certificate, pin, root, and what was kept");
    const roots = new Set<string>();
    let lossCount = 0;
    for (const [index] of changes) {
      for (const kind of ["power-before", "power-after", "power-torn"] as const) {
        const failing = copyOf(start);
        failing.failAt(index, kind);
        const isLost = await accountOf(whole, { ports: { ...whole.ports, disk: failing } }).then(
          () => false,
          (error: unknown) => {
            assert.ok(error instanceof PowerLoss, String(error));
            return true;
          },
        );
        if (!isLost) continue;
        lossCount++;
        for (const left of failing.crashStates()) {
          roots.add([PATHS.tlsCertificate, PATHS.tlsRoot, PATHS.identity].map((path) => textOf(left, path) === textOf(start, path)).join(" "));
          assert.equal(await accountOf(whole, { ports: { ...whole.ports, disk: left } }), "ada", `${kind} at call ${index}`);
          assert.equal(textOf(left, PATHS.tlsRoot), whole.next.certificatePem);
          assert.equal(await accountOf(whole, { ports: { ...whole.ports, disk: left } }), "ada");
        }
      }
    }
    assert.ok(node.requests.length > lossCount);
    assert.equal(lossCount, changes.length * 3);
    assert.equal(roots.size, 4, `power was lost between any two files, got ${[...roots].join(", ")}`);
  });
});

/** The node that has moved, at the port where the old one was. */
async function movedTo(setting: Setting, port: number): Promise<TlsPort> {
  const keys = await createKeyPair();
  const leaf = await issueNodeLeaf(setting.ports, setting.issuer, keys, ["localhost"]);
  const tls = { cert: encodeChain(leaf, setting.offer.intermediate), key: keys.privateKeyPem, ca: setting.next.certificatePem };
  return startTlsPort(
    { ...tls, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" },
    async () => ({ status: 200, body: encodeMessage(ACCOUNT) }),
    port,
  );
}
