/** A device that slept past the end of its certificate comes back with its device key alone. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createSystemRandom } from "@holdfast/base/node";
import { createCsr, createKeyPair } from "@holdfast/pki";
import { encodeMessage, parseFault } from "@holdfast/protocol";
import { testKey } from "@holdfast/testkit";
import { askToRevoke } from "./control-node.ts";
import { NodeFixture } from "./testing/node-fixture.ts";
import { enrollDevice, TestClient } from "./testing/test-client.ts";

const random = createSystemRandom();
let node: NodeFixture;

before(async () => {
  node = await NodeFixture.create();
});
after(() => node[Symbol.asyncDispose]());

type Key = ReturnType<typeof testKey>;

async function reissue(signer: Key, deviceKey: Uint8Array = signer.publicKey, at: NodeFixture = node) {
  using front = new TestClient("localhost", at.node.frontPort, at.rootPem, signer, null);
  const { privateKeyPem } = await createKeyPair();
  const body = encodeMessage({ csr: await createCsr(privateKeyPem), deviceKey });
  const answer = await front.exchange({ target: "/v1/certificates/reissue", body });
  return { answer, privateKeyPem };
}

function codeOf({ status, body }: { status: number; body: Uint8Array }): string {
  return parseFault(status, body as never).code;
}

describe("a certificate anew", () => {
  it("is given to an enrolled device that signs with its key, and lets it in", async () => {
    const key = testKey(701);
    await enrollDevice(await node.invite("reissue"), node.rootPem, key);
    const { answer, privateKeyPem } = await reissue(key);
    assert.equal(answer.status, 200);
    const text = new TextDecoder("latin1").decode(answer.body);
    const cert = text.slice(text.indexOf("-----BEGIN"), text.lastIndexOf("-----END CERTIFICATE-----") + 26);
    using client = new TestClient("localhost", node.node.agentPort, node.rootPem, key, { cert, key: privateKeyPem });
    assert.equal((await client.exchange({ target: "/v1/account" })).status, 200);
  });

  it("is refused to a stranger, to another's key, and to a revoked device", async () => {
    const [key, stranger] = [testKey(702), testKey(703)];
    await enrollDevice(await node.invite("reissue"), node.rootPem, key);
    assert.equal(codeOf((await reissue(stranger)).answer), "denied");
    assert.equal(codeOf((await reissue(stranger, key.publicKey)).answer), "denied");
    assert.equal(codeOf((await reissue(key, random.bytes(32))).answer), "denied");
    await askToRevoke(node.folder.controlPath, Array.from(key.deviceId, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    const { answer } = await reissue(key);
    assert.match(parseFault(answer.status, answer.body).message, /revoked/);
  });
});

describe("a certificate anew, long after the last one ended", () => {
  it("is refused: it takes an invite", async () => {
    // The last certificate lasts 30 days more: a grace that ended 40 days before the end of it is over.
    await using strict = await NodeFixture.create({ reissueGraceMs: -40 * 86_400_000 });
    const key = testKey(705);
    await enrollDevice(await strict.invite("reissue"), strict.rootPem, key);
    const { answer } = await reissue(key, key.publicKey, strict);
    assert.match(parseFault(answer.status, answer.body).message, /ended too long ago; ask the operator for an invite/);
  });
});

describe("the metrics", () => {
  it("tell how many rules of the gate fail", async () => {
    using front = new TestClient("localhost", node.node.frontPort, node.rootPem, testKey(704), null);
    const answer = await front.exchange({ target: "/metrics" });
    assert.match(new TextDecoder().decode(answer.body), /^holdfast_gate_problems 0$/m);
    assert.match(String(answer.headers["strict-transport-security"]), /max-age=\d{8}/);
  });
});
