/** The policies on a real port, asked by the machine's openssl: a TLS implementation other than the one that answers. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createSystemClock, createSystemRandom } from "@holdfast/base/node";
import { type TlsProfileName, tlsPolicy } from "@holdfast/pki";
import { createTestAuthority, type TestAuthority, type TestLeaf } from "./testing/certificates.ts";
import { proveLegacyTls } from "./tls-probe.ts";
import { createTlsServer } from "./tls-server.ts";

const LIMITED = { timeout: 60_000 };
const clock = createSystemClock();

/** Per policy: protocols asked for one by one, and what is agreed on; `null` is refused. */
const TABLE: Readonly<Record<TlsProfileName, Readonly<Record<string, string | null>>>> = {
  modern: { "-tls1": null, "-tls1_1": null, "-tls1_2": null, "-tls1_3": "TLSv1.3" },
  intermediate: { "-tls1": null, "-tls1_1": null, "-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3" },
  v8r4: { "-tls1": "TLSv1", "-tls1_1": "TLSv1.1", "-tls1_2": "TLSv1.2", "-tls1_3": null },
};
const INSECURE = ["RC4", "3DES", "eNULL", "EXPORT", "aNULL", "MD5", "DES", "SEED", "CAMELLIA", "PSK", "DHE"];

let authority: TestAuthority;
let serverLeaf: TestLeaf;
let clientLeaf: TestLeaf;
let folder: string;

before(() => {
  authority = createTestAuthority("test root");
  serverLeaf = authority.issue("node", "serverAuth");
  clientLeaf = authority.issue("agent", "clientAuth");
  folder = mkdtempSync(join(tmpdir(), "holdfast-policy-"));
  writeFileSync(join(folder, "client.pem"), clientLeaf.cert);
  writeFileSync(join(folder, "client.key"), clientLeaf.key);
});
after(() => {
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function startPort(profile: TlsProfileName, demandClientCertificate: boolean): Promise<{ port: number } & AsyncDisposable> {
  const server = createTlsServer({
    profile: tlsPolicy(profile),
    material: { certificateChain: serverLeaf.cert, privateKey: serverLeaf.key, authorities: authority.root },
    demandClientCertificate,
    clock,
    handler: (_request, response) => response.end("here"),
  });
  return { port: await server.listen("127.0.0.1", 0), [Symbol.asyncDispose]: () => server.close(100) };
}

interface Agreed {
  /** `null` when no request was answered. */
  readonly protocol: string | null;
  readonly cipher: string;
  readonly text: string;
}

/** One handshake by `openssl s_client`, whose own floor is lifted, and a request: only an answer counts as accepted. */
function dial(port: number, ...args: string[]): Promise<Agreed> {
  const identity = ["-cert", join(folder, "client.pem"), "-key", join(folder, "client.key")];
  const child = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-no_ign_eof", ...identity, ...args]);
  return new Promise((resolve) => {
    let text = "";
    const timer = setTimeout(() => child.kill(), 10_000);
    child.stdout.on("data", (data) => {
      text += String(data);
      if (text.includes("here")) child.kill();
    });
    child.stdin.on("error", () => undefined);
    child.stdin.write("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    child.once("close", () => {
      clearTimeout(timer);
      const protocol = /^\s*Protocol\s*: (\S+)/m.exec(text)?.[1] ?? /^New, (TLSv1\.3)/m.exec(text)?.[1] ?? null;
      const cipher = /Cipher is (\S+)/.exec(text)?.[1] ?? "";
      resolve({ protocol: text.includes("HTTP/1.1 200") ? protocol : null, cipher, text });
    });
  });
}

describe("TLS policies on a port", LIMITED, () => {
  for (const [profile, rows] of Object.entries(TABLE) as [TlsProfileName, (typeof TABLE)[TlsProfileName]][]) {
    for (const demand of [true, false]) {
      it(`${profile} on the ${demand ? "agent" : "front"} port accepts and refuses what its table says, with and without a server name`, LIMITED, async () => {
        await using running = await startPort(profile, demand);
        for (const [version, protocol] of Object.entries(rows)) {
          for (const name of [["-servername", "localhost"], ["-servername", "elsewhere"], ["-noservername"]]) {
            const agreed = await dial(running.port, version, ...name, "-cipher", "DEFAULT@SECLEVEL=0");
            assert.equal(agreed.protocol, protocol, `${version} ${name.join(" ")}\n${agreed.text.slice(0, 2000)}`);
          }
        }
      });
    }
  }

  it("v8r4 prefers TLS 1.2 and its own order of suites, whatever the client's", LIMITED, async () => {
    await using running = await startPort("v8r4", true);
    const order = "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384@SECLEVEL=0";
    const agreed = await dial(running.port, "-no_tls1_3", "-cipher", order);
    assert.deepEqual([agreed.protocol, agreed.cipher], ["TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"]);
    const old = await dial(running.port, "-tls1", "-cipher", order);
    assert.deepEqual([old.protocol, old.cipher], ["TLSv1", "ECDHE-ECDSA-AES256-SHA"]);
  });

  it("v8r4 offers none of the suites that are in no policy", LIMITED, async () => {
    await using running = await startPort("v8r4", true);
    for (const suites of INSECURE) {
      const agreed = await dial(running.port, "-tls1_2", "-cipher", `${suites}:@SECLEVEL=0`);
      assert.equal(agreed.protocol, null, `${suites}: ${agreed.cipher}`);
    }
  });

  for (const profile of ["intermediate", "v8r4"] as const) {
    it(`${profile} resumes no session of TLS 1.2, neither by ticket nor by id`, LIMITED, async () => {
      await using running = await startPort(profile, true);
      const session = join(folder, `${profile}.session`);
      const first = await dial(running.port, "-tls1_2", "-sess_out", session);
      assert.equal(first.protocol, "TLSv1.2");
      assert.doesNotMatch(first.text, /TLS session ticket:/);
      const second = await dial(running.port, "-tls1_2", "-sess_in", session);
      assert.match(second.text, /^New, TLSv1\.2/m);
      assert.doesNotMatch(second.text, /^Reused/m);
    });
  }

  it("the proof that TLS 1.0 is offered holds here, and fails for a runtime that offers less", LIMITED, async () => {
    const ports = { clock, random: createSystemRandom() };
    await proveLegacyTls(tlsPolicy("v8r4"), ports);
    const lessOffered = { ...tlsPolicy("v8r4"), ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" }; // Not a suite of TLS 1.0.
    await assert.rejects(proveLegacyTls(lessOffered, ports), { name: "Fault", code: "input", message: /v8r4 promises/ });
  });
});
