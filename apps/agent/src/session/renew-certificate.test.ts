import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault, utf8, utf8ToText } from "@holdfast/base";
import type { SessionRequest, SignedSession } from "@holdfast/client";
import { type Authority, createCsr, createIntermediate, createKeyPair, createRoot, encodeChain, issueAgentLeaf } from "@holdfast/pki";
import { decodeMessage, encodeMessage } from "@holdfast/protocol";
import { createFakeClock, createFaultDisk, createSeededRandom, PowerLoss, testId } from "@holdfast/testkit";
import { statePaths } from "../state/state-paths.ts";
import { isRenewalDue, renewCertificate } from "./renew-certificate.ts";
import type { Ports } from "./session.ts";
import { passGate } from "./tls-files.ts";

const PATHS = statePaths("/state");
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

describe("renewing the client certificate", () => {
  it("is due when two thirds of its life are over", async () => {
    const { ports } = await setUp();
    const files = await passGate(ports, PATHS);
    const lifeMs = files.notAfterMs - files.notBeforeMs;
    assert.equal(isRenewalDue(files, files.notBeforeMs + (lifeMs * 2) / 3 - 1), false);
    assert.equal(isRenewalDue(files, files.notBeforeMs + (lifeMs * 2) / 3), true);
  });

  it("puts a certificate for a fresh key in place, which passes the gate", async () => {
    const { ports, session } = await setUp();
    const old = await passGate(ports, PATHS);
    ports.clock.advance(21 * DAY_MS);
    const renewed = await renewCertificate(ports, PATHS, session, old);
    assert.notEqual(renewed.keyPem, old.keyPem);
    assert.ok(renewed.notAfterMs > old.notAfterMs + 20 * DAY_MS);
    assert.deepEqual(await passGate(ports, PATHS), renewed);
    assert.equal(ports.disk.list("/state")?.length, 3, "no key is left over");
  });

  it("changes nothing when the new certificate does not pass the gate", async () => {
    const { ports, session } = await setUp(async (own) => createIntermediate(own, await createRoot(own, "another root"), "another"));
    const old = await passGate(ports, PATHS);
    await assert.rejects(renewCertificate(ports, PATHS, session, old), { code: "certificate" });
    assert.deepEqual(await passGate(ports, PATHS), old);
  });

  it("leaves a pair that passes the gate, wherever the power is lost", async () => {
    let tries = 0;
    for (let isOver = false; !isOver; tries++) {
      const { ports, session } = await setUp();
      const old = await passGate(ports, PATHS);
      ports.disk.failAt(tries, "power-after");
      isOver = await renewCertificate(ports, PATHS, session, old).then(
        () => true,
        (error: unknown) => {
          assert.ok(error instanceof PowerLoss || error instanceof Fault, String(error));
          return false;
        },
      );
      for (const disk of ports.disk.crashStates()) {
        const files = await passGate({ ...ports, disk }, PATHS);
        assert.equal(utf8ToText(disk.readFile(PATHS.tlsKey, 1e5)!), files.keyPem, `power lost after call ${tries}`);
      }
    }
    assert.ok(tries >= 4, "power was lost at several places");
  });
});
