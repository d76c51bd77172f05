import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect, createServer } from "node:tls";
import { type Bytes, Fault } from "@holdfast/base";
import { createIntermediate, createRoot, encodeChain, issueNodeLeaf, spkiHashOfCertificate } from "./issue.ts";
import { createKeyPair } from "./key.ts";
import { type PeerSocketCertificate, peerChainOf, verifyPeerChain } from "./peer-chain.ts";
import { parsePem } from "./pem.ts";
import { DAY_MS } from "./profiles.ts";
import { NOW_MS, portsAt, withBrokenSignature } from "./testing/authority.ts";
import { tlsPolicy } from "./tls-policy.ts";

const ports = portsAt(NOW_MS);
const root = await createRoot(ports, "root");
const intermediate = await createIntermediate(ports, root, "intermediate");
const keys = await createKeyPair();
const leafPem = await issueNodeLeaf(ports, intermediate, keys, ["localhost", "127.0.0.1"]);
const pinnedSpkiHash = await spkiHashOfCertificate(root.certificatePem);
const chainDer = derOf(encodeChain(leafPem, intermediate.certificatePem, root.certificatePem));
const GOOD = { chainDer, pinnedSpkiHash, host: "localhost", nowMs: NOW_MS };

describe("the chain that a node presents on enrolment", () => {
  it("passes when its root is the pinned one, and gives the root to keep", async () => {
    const peer = await verifyPeerChain(GOOD);
    assert.equal(peer.rootPem, root.certificatePem);
    assert.equal(peer.leaf.pem, leafPem);
    await verifyPeerChain({ ...GOOD, host: "127.0.0.1" });
  });

  it("is refused under another root, even of the same name", async () => {
    const impostor = await createRoot(ports, "root");
    const issuer = await createIntermediate(ports, impostor, "intermediate");
    const forged = await issueNodeLeaf(ports, issuer, keys, ["localhost"]);
    const theirs = derOf(encodeChain(forged, issuer.certificatePem, impostor.certificatePem));
    await refused({ ...GOOD, chainDer: theirs }, /not the pinned one/);
    // The true root behind a forged chain: the pin alone would pass.
    await refused({ ...GOOD, chainDer: derOf(encodeChain(forged, issuer.certificatePem, root.certificatePem)) }, /signature does not verify/);
    await refused({ ...GOOD, chainDer: derOf(encodeChain(forged, intermediate.certificatePem, root.certificatePem)) }, /signature does not verify/);
  });

  it("is refused for another host, another pin, another time", async () => {
    await refused({ ...GOOD, host: "other.example" }, /does not cover/);
    await refused({ ...GOOD, pinnedSpkiHash: pinnedSpkiHash.slice(0, 31) }, /not the pinned one/);
    await refused({ ...GOOD, nowMs: NOW_MS + 91 * DAY_MS }, /leaf: expired/);
  });

  it("is refused without the root, in another order, too long, empty or damaged", async () => {
    const [leaf, middle, top] = chainDer as [Bytes, Bytes, Bytes];
    for (const wrong of [[], [top], [leaf, middle], [leaf, top], [middle, leaf, top], [top, top], Array.from({ length: 7 }, () => top)]) {
      await refused({ ...GOOD, chainDer: wrong }, /^peer: /);
    }
    await refused({ ...GOOD, chainDer: [withBrokenSignature(leaf), middle, top] }, /signature does not verify/);
    await refused({ ...GOOD, chainDer: [leaf.slice(1), middle, top] }, /does not parse/);
  });

  it("is refused when an authority of ours stands in as the server", async () => {
    await refused({ ...GOOD, chainDer: chainDer.slice(1) }, /authority is used as a leaf/);
  });
});

describe("reading the chain from a socket", () => {
  it("gives what the server sent, in every TLS profile that is offered", async () => {
    for (const profile of ["modern", "intermediate"]) {
      const policy = tlsPolicy(profile);
      const cert = encodeChain(leafPem, intermediate.certificatePem, root.certificatePem);
      const server = createServer({ ...policy, cert, key: keys.privateKeyPem }, (socket) => socket.on("error", () => {}).end());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const socket = connect({ ...policy, port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false });
      try {
        await once(socket, "secureConnect");
        const presented = peerChainOf(socket);
        assert.deepEqual(presented, chainDer);
        await verifyPeerChain({ ...GOOD, chainDer: presented });
      } finally {
        socket.destroy();
        server.close();
      }
    }
  });

  it("stops at a chain without end, and at none", () => {
    const endless = (n: number): PeerSocketCertificate => ({
      raw: Uint8Array.of(n),
      get issuerCertificate() {
        return endless(n + 1);
      },
    });
    assert.throws(() => peerChainOf({ getPeerCertificate: () => endless(0) }), { name: "Fault", code: "certificate" });
    assert.deepEqual(peerChainOf({ getPeerCertificate: () => ({}) }), []);
  });
});

async function refused(peer: Parameters<typeof verifyPeerChain>[0], message: RegExp): Promise<void> {
  await assert.rejects(verifyPeerChain(peer), (error) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.code, "certificate");
    assert.match(error.message, message);
    return true;
  });
}

function derOf(pem: string): Bytes[] {
  return parsePem("CERTIFICATE", pem, { textBytesMax: 65_536, blockCountMax: 6 });
}
