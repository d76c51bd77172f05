import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, utf8, utf8ToText } from "@holdfast/base";
import type { SessionRequest, SignedSession } from "@holdfast/client";
import { type Authority, createCsr, createIntermediate, createKeyPair, createRoot, encodeChain, issueAgentLeaf } from "@holdfast/pki";
import { asDeviceId, decodeMessage, encodeMessage } from "@holdfast/protocol";
import { createFakeClock, createFaultDisk, createSeededRandom, PowerLoss, testId } from "@holdfast/testkit";
import { statePaths } from "../state/state-paths.ts";
import { renewalDueMs, renewCertificate } from "./renew-certificate.ts";
import type { Ports } from "./session.ts";
import { dropOldPair, passGate, takeBackRenewal } from "./tls-files.ts";

const PATHS = statePaths("/state");
const LOCKED = { mayMend: true };
const DAY_MS = 86_400_000;

interface Setting {
  readonly ports: Ports & { readonly disk: ReturnType<typeof createFaultDisk>; readonly clock: ReturnType<typeof createFakeClock> };
  readonly session: SignedSession;
}

/** A state folder with a certificate, and a node that issues others with `issuer`. */
async function setUp(otherIssuer?: (ports: Ports) => Promise<Authority>): Promise<Setting> {
  const disk = createFaultDisk();
  const ports = { clock: createFakeClock(), random: createSeededRandom(3), disk };
  const root = await createRoot(ports, "test root");
  const intermediate = await createIntermediate(ports, root, "test intermediate");
  const issue = async (issuer: Authority, csr: string) =>
    encodeChain(await issueAgentLeaf(ports, issuer, csr, testId("device").slice(0, 16)), issuer.certificatePem);
  const { privateKeyPem } = await createKeyPair();
  disk.makeFolder("/state", 0o700);
  disk.writeFile(PATHS.tlsKey, utf8(privateKeyPem), 0o600);
  disk.writeFile(PATHS.tlsCertificate, utf8(await issue(intermediate, await createCsr(privateKeyPem))), 0o600);
  disk.writeFile(PATHS.tlsRoot, utf8(root.certificatePem), 0o600);
  const session: SignedSession = {
    async send({ target, body }: SessionRequest) {
      assert.equal(target, "/v1/certificates/renew");
      const { csr } = decodeMessage((body ?? [])[0] as Uint8Array) as { csr: string };
      const issuer = otherIssuer === undefined ? intermediate : await otherIssuer(ports);
      return { status: 200, headers: {}, body: encodeMessage({ certificate: await issue(issuer, csr) }) };
    },
  };
  return { ports, session };
}

function textOf({ disk }: Ports, path: string): string | null {
  return utf8ToText(disk.readFile(path, 1e5) ?? new Uint8Array(0));
}

describe("renewing the client certificate", () => {
  it("is due when two thirds of its life are over, and at most a tenth later, by device", async () => {
    const { ports } = await setUp();
    const files = await passGate(ports, PATHS, LOCKED);
    const lifeMs = files.notAfterMs - files.notBeforeMs;
    const partOf = (name: string): number => (renewalDueMs(files, asDeviceId(testId(name).slice(0, 16))) - files.notBeforeMs) / lifeMs;
    const parts = Array.from({ length: 200 }, (_, index) => partOf(`device ${index}`));
    assert.ok(parts.every((part) => part >= 2 / 3 && part <= 2 / 3 + 0.1));
    const tenths = new Set(parts.map((part) => Math.floor((part - 2 / 3) * 100)));
    assert.ok(tenths.size >= 10, "a fleet is spread over the whole time");
    assert.equal(partOf("device 1"), parts[1], "a device keeps its place");
  });

  it("puts a certificate for a fresh key in place, which passes the gate", async () => {
    const { ports, session } = await setUp();
    const old = await passGate(ports, PATHS, LOCKED);
    ports.clock.advance(21 * DAY_MS);
    const renewed = await renewCertificate(ports, PATHS, session, old);
    assert.notEqual(renewed.keyPem, old.keyPem);
    assert.ok(renewed.notAfterMs > old.notAfterMs + 20 * DAY_MS);
    assert.deepEqual(await passGate(ports, PATHS, LOCKED), renewed);
    const kept = { ...old, keyPem: textOf(ports, `${PATHS.tlsKey}.old`), chainPem: textOf(ports, `${PATHS.tlsCertificate}.old`) };
    assert.deepEqual(kept, old, "the pair before is kept until the new one has been used");
    dropOldPair(ports.disk, PATHS);
    assert.equal(ports.disk.list("/state")?.length, 3, "no key is left over");
  });

  it("keeps the last pair that was used when one renewal follows another", async () => {
    const { ports, session } = await setUp();
    const used = await passGate(ports, PATHS, LOCKED);
    const unused = await renewCertificate(ports, PATHS, session, used);
    await renewCertificate(ports, PATHS, session, unused);
    assert.equal(textOf(ports, `${PATHS.tlsKey}.old`), used.keyPem);
  });

  it("takes the pair before back when the new one is damaged or refused", async () => {
    const { ports, session } = await setUp();
    const old = await passGate(ports, PATHS, LOCKED);
    await renewCertificate(ports, PATHS, session, old);
    ports.disk.writeFile(PATHS.tlsCertificate, utf8("damaged"), 0o600);
    assert.deepEqual(await passGate(ports, PATHS, { mayMend: false }), old, "without the lock, in memory");
    assert.equal(textOf(ports, PATHS.tlsCertificate), "damaged");
    assert.deepEqual(await passGate(ports, PATHS, LOCKED), old);
    assert.equal(ports.disk.list("/state")?.length, 3);
    await renewCertificate(ports, PATHS, session, old);
    assert.deepEqual(await takeBackRenewal(ports, PATHS, LOCKED), old);
    assert.deepEqual(await passGate(ports, PATHS, LOCKED), old);
    assert.equal(await takeBackRenewal(ports, PATHS, LOCKED), null, "there is nothing before it");
  });

  it("changes nothing when the new certificate does not pass the gate", async () => {
    const { ports, session } = await setUp(async (own) => createIntermediate(own, await createRoot(own, "another root"), "another"));
    const old = await passGate(ports, PATHS, LOCKED);
    await assert.rejects(renewCertificate(ports, PATHS, session, old), { code: "certificate" });
    assert.deepEqual(await passGate(ports, PATHS, LOCKED), old);
  });

  it("leaves a pair that passes the gate, wherever the power is lost", async () => {
    const { ports: whole, session: wholeSession } = await setUp();
    const wholeOld = await passGate(whole, PATHS, LOCKED);
    const before = whole.disk.callCount;
    await renewCertificate(whole, PATHS, wholeSession, wholeOld);
    const callCount = whole.disk.callCount - before;
    let lossCount = 0;
    for (let index = 0; index < callCount; index++) {
      const { ports, session } = await setUp();
      const old = await passGate(ports, PATHS, LOCKED);
      ports.disk.failAt(index, "power-after");
      await renewCertificate(ports, PATHS, session, old).catch((error: unknown) => {
        assert.ok(error instanceof PowerLoss || error instanceof Fault, String(error));
        lossCount++;
      });
      for (const disk of ports.disk.crashStates()) {
        const files = await passGate({ ...ports, disk }, PATHS, LOCKED);
        assert.equal(utf8ToText(disk.readFile(PATHS.tlsKey, 1e5)!), files.keyPem, `power lost after call ${index}`);
      }
    }
    assert.ok(lossCount >= 5, "power was lost at several places");
  });
});
