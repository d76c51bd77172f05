import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request as httpsRequest } from "node:https";
import { describe, it } from "node:test";
import { createTestAuthority } from "./testing/certificates.ts";

const MIB = 1024 * 1024;
const UPLOAD_BYTES = 256 * MIB;
const STALLED_MS = 700; // The sender counts as held back when nothing more leaves for this long.

describe("TLS port: memory", { timeout: 60_000 }, () => {
  it("holds a sender of 256 MiB back while the handler does not read, then takes all of it", async () => {
    using authority = createTestAuthority("test root");
    const server = authority.issue("node", "serverAuth");
    const client = authority.issue("agent", "clientAuth");
    const child = spawn(process.execPath, [new URL("./testing/slow-reader.ts", import.meta.url).pathname], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      child.stdin.end(JSON.stringify({ certificateChain: server.cert, privateKey: server.key, authorities: authority.root }));
      const [line] = await once(child.stdout, "data");
      const { port } = JSON.parse(String(line)) as { port: number };
      const agent = new Agent({ host: "127.0.0.1", port, ca: authority.root, cert: client.cert, key: client.key, keepAlive: true });
      const get = (path: string): Promise<string> => exchange(agent, port, path);
      const rssBefore = Number(await get("/rss"));

      const upload = sendUntilHeldBack(agent, port);
      const sentBytes = await upload.heldBackAfterBytes;
      const growthBytes = Number(await get("/rss")) - rssBefore;
      assert.ok(sentBytes < UPLOAD_BYTES / 4, `sent ${sentBytes}`);
      assert.ok(growthBytes < 48 * MIB, `grew by ${growthBytes}`);

      await get("/go");
      assert.equal(await upload.answer, String(UPLOAD_BYTES));
      const growthAfterBytes = Number(await get("/rss")) - rssBefore;
      assert.ok(growthAfterBytes < 128 * MIB, `grew by ${growthAfterBytes}`);
      agent.destroy();
    } finally {
      child.kill("SIGKILL");
    }
  });
});

function exchange(agent: Agent, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = httpsRequest({ host: "127.0.0.1", port, path, agent }, (response) => {
      let text = "";
      response.on("data", (data) => {
        text += String(data);
      });
      response.on("end", () => resolve(text));
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

function sendUntilHeldBack(agent: Agent, port: number): { heldBackAfterBytes: Promise<number>; answer: Promise<string> } {
  const heldBack = Promise.withResolvers<number>();
  const answer = Promise.withResolvers<string>();
  const part = Buffer.alloc(MIB / 4);
  const outgoing = httpsRequest({ host: "127.0.0.1", port, path: "/", method: "POST", agent, headers: { "content-length": UPLOAD_BYTES } }, (response) => {
    response.on("data", (data) => answer.resolve(String(data)));
  });
  outgoing.on("error", answer.reject);
  void (async () => {
    for (let sentBytes = 0; sentBytes < UPLOAD_BYTES; sentBytes += part.length) {
      if (outgoing.write(part)) continue;
      const timer = setTimeout(() => heldBack.resolve(sentBytes), STALLED_MS);
      await once(outgoing, "drain");
      clearTimeout(timer);
    }
    heldBack.resolve(UPLOAD_BYTES);
    outgoing.end();
  })();
  return { heldBackAfterBytes: heldBack.promise, answer: answer.promise };
}
