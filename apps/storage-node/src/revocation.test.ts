/** A revocation while requests are under way, and a reload that must not disturb them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { bytesToHex, concatBytes } from "@holdfast/base";
import { createSystemClock } from "@holdfast/base/node";
import { sha256 } from "@holdfast/crypto/hash";
import { asLeaseId, contentDigest, RECORD_KINDS, type RecordId } from "@holdfast/protocol";
import { testKey } from "@holdfast/testkit";
import { replacePki } from "./pki-files.ts";
import { makeLeaf } from "./testing/broken-leaves.ts";
import { type EnrolledClient, NodeFixture } from "./testing/node-fixture.ts";
import { randomFrame } from "./testing/vault-fixture.ts";

const LIMITED = { timeout: 60_000 };
const CHECK_MS = 200;
const FRAME_BYTES = 4_000_000;
const PIECE_BYTES = 16_384;

let fixture: NodeFixture;
const clock = createSystemClock();

before(async () => {
  fixture = await NodeFixture.create({ checkIntervalMs: CHECK_MS, settleMs: 0 });
});
after(() => fixture[Symbol.asyncDispose]());

interface SlowUpload {
  readonly socket: TLSSocket;
  readonly id: RecordId;
  /** All that was answered, once the connection is closed. */
  readonly answer: Promise<string>;
  readonly body: Uint8Array;
}

/** A signed upload of one record, of which only the headers and the first piece are sent. */
async function beginUpload({ client, identity }: EnrolledClient, vaultNo: number): Promise<SlowUpload> {
  const vault = testKey(vaultNo).vaultId;
  await fixture.createVault(client, vault);
  const { lease } = await client.recordStore(vault).lease(null);
  const { id, frame } = randomFrame(RECORD_KINDS.contentPack, FRAME_BYTES);
  const target = `/v1/vaults/${bytesToHex(vault)}/records`;
  const headers = { "holdfast-lease": bytesToHex(asLeaseId(lease)), "holdfast-records": contentDigest(sha256(id)), connection: "close" };
  let signed: Readonly<Record<string, string>> = {};
  const capture = (all: Record<string, string>): never => {
    signed = { ...all };
    throw new Error("captured");
  };
  assert.throws(() => void client.exchange({ target, body: concatBytes(frame), headers, tamper: capture }), /captured/);
  const socket = tlsConnect({ host: "127.0.0.1", port: fixture.node.agentPort, servername: "localhost", ca: fixture.rootPem, ...identity });
  await once(socket, "secureConnect");
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${target} HTTP/1.1\r\n${lines.join("")}\r\n`);
  socket.write(frame.subarray(0, PIECE_BYTES));
  return { socket, id, answer: untilClosed(socket), body: frame.subarray(PIECE_BYTES) };
}

function untilClosed(socket: TLSSocket): Promise<string> {
  let text = "";
  socket.on("data", (data) => {
    text += String(data);
  });
  socket.on("error", () => undefined);
  return new Promise((resolve) => socket.once("close", () => resolve(text)));
}

/** Sends `body` piece by piece over about `overMs`, until the other side closes. */
async function drip({ socket, body }: SlowUpload, overMs: number): Promise<void> {
  const pieceCount = Math.ceil(body.length / PIECE_BYTES);
  for (let piece = 0; piece < pieceCount && !socket.destroyed; piece++) {
    socket.write(body.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES));
    await clock.sleep(overMs / pieceCount);
  }
}

describe("requests under way", LIMITED, () => {
  it("an upload of a device that is revoked is cut in the middle by the next check; that of another device is not", LIMITED, async () => {
    const lost = await fixture.enroll("ada");
    const kept = await fixture.enroll("bob");
    const [cut, whole] = [await beginUpload(lost, 71), await beginUpload(kept, 72)];
    await fixture.node.services.store.writer.call("revokeDevice", [lost.client.device]);
    const startMs = clock.monotonicMs();
    const dripping = [drip(cut, 20_000), drip(whole, 1500)];
    assert.equal(await cut.answer, "");
    assert.ok(clock.monotonicMs() - startMs < 10 * CHECK_MS, "as soon as the next check");
    assert.match(await whole.answer, /^HTTP\/1\.1 200/);
    await Promise.all(dripping);
    const { reader } = fixture.node.services.store;
    assert.equal(await reader.call("place", [testKey(71).vaultId, cut.id]), null);
    assert.notEqual(await reader.call("place", [testKey(72).vaultId, whole.id]), null);
    await assert.rejects(lost.client.send({ target: "/v1/account" }), { code: "denied" });
  });

  it("a slow upload runs through a reload of the certificates", LIMITED, async () => {
    const upload = await beginUpload(await fixture.enroll("cleo"), 73);
    const { folder, node } = fixture;
    const loadedBefore = fixture.logLines.filter((line) => line.startsWith("certificates reloaded")).length;
    const renewed = makeLeaf({ issuer: { cert: folder.readText("pki/intermediate.pem"), key: folder.readText("pki/intermediate-key.pem") } });
    replacePki(folder.disk, folder.path, { "pki/node.pem": renewed.cert, "pki/node-key.pem": renewed.key });
    await node.check();
    assert.equal(fixture.logLines.filter((line) => line.startsWith("certificates reloaded")).length, loadedBefore + 1);
    await drip(upload, 500);
    assert.match(await upload.answer, /^HTTP\/1\.1 200/);
  });

  it("a slow upload is finished when the gate closes the ports", LIMITED, async () => {
    const upload = await beginUpload(await fixture.enroll("dora"), 74);
    const { folder, node } = fixture;
    const leaf = folder.readText("pki/node.pem");
    folder.writeText("pki/node.pem", "garbage");
    await node.check();
    assert.equal(node.services.problems().length > 0, true);
    await drip(upload, 500);
    assert.match(await upload.answer, /^HTTP\/1\.1 200/);
    folder.writeText("pki/node.pem", leaf);
    await node.check();
  });
});
