import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { createRoot, issueNodeLeaf } from "./issue.ts";
import { createKeyPair } from "./key.ts";
import { NOW_MS, portsAt } from "./testing/authority.ts";
import { isLegacyTls, type TlsPolicy, tlsPolicy } from "./tls-policy.ts";

const ports = portsAt(NOW_MS);
const root = await createRoot(ports, "root");
const keys = await createKeyPair();
const cert = await issueNodeLeaf(ports, root, keys, ["localhost"]);

/** Protocol of a real handshake, or `null` when it is refused. */
async function handshake(server: TlsPolicy, client: TlsPolicy): Promise<string | null> {
  const listener = createServer({ ...server, cert, key: keys.privateKeyPem }, (accepted) => accepted.on("error", () => {}).end());
  listener.on("tlsClientError", (_error, socket) => socket.destroy());
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const socket: TLSSocket = connect({ ...client, port, host: "127.0.0.1", servername: "localhost", rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect");
    return socket.getProtocol();
  } catch {
    return null;
  } finally {
    socket.destroy();
    listener.close();
  }
}

const modern = tlsPolicy("modern");
const intermediate = tlsPolicy("intermediate");
const only12: TlsPolicy = { ...intermediate, maxVersion: "TLSv1.2" };

describe("tls policies", () => {
  it("modern speaks 1.3 and refuses 1.2", async () => {
    assert.equal(await handshake(modern, modern), "TLSv1.3");
    assert.equal(await handshake(modern, only12), null);
  });

  it("intermediate prefers 1.3 and still speaks 1.2", async () => {
    assert.equal(await handshake(intermediate, intermediate), "TLSv1.3");
    assert.equal(await handshake(intermediate, only12), "TLSv1.2");
  });

  it("hold no weak suite, and no security level, on which Bun throws", () => {
    for (const { ciphers } of [modern, intermediate]) {
      assert.ok(!ciphers.includes("@"));
      for (const suite of ciphers.split(":"))
        assert.match(suite, /^(TLS_(AES|CHACHA20)_[A-Z0-9_]+|ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305))$/);
    }
  });

  it("v8r4 takes 1.0 to 1.2, the sound suites of 1.2 first, and none of the banned ones", () => {
    const v8r4 = tlsPolicy("v8r4");
    assert.deepEqual([v8r4.minVersion, v8r4.maxVersion, v8r4.honorCipherOrder, isLegacyTls(v8r4)], ["TLSv1", "TLSv1.2", true, true]);
    assert.doesNotMatch(v8r4.ciphers, /RC4|3DES|DES-CBC|NULL|EXP|ADH|AECDH|anon|MD5|@|DEFAULT|ALL/);
    const suites = v8r4.ciphers.split(":");
    const firstCbc = suites.findIndex((suite) => suite.endsWith("-SHA"));
    const firstStatic = suites.findIndex((suite) => !suite.startsWith("ECDHE-"));
    assert.ok(suites.slice(0, firstCbc).every((suite) => /GCM|CHACHA20/.test(suite)));
    assert.deepEqual(suites.slice(firstStatic), ["AES256-SHA", "AES128-SHA"]);
    assert.deepEqual([isLegacyTls(modern), isLegacyTls(intermediate)], [false, false]);
  });

  it("anything unknown is refused", () => {
    for (const name of ["", "old", "__proto__", "toString"]) assert.throws(() => tlsPolicy(name), { name: "Fault", code: "input", message: /unknown/ });
  });
});
