/** The agent's end of the agent port over real TLS: the gate, renewal while a request is under way, revocation. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, isFault, utf8, utf8ToText } from "@holdfast/base";
import { asSigningSeed, createSigner, deviceIdOf } from "@holdfast/crypto";
import { createCsr, createKeyPair, DAY_MS, spkiHashOfCertificate } from "@holdfast/pki";
import { asAccountId, asVaultId, decodeMessage, encodeFault, encodeMessage } from "@holdfast/protocol";
import { createFakeClock, createFaultDisk, createSeededRandom, testId } from "@holdfast/testkit";
import { exitCodeOf } from "../cli/exit-codes.ts";
import { writeIdentity } from "../state/identity.ts";
import { statePaths } from "../state/state-paths.ts";
import { createMemoryAuthority, type MemoryAuthority } from "../testing/memory-authority.ts";
import { startTlsPort, type TlsAnswer, type TlsPort, type TlsRequest } from "../testing/tls-node.ts";
import { type Connection, type ConnectOptions, connect } from "./connection.ts";

const PATHS = statePaths("/state");
const HOUR_MS = 3_600_000;
/** Not due yet, and due at most 3.1 days on. */
const AGE_DAYS = 19.9;
/** How far tests move the agent's clock; the runtime's TLS stays in the present, so what is issued then must hold now. */
const AHEAD_DAYS = 4;
const ACCOUNT = { account: testId("account").slice(0, 16), accountName: "ada", edition: "ese", vault: null, usedBytes: 0, quotaBytes: null, nowMs: 1 };
const SEED = asSigningSeed(testId("seed"));
const DEVICE = deviceIdOf(createSigner(SEED).publicKey);

type Route = (request: TlsRequest) => Promise<TlsAnswer | null>;

interface Setting extends AsyncDisposable {
  readonly ports: ConnectOptions["ports"] & { readonly clock: ReturnType<typeof createFakeClock>; readonly disk: ReturnType<typeof createFaultDisk> };
  readonly authority: MemoryAuthority;
  readonly agentPort: TlsPort;
  readonly frontPort: TlsPort;
  /** What the agent port answers with; `null` is what it does by itself. */
  route: Route | null;
  crl: string;
  readonly notes: string[];
  connect(change?: Partial<ConnectOptions>): Promise<Connection>;
}

/** An enrolled state folder, and the two ports of its storage node. */
async function setUp(): Promise<Setting> {
  const ports = { clock: createFakeClock(Date.now(), true), random: createSeededRandom(9), disk: createFaultDisk() };
  const authority = createMemoryAuthority(ports);
  const agentPort = await startTlsPort(await authority.serverTls(true), (request) => (self.route ?? answerAll)(request));
  const frontPort = await startTlsPort(await authority.serverTls(false), async () => ({ status: 200, body: utf8(self.crl) }));
  const answerAll: Route = async ({ target, body }) => {
    if (target === "/v1/account") return { status: 200, body: encodeMessage(ACCOUNT) };
    const { csr } = decodeMessage(body) as { csr: string };
    const { certificate } = await authority.issue(csr, DEVICE, AHEAD_DAYS);
    return { status: 200, body: encodeMessage({ certificate }) };
  };
  const { privateKeyPem } = await createKeyPair();
  const { certificate, root } = await authority.issue(await createCsr(privateKeyPem), DEVICE, AGE_DAYS);
  writeIdentity(ports.disk, PATHS, {
    host: "localhost",
    agentPort: agentPort.port,
    frontPort: frontPort.port,
    device: DEVICE,
    account: asAccountId(ACCOUNT.account),
    accountName: "ada",
    edition: "ese",
    label: "web-1",
    nodeKey: testId("node"),
    rootSpkiSha256: await spkiHashOfCertificate(root),
    vault: asVaultId(testId("vault").slice(0, 16)),
    enrolledAtMs: 0,
  });
  for (const [path, bytes] of [
    [PATHS.deviceKey, SEED],
    [PATHS.tlsKey, utf8(privateKeyPem)],
    [PATHS.tlsCertificate, utf8(certificate)],
    [PATHS.tlsRoot, utf8(root)],
  ] as const)
    ports.disk.writeFile(path, bytes, 0o600);
  const notes: string[] = [];
  const self: Setting = {
    ports,
    authority,
    agentPort,
    frontPort,
    route: null,
    crl: "",
    notes,
    connect: (change) =>
      connect({ ports, paths: PATHS, environment: {}, tlsProfile: "modern", mayRenew: true, onNote: (note) => void notes.push(note), ...change }),
    async [Symbol.asyncDispose]() {
      await agentPort[Symbol.asyncDispose]();
      await frontPort[Symbol.asyncDispose]();
    },
  };
  return self;
}

function denied(message: string): TlsAnswer {
  return { status: 403, body: encodeFault(new Fault("denied", message)) };
}

function rewrite({ ports: { disk } }: Setting, path: string, change: (text: string) => string): void {
  disk.writeFile(path, utf8(change(utf8ToText(disk.readFile(path, 1e5) ?? new Uint8Array(0)) ?? "")), 0o600);
}

describe("the gate before dialling", () => {
  it("passes good files, with Windows line ends too, and tells the protocol version", async () => {
    await using setting = await setUp();
    for (const path of [PATHS.tlsKey, PATHS.tlsCertificate, PATHS.tlsRoot]) rewrite(setting, path, (text) => text.replaceAll("\n", "\r\n"));
    const versions: string[] = [];
    await using connection = await setting.connect({ onAnswer: (version) => void versions.push(version) });
    assert.equal((await connection.accountInfo()).accountName, "ada");
    assert.deepEqual(versions, ["TLSv1.3"]);
    assert.notEqual(setting.agentPort.requests[0]?.certificate, "");
  });

  it("dials nothing while a file is broken, and works once it is mended", async () => {
    const other = await createKeyPair();
    const breaks: readonly (readonly [path: string, change: (text: string) => string, message: RegExp])[] = [
      [PATHS.tlsKey, () => other.privateKeyPem, /private key: does not belong/],
      [PATHS.tlsKey, () => "", /private key: missing/],
      [PATHS.tlsCertificate, (text) => text.slice(0, 300), /leaf: does not parse/],
      [PATHS.tlsRoot, () => "", /root: missing/],
    ];
    await using setting = await setUp();
    for (const [path, change, message] of breaks) {
      const good = setting.ports.disk.readFile(path, 1e5) ?? new Uint8Array(0);
      rewrite(setting, path, change);
      await assert.rejects(setting.connect(), { code: "certificate", message });
      setting.ports.disk.writeFile(path, good, 0o600);
    }
    assert.equal(setting.agentPort.connectionCount, 0);
    await using connection = await setting.connect();
    assert.equal((await connection.accountInfo()).accountName, "ada");
  });

  it("dials nothing with a root that is not the pinned one, though the chain leads to it", async () => {
    await using setting = await setUp();
    const { privateKeyPem } = await createKeyPair();
    const { certificate, root } = await createMemoryAuthority(setting.ports).issue(await createCsr(privateKeyPem), DEVICE);
    rewrite(setting, PATHS.tlsKey, () => privateKeyPem);
    rewrite(setting, PATHS.tlsCertificate, () => certificate);
    rewrite(setting, PATHS.tlsRoot, () => root);
    await assert.rejects(setting.connect(), { code: "certificate", message: /not the root that the invite pinned/ });
    assert.equal(setting.agentPort.connectionCount, 0);
  });

  it("dials nothing when certificates are not to be checked", async () => {
    await using setting = await setUp();
    for (const value of ["0", "false"])
      await assert.rejects(setting.connect({ environment: { NODE_TLS_REJECT_UNAUTHORIZED: value } }), { code: "certificate", message: /unset it/ });
    assert.equal(setting.agentPort.connectionCount, 0);
  });

  it("stops a long run within the hour when a file breaks, and lets it go on when it is mended", async () => {
    await using setting = await setUp();
    await using connection = await setting.connect();
    await connection.accountInfo();
    const good = setting.ports.disk.readFile(PATHS.tlsCertificate, 1e5) ?? new Uint8Array(0);
    rewrite(setting, PATHS.tlsCertificate, (text) => text.slice(0, 300));
    setting.ports.clock.advance(HOUR_MS);
    await assert.rejects(connection.accountInfo(), { code: "certificate", message: /leaf: does not parse/ });
    assert.equal(setting.agentPort.requests.length, 1);
    setting.ports.disk.writeFile(PATHS.tlsCertificate, good, 0o600);
    assert.equal((await connection.accountInfo()).accountName, "ada");
  });

  it("stops a long run when the certificate ends", async () => {
    await using setting = await setUp();
    await using connection = await setting.connect({ mayRenew: false });
    await connection.accountInfo();
    setting.ports.clock.jumpTo(connection.certificateNotAfterMs);
    await assert.rejects(connection.accountInfo(), { code: "certificate", message: /leaf: expired.*mend: holdfast enroll/ });
    assert.equal(setting.agentPort.requests.length, 1);
  });
});

describe("renewal in a long run", () => {
  it("lets what is under way end over the old certificate, and sends the rest over the new one", async () => {
    await using setting = await setUp();
    await using connection = await setting.connect();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    setting.route = async () => {
      setting.route = null;
      await held;
      return { status: 200, body: encodeMessage(ACCOUNT) };
    };
    const underWay = connection.accountInfo();
    while (setting.agentPort.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    setting.ports.clock.advance(AHEAD_DAYS * DAY_MS);
    const before = connection.certificateNotAfterMs;
    await Promise.all([connection.accountInfo(), connection.accountInfo()]);
    release();
    assert.equal((await underWay).accountName, "ada");
    const [first, renewal, ...rest] = setting.agentPort.requests;
    assert.equal(renewal?.target, "/v1/certificates/renew");
    assert.equal(renewal?.certificate, first?.certificate);
    assert.deepEqual(new Set(rest.map(({ target }) => target)), new Set(["/v1/account"]));
    assert.equal(new Set(rest.map(({ certificate }) => certificate)).size, 1);
    assert.notEqual(rest[0]?.certificate, first?.certificate);
    assert.ok(connection.certificateNotAfterMs > before + 15 * DAY_MS);
    const names = setting.ports.disk.list("/state") ?? [];
    assert.deepEqual(
      names.filter((name) => name.startsWith("tls")),
      ["tls-certificate.pem", "tls-root.pem", "tls.pem"],
      "the old pair went after the first use",
    );
  });

  it("goes back to the old certificate when the storage node hangs up on the new one", async () => {
    await using setting = await setUp();
    await using connection = await setting.connect();
    await connection.accountInfo();
    setting.route = async ({ target, body }) => {
      if (target === "/v1/account") return { status: 200, body: encodeMessage(ACCOUNT) };
      const { csr } = decodeMessage(body) as { csr: string };
      // By the agent's clock it holds, by that of the storage node not for days.
      return { status: 200, body: encodeMessage({ certificate: (await setting.authority.issue(csr, DEVICE)).certificate }) };
    };
    setting.ports.clock.advance(AHEAD_DAYS * DAY_MS);
    assert.equal((await connection.accountInfo()).accountName, "ada");
    assert.equal(new Set(setting.agentPort.requests.map(({ certificate }) => certificate)).size, 1);
  });

  it("goes back to the old certificate when the new one is refused", async () => {
    await using setting = await setUp();
    await using connection = await setting.connect();
    await connection.accountInfo();
    const used = setting.agentPort.requests[0]?.certificate;
    setting.route = async (request) => {
      if (request.target !== "/v1/account") {
        const { csr } = decodeMessage(request.body) as { csr: string };
        return { status: 200, body: encodeMessage({ certificate: (await setting.authority.issue(csr, DEVICE, AHEAD_DAYS)).certificate }) };
      }
      return request.certificate === used ? { status: 200, body: encodeMessage(ACCOUNT) } : denied("device: unknown or revoked");
    };
    setting.ports.clock.advance(AHEAD_DAYS * DAY_MS);
    assert.equal((await connection.accountInfo()).accountName, "ada");
    assert.equal(setting.agentPort.requests.at(-1)?.certificate, used);
    assert.ok(setting.notes.some((note) => note.includes("the one before it is in force again")));
  });

  it("goes on without it when the storage node does not renew, and does not renew without the lock", async () => {
    await using setting = await setUp();
    setting.route = async ({ target }) => (target === "/v1/account" ? { status: 200, body: encodeMessage(ACCOUNT) } : denied("not now"));
    setting.ports.clock.advance(AHEAD_DAYS * DAY_MS);
    await using connection = await setting.connect();
    await connection.accountInfo();
    assert.ok(setting.notes.some((note) => /could not be renewed: not now/.test(note)));
    await using unlocked = await setting.connect({ mayRenew: false });
    await unlocked.accountInfo();
    assert.equal(setting.agentPort.requests.filter(({ target }) => target.endsWith("renew")).length, 1);
  });
});

describe("a revoked device", () => {
  it("ends at once with exit code 5 when the storage node says so", async () => {
    await using setting = await setUp();
    await using connection = await setting.connect();
    for (const message of ["device: unknown or revoked", "device: revoked; ask the operator"]) {
      setting.route = async () => denied(message);
      const before = setting.agentPort.requests.length;
      const fault = await connection.accountInfo().then(
        () => assert.fail(),
        (error: unknown) => error,
      );
      assert.ok(isFault(fault, "denied"));
      assert.match(fault.message, /^this device \(web-1\): was revoked at storage node localhost:\d+/);
      assert.equal(exitCodeOf(fault), 5);
      assert.equal(setting.agentPort.requests.length, before + 1, "nothing is tried again");
    }
  });

  it("is told by the revocation list when the storage node only hangs up", async () => {
    await using setting = await setUp();
    setting.route = async () => null;
    setting.crl = await setting.authority.revocationList(utf8ToText(setting.ports.disk.readFile(PATHS.tlsCertificate, 1e5) ?? new Uint8Array(0)) ?? "");
    await using connection = await setting.connect();
    await assert.rejects(connection.accountInfo(), { code: "denied", message: /was revoked/ });
    assert.equal(setting.agentPort.requests.length, 1);
  });

  it("is not believed in for a hang-up alone, nor for the list of a stranger", async () => {
    await using setting = await setUp();
    setting.route = async () => null;
    const stranger = createMemoryAuthority(setting.ports);
    const chain = utf8ToText(setting.ports.disk.readFile(PATHS.tlsCertificate, 1e5) ?? new Uint8Array(0)) ?? "";
    for (const crl of ["", "garbage", await stranger.revocationList(chain)]) {
      setting.crl = crl;
      await using connection = await setting.connect({ triesMax: 2 });
      await assert.rejects(connection.accountInfo(), { code: "transport" });
    }
  });

  it("is not what another refusal means", async () => {
    await using setting = await setUp();
    setting.route = async () => denied("device: needs the role maintainer");
    await using connection = await setting.connect();
    await assert.rejects(connection.accountInfo(), { code: "denied", message: "device: needs the role maintainer" });
  });
});
