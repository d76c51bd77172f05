import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, type FaultCode, utf8 } from "@holdfast/base";
import { dialRuntime, dialTls } from "@holdfast/client";
import { asSigningSeed, createSigner, deviceIdOf } from "@holdfast/crypto";
import { createCsr, createKeyPair, spkiHashOfCertificate } from "@holdfast/pki";
import { asAccountId, decodeMessage, encodeFault, encodeMessage } from "@holdfast/protocol";
import { createFakeClock, createFaultDisk, createSeededRandom, testId } from "@holdfast/testkit";
import { exitCodeOf } from "../cli/exit-codes.ts";
import { statePaths } from "../state/state-paths.ts";
import { createMemoryAuthority } from "../testing/memory-authority.ts";
import { startTlsPort, type TlsAnswer, type TlsRequest } from "../testing/tls-node.ts";
import { type ReissueOptions, reissueCertificate } from "./reissue-certificate.ts";
import { passGate } from "./tls-files.ts";

const PATHS = statePaths("/state");
const SIGNER = createSigner(asSigningSeed(testId("seed")));
const DEVICE = deviceIdOf(SIGNER.publicKey);
const LOCKED = { mayMend: true };

type Refusal = readonly [code: FaultCode, message: string];

/** A state folder whose certificate has ended, and the front port of its node, which refuses or issues. */
async function setUp(refusal: Refusal | null, isStranger = false) {
  const ports = { clock: createFakeClock(Date.now(), true), random: createSeededRandom(4), disk: createFaultDisk() };
  ports.disk.makeFolder("/state", 0o700);
  const authority = createMemoryAuthority(ports);
  const { privateKeyPem } = await createKeyPair();
  const { certificate, root } = await authority.issue(await createCsr(privateKeyPem), DEVICE, 40);
  for (const [path, text] of [
    [PATHS.tlsKey, privateKeyPem],
    [PATHS.tlsCertificate, certificate],
    [PATHS.tlsRoot, root],
  ] as const)
    ports.disk.writeFile(path, utf8(text), 0o600);
  const answer = async ({ target, body }: TlsRequest): Promise<TlsAnswer> => {
    if (target === "/v1/root") return { status: 200, body: encodeMessage({ root }) };
    assert.equal(target, "/v1/certificates/reissue");
    const { csr, deviceKey } = decodeMessage(body) as { csr: string; deviceKey: Uint8Array };
    assert.deepEqual(deviceKey, SIGNER.publicKey);
    if (refusal !== null) return { status: refusal[0] === "missing" ? 404 : 403, body: encodeFault(new Fault(...refusal)) };
    return { status: 200, body: encodeMessage({ certificate: (await authority.issue(csr, DEVICE)).certificate }) };
  };
  const server = isStranger ? createMemoryAuthority(ports) : authority;
  const frontPort = await startTlsPort(await server.serverTls(false), answer);
  const identity = {
    host: "localhost",
    agentPort: 1,
    frontPort: frontPort.port,
    device: DEVICE,
    account: asAccountId(testId("account").slice(0, 16)),
    accountName: "ada",
    edition: "ese",
    label: "web-1",
    nodeKey: testId("node"),
    rootSpkiSha256: await spkiHashOfCertificate(root),
    vault: null,
    enrolledAtMs: 0,
  } as const;
  const options: ReissueOptions = { ports, paths: PATHS, identity, signer: SIGNER, tls: dialTls("modern", dialRuntime()) };
  return { ports, options, frontPort, root };
}

describe("a certificate by the device key", () => {
  it("is put in place for a fresh key, and passes the gate", async () => {
    const { ports, options, frontPort } = await setUp(null);
    await using _port = frontPort;
    await assert.rejects(passGate(ports, PATHS, LOCKED), { code: "certificate" });
    const files = await reissueCertificate(options);
    assert.deepEqual(await passGate(ports, PATHS, LOCKED), files);
    assert.equal(ports.disk.list("/state")?.length, 3);
  });

  it("brings the root back too, when that is lost or another, by its pin", async () => {
    const { ports, options, frontPort, root } = await setUp(null);
    await using _port = frontPort;
    for (const text of ["", "garbage"]) {
      ports.disk.writeFile(PATHS.tlsRoot, utf8(text), 0o600);
      assert.equal((await reissueCertificate(options)).rootPem, root);
    }
  });

  it("is not asked of a stranger", async () => {
    const { options, frontPort } = await setUp(null, true);
    await using _port = frontPort;
    await assert.rejects(reissueCertificate(options), { code: "certificate" });
    assert.equal(frontPort.requests.length, 0);
  });

  it("is told what to do when the storage node does not issue it, and changes nothing then", async () => {
    const cases: readonly (readonly [Refusal, RegExp, number])[] = [
      [["missing", "route: not here"], /issues no certificates without an invite; get a new invite from the operator and run: holdfast enroll CODE/, 9],
      [["denied", "device: grace is over"], /grace is over; get a new invite/, 5],
      [["denied", "device: revoked"], /was revoked at storage node localhost/, 5],
    ];
    for (const [refusal, message, exitCode] of cases) {
      const { ports, options, frontPort } = await setUp(refusal);
      await using _port = frontPort;
      const before = ports.disk.readFile(PATHS.tlsCertificate, 1e5);
      const fault = await reissueCertificate(options).then(
        () => assert.fail("issued"),
        (error: Error) => error,
      );
      assert.match(fault.message, message);
      assert.equal(exitCodeOf(fault), exitCode);
      assert.deepEqual(ports.disk.readFile(PATHS.tlsCertificate, 1e5), before);
    }
  });
});
