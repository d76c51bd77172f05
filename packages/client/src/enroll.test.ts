import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, bytesToHex, Fault, type FaultCode } from "@holdfast/base";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { createCsr, createKeyPair, encodeChain, spkiHashOfCertificate } from "@holdfast/pki";
import { encodeFault, encodeMessage, enrollRequest, type Invite, parseMessage, parseRequestSignature } from "@holdfast/protocol";
import { testId, testKey, testVerifier } from "@holdfast/testkit";
import { type EnrollOptions, enroll } from "./enroll.ts";
import { createTestPki, type TestPki } from "./testing/certificates.ts";
import { type RawExchange, type RawServer, startRawServer } from "./testing/raw-server.ts";

const KEY = testKey(9);
const SECRET = testId("secret").slice(0, 16);
const pki = await createTestPki();
const otherPki = await createTestPki();
const csrPem = await createCsr((await createKeyPair()).privateKeyPem);

interface FrontPort {
  readonly rootPem?: string;
  readonly tls?: TestPki;
  readonly names?: readonly string[];
  /** Root in the answer to the enrolment. */
  readonly answeredRootPem?: string;
  readonly refusal?: Fault;
}

/** A front port, honest but for `change`, and what came in the bodies of its requests. */
async function startFrontPort(change: FrontPort = {}): Promise<{ server: RawServer; bodies: Bytes[] }> {
  const rootPem = change.rootPem ?? pki.rootPem;
  const bodies: Bytes[] = [];
  const serve = async (exchange: RawExchange): Promise<void> => {
    const body = await exchange.body();
    if (body.length > 0) bodies.push(body);
    if (exchange.target === "/v1/root") return exchange.answer(encodeMessage({ root: rootPem }));
    if (change.refusal !== undefined) return exchange.answer(encodeFault(change.refusal), "403 Forbidden");
    const message = {
      certificate: "leaf and intermediate",
      root: change.answeredRootPem ?? rootPem,
      account: new Uint8Array(16),
      accountName: "an account",
      edition: "dl",
      vault: null,
    };
    exchange.answer(encodeMessage(message));
  };
  return { server: await startRawServer(await (change.tls ?? pki).server(change.names), serve), bodies };
}

async function optionsFor(server: RawServer): Promise<EnrollOptions> {
  const invite: Invite = {
    host: "localhost",
    agentPort: 1,
    frontPort: server.port,
    secret: SECRET,
    rootSpkiSha256: await spkiHashOfCertificate(pki.rootPem),
    nodeKey: testId("node key"),
  };
  return {
    invite,
    clock: createSystemClock(),
    random: createSystemRandom(),
    device: KEY.deviceId,
    deviceKey: KEY.publicKey,
    sign: (base) => KEY.sign("request", base),
    sha256: testVerifier.sha256,
    spkiSha256: spkiHashOfCertificate,
    csrPem,
    label: "a device",
  };
}

/** Enrols at a port that is wrong by `change`. Unless `sent`, nothing of the invite may have left. */
async function refused(change: FrontPort, code: FaultCode, sent = false): Promise<void> {
  const { server, bodies } = await startFrontPort(change);
  await using _server = server;
  await assert.rejects(enroll(await optionsFor(server)), (error) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.code, code, error.message);
    assert.ok(!error.message.includes(bytesToHex(SECRET)));
    return true;
  });
  if (sent) return;
  assert.deepEqual(bodies, [], "no body was sent, so no secret");
  for (const { target, headers } of server.exchanges) assert.ok(!(target + JSON.stringify(headers)).includes(bytesToHex(SECRET)));
}

describe("enroll", () => {
  it("fetches the root, redeems the code and gives the answer", async () => {
    const { server, bodies } = await startFrontPort();
    await using _server = server;
    const answer = await enroll(await optionsFor(server));
    assert.equal(answer.root, pki.rootPem);
    assert.equal(answer.accountName, "an account");
    assert.deepEqual(
      server.exchanges.map(({ method, target }) => `${method} ${target}`),
      ["GET /v1/root", "POST /v1/enroll"],
    );
    assert.notEqual(server.exchanges[0]?.connection, server.exchanges[1]?.connection, "never on the connection that was not verified");
    const request = parseMessage(enrollRequest, bodies[0] as Bytes, "enroll request");
    assert.deepEqual(request, { secret: SECRET, csr: csrPem, deviceKey: KEY.publicKey, label: "a device" });
  });

  it("signs the enrolment with the device key", async () => {
    const { server } = await startFrontPort();
    await using _server = server;
    await enroll(await optionsFor(server));
    const { method, target, headers } = server.exchanges[1] as RawExchange;
    const signature = parseRequestSignature({ method, target, headers, authority: `localhost:${server.port}` });
    assert.ok(testVerifier.verify("request", KEY.publicKey, signature.base, signature.signature));
  });

  it("sends no secret to a node with another root", async () => {
    await refused({ tls: otherPki, rootPem: otherPki.rootPem }, "certificate");
  });

  it("sends no secret to one in between who shows the true root and has a certificate of its own", async () => {
    await refused({ tls: otherPki }, "certificate");
  });

  it("sends no secret to a node of the same root under another name", async () => {
    await refused({ names: ["other.example"] }, "certificate");
  });

  it("sends no secret when another root is hidden behind the true one", async () => {
    await refused({ tls: otherPki, rootPem: encodeChain(pki.rootPem, otherPki.rootPem) }, "format");
  });

  it("sends no secret when there is no root to read", async () => {
    await refused({ rootPem: "no certificate" }, "format");
  });

  it("refuses another root in the answer", async () => {
    await refused({ answeredRootPem: otherPki.rootPem }, "certificate", true);
  });

  it("gives the fault of a code that is used or expired", async () => {
    await refused({ refusal: new Fault("denied", "invite: used, expired or unknown") }, "denied", true);
  });
});
