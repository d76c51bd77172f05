/** Which protocols each profile serves, asked by clients that are not ours, on both ports. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { enrollByHand, readRoot } from "./harness/hand-made-device.ts";
import { skipWithout } from "./harness/needs.ts";
import { createScratch } from "./harness/scratch.ts";
import { StorageNode } from "./harness/storage-node.ts";
import { acceptedProtocols, handshake, scannedProtocols } from "./wire/tls-clients.ts";

const SERVED = {
  modern: ["TLSv1.3"],
  intermediate: ["TLSv1.2", "TLSv1.3"],
  v8r4: ["TLSv1", "TLSv1.1", "TLSv1.2"],
} as const;
const SCANNED_NAMES: Readonly<Record<string, string>> = { TLSv1: "TLSv1.0" };

describe("a TLS profile", () => {
  for (const [profile, served] of Object.entries(SERVED)) {
    it(`${profile} serves ${served.join(", ")} and nothing else, on both ports`, { skip: skipWithout("openssl", "sslscan"), timeout: 120_000 }, async () => {
      using scratch = createScratch(`tls-${profile}`);
      await using node = await StorageNode.start({ folder: scratch.path, serveArgs: ["--agent-tls", profile, "--front-tls", profile] });
      const rootPem = readRoot(node);
      const front = { port: node.frontPort, rootPem, identity: null, scratch: scratch.path };
      assert.deepEqual(await acceptedProtocols(front), served, "front port");
      // A hand-made device speaks TLS 1.3 alone, so on an old profile nobody is enrolled and the handshake is told by the scan.
      if (profile !== "v8r4") {
        using device = await enrollByHand(node, "profiles");
        assert.deepEqual(await acceptedProtocols({ ...front, port: node.agentPort, identity: device.identity }), served, "agent port");
      }
      for (const port of [node.frontPort, node.agentPort])
        assert.deepEqual(
          await scannedProtocols(port),
          served.map((name) => SCANNED_NAMES[name] ?? name),
        );
    });
  }

  it("v8r4 prefers TLS 1.2, and a suite of its own choice", { skip: skipWithout("openssl"), timeout: 120_000 }, async () => {
    using scratch = createScratch("tls-order");
    await using node = await StorageNode.start({ folder: scratch.path, serveArgs: ["--front-tls", "v8r4"] });
    const target = { port: node.frontPort, rootPem: readRoot(node), identity: null, scratch: scratch.path };
    const chosen = await handshake(target, ["-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-GCM-SHA384:@SECLEVEL=0"]);
    assert.deepEqual(chosen, { protocol: "TLSv1.2", cipher: "ECDHE-ECDSA-AES256-GCM-SHA384" });
    assert.match(node.log(), /"warning".*v8r4/);
  });
});
